//! Each step of each change, one after the other: the n-th request to S3, or the n-th statement, for n = 1, 2, ... until a
//! change comes to its end before. Several replicas at once, each with its own faults. It must not know the faults.

use crate::servers::number;
use crate::steps::{Case, STEPS, Step};
use crate::world::{Bench, Wire, World};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// No change takes so many requests.
const REQUESTS_MAX: usize = 200;

/// One round: a change with a fault at one of its requests.
pub struct Round<'a> {
    pub world: &'a World,
    pub bench: &'a mut Bench,
    pub case: Case,
    pub wire: Wire,
    /// The request that the fault is at.
    pub nth: usize,
}

/// Plays all rounds on both wires. `play` answers whether the change got as far as its n-th request.
pub fn all(world: &World, fault: &str, play: &(dyn Fn(Round<'_>) -> bool + Sync)) {
    of(world, fault, &STEPS, play);
}

/// Plays the rounds of these changes.
pub fn of(world: &World, fault: &str, steps: &[Step], play: &(dyn Fn(Round<'_>) -> bool + Sync)) {
    let workers = number("HOLDFAST_FAULTS_WORKERS", 4) as usize;
    let benches: Vec<Mutex<Bench>> = (0..workers).map(|_| Mutex::new(world.bench())).collect();
    for step in steps {
        let counts = [Wire::S3, Wire::Postgres].map(|wire| one(world, &benches, fault, *step, wire, play));
        println!("{fault}: {step:?}: at each of {} requests to S3 and of {} statements", counts[0], counts[1]);
    }
}

/// Plays the rounds of one change on one wire; answers how many there were.
fn one(
    world: &World,
    benches: &[Mutex<Bench>],
    fault: &str,
    step: Step,
    wire: Wire,
    play: &(dyn Fn(Round<'_>) -> bool + Sync),
) -> usize {
    let (next, over) = (AtomicUsize::new(1), AtomicBool::new(false));
    let reached = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for bench in benches {
            scope.spawn(|| {
                let mut bench = bench.lock().expect("a worker that did not fail");
                while !over.load(Ordering::SeqCst) {
                    let nth = next.fetch_add(1, Ordering::SeqCst);
                    assert!(nth < REQUESTS_MAX, "{fault}: {step:?} never comes to an end");
                    let case = Case::new(step, &format!("{}-{wire:?}-{nth}", fault.replace(' ', "-")).to_lowercase());
                    case.prepare(&world.client());
                    if play(Round { world, bench: &mut bench, case, wire, nth }) {
                        reached.fetch_max(nth, Ordering::SeqCst);
                    } else {
                        over.store(true, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let reached = reached.into_inner();
    assert!(reached > 0, "{fault}: {step:?} asks nothing of {wire:?}: nothing was tested");
    reached
}
