//! A replica stands still in each step of a change for longer than its lease, somebody else changes the same meanwhile by
//! another replica, and then it goes on.

use crate::rounds::{self, Round};
use crate::servers::Servers;
use crate::steps::{Case, End, Step, TAG};
use crate::testkit::proxy_rule::Fate;
use crate::testkit::push::get_manifest;
use crate::testkit::server::eventually;
use crate::world::{LEASE, Wire, World, signal, stop_still};
use rustix::process::Signal;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long it may take until names say what the facts say.
const SETTLED: Duration = Duration::from_secs(10);

#[test]
fn who_stood_still_moves_nothing_back() {
    let Some(servers) = Servers::found("a pause at each step") else { return };
    let world = World::new(servers);
    rounds::of(&world, "paused", &[Step::MovedTag, Step::DeletedTag], &paused);
    world.nothing_is_left_behind();
}

fn paused(round: Round<'_>) -> bool {
    let Round { world, bench, case, wire, nth } = round;
    let (client, pid) = (bench.replica().client(), bench.pid());
    bench.proxy(Wire::Postgres).forget();
    let held: Arc<Mutex<Option<String>>> = Arc::default();
    let told = Arc::clone(&held);
    let count = bench.arm(wire, move |number, asked| {
        if number != nth {
            return Fate::Pass;
        }
        stop_still(pid);
        *told.lock().unwrap() = Some(asked.what.clone());
        Fate::Hold
    });
    let end = std::thread::scope(|scope| {
        let acting = scope.spawn(|| case.act(&client));
        eventually("it stands still, or is done", || bench.proxy(wire).held() > 0 || acting.is_finished());
        let held = held.lock().unwrap().clone()?;
        let is_begin = |what: &str| what.contains("begin_intent");
        let begun = bench.proxy(Wire::Postgres).seen().iter().filter(|asked| is_begin(&asked.what)).count();
        let had_begun = begun > usize::from(is_begin(&held));
        std::thread::sleep(LEASE + Duration::from_millis(200));
        case.otherwise(&world.client());
        // What it was about to ask arrives now, and it goes on.
        bench.proxy(wire).release();
        signal(pid, Signal::CONT);
        Some((acting.join().expect("a client"), had_begun, held))
    });
    bench.disarm();
    let Some((end, had_begun, held)) = end else { return false };
    assert!(count.so_far() >= nth);
    // Whoever had not begun when it stood still may begin anew, after the other one.
    let may_be_later = !had_begun && end == End::Acknowledged;
    ends_well(world, &case, may_be_later, &format!("{wire:?} {nth}, {held}: {end:?}"));
    true
}

/// The tag means what the other client was told, in the answers and in the bucket, and goes on to mean it.
#[track_caller]
fn ends_well(world: &World, case: &Case, may_be_later: bool, about: &str) {
    let meant = || {
        let told = world.client().send(&get_manifest(&case.repo, TAG));
        assert!(matches!(told.status, 200 | 404), "{}: {told}", case.repo);
        told.header("docker-content-digest").map(str::to_owned)
    };
    let fact = meant();
    assert!(may_be_later || fact.as_deref() == Some(case.old()), "{}: moved back to {fact:?}; {about}", case.repo);
    let began = Instant::now();
    loop {
        let name = world.tag_in_bucket(&case.repo, TAG);
        if name == fact {
            break;
        }
        assert!(began.elapsed() < SETTLED, "{}: the bucket says {name:?}, not {fact:?}; {about}", case.repo);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(meant(), fact, "{}: {about}", case.repo);
}
