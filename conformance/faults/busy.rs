//! Many clients push and pull through three replicas while something happens to one after the other, and to PostgreSQL.
//! `HOLDFAST_FAULTS_CLIENTS` clients for `HOLDFAST_FAULTS_SECS` seconds.

use crate::patience::{Patient, Replicas};
use crate::servers::{Servers, number};
use crate::testkit::chance::Chance;
use crate::testkit::client::get;
use crate::testkit::server::{Home, Server, eventually};
use crate::world::World;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const REPLICAS: usize = 3;

/// Three replicas, and where each has its settings.
struct Three {
    homes: Vec<Home>,
    servers: Vec<Option<Server>>,
    known: Replicas,
}

impl Three {
    fn new(world: &World) -> Self {
        let homes: Vec<Home> = (0..REPLICAS).map(|_| world.plain()).collect();
        let servers: Vec<Option<Server>> = homes.iter().map(|home| Some(home.start())).collect();
        let addresses = servers.iter().flatten().map(|server| server.client().addr).collect();
        Self { homes, servers, known: Replicas::at(addresses) }
    }

    fn status(&self, nth: usize) -> u16 {
        let server = self.servers[nth].as_ref().expect("it runs");
        server.client().send(&get("/readyz")).status
    }
}

/// Clients work until this goes, also when a test has failed.
struct WorkingHours<'a>(&'a AtomicBool);

impl Drop for WorkingHours<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Clients work while `meanwhile` goes on, which is told when enough was pushed for a beginning. Everything that they were
/// told is right at the end.
fn busy(
    three: &mut Three,
    clients: usize,
    meanwhile: impl FnOnce(&mut Vec<Option<Server>>, &[Home], &Replicas),
) {
    let seed = Chance::fresh_seed();
    let (over, steps) = (AtomicBool::new(false), AtomicUsize::new(0));
    let Three { homes, servers, known } = three;
    let known = &*known;
    let mut patients: Vec<Patient<'_>> = (0..clients).map(|nth| Patient::new(known, nth, seed)).collect();
    let errors: Vec<String> = std::thread::scope(|scope| {
        let working: Vec<_> = patients
            .iter_mut()
            .map(|patient| {
                let (over, steps) = (&over, &steps);
                scope.spawn(move || {
                    while !over.load(Ordering::SeqCst) {
                        patient.step()?;
                        steps.fetch_add(1, Ordering::SeqCst);
                    }
                    Ok(())
                })
            })
            .collect();
        let working_hours = WorkingHours(&over);
        eventually("clients are at work", || steps.load(Ordering::SeqCst) >= clients.min(10));
        meanwhile(servers, homes, known);
        drop(working_hours);
        working.into_iter().filter_map(|client| client.join().expect("a client").err()).collect()
    });
    let images: usize = patients.iter().map(|patient| patient.tags.len()).sum();
    for patient in &mut patients {
        let tags: Vec<String> = patient.tags.keys().cloned().collect();
        for tag in tags {
            patient.pull(&tag).unwrap_or_else(|why| panic!("at the end: {why}"));
        }
    }
    let (steps, retries) = (steps.into_inner(), known.retries());
    println!(
        "{clients} clients: {steps} pushes and pulls, {retries} requests tried again, {images} images at the end"
    );
    assert!(errors.is_empty(), "{} of {clients} clients failed: {errors:#?}", errors.len());
}

#[test]
fn clients_do_not_notice_that_replicas_are_restarted() {
    let Some(servers) = Servers::found("clients while replicas are restarted") else { return };
    let world = World::new(servers);
    let mut three = Three::new(&world);
    let clients = number("HOLDFAST_FAULTS_CLIENTS", 20) as usize;
    let time = Duration::from_secs(number("HOLDFAST_FAULTS_SECS", 30));
    busy(&mut three, clients, |servers, homes, known| {
        let (began, mut restarts) = (Instant::now(), 0);
        while began.elapsed() < time || restarts < 2 * REPLICAS {
            let nth = restarts % REPLICAS;
            let server = servers[nth].take().expect("it runs");
            // By turns, and each replica both ways.
            if restarts % 2 == 0 {
                server.stop();
            } else {
                server.kill();
            }
            let server = homes[nth].start();
            known.moved(nth, server.client().addr);
            servers[nth] = Some(server);
            restarts += 1;
            std::thread::sleep(Duration::from_secs(2));
        }
        println!("{restarts} restarts in {} s", began.elapsed().as_secs());
    });
    drop(three);
    world.nothing_is_left_behind();
}

#[test]
fn clients_do_not_notice_that_postgresql_is_restarted() {
    let Some(servers) = Servers::with_own_postgres("clients while PostgreSQL is restarted") else { return };
    let world = World::new(servers);
    let mut three = Three::new(&world);
    for how in ["fast", "immediate"] {
        let before: Vec<u16> = (0..REPLICAS).map(|nth| three.status(nth)).collect();
        assert_eq!(before, [200; REPLICAS]);
        busy(&mut three, 6, |servers, _, _| {
            let each_says = |status: u16| {
                let client = |server: &Option<Server>| server.as_ref().expect("it runs").client();
                servers.iter().all(|server| client(server).send(&get("/readyz")).status == status)
            };
            world.servers.postgres.end(how);
            eventually("each replica says that it is not ready", || each_says(503));
            world.servers.postgres.begin();
            let began = Instant::now();
            eventually("each replica is ready again", || each_says(200));
            println!("{how}: ready again after {} ms", began.elapsed().as_millis());
            std::thread::sleep(Duration::from_secs(2));
        });
    }
    drop(three);
    world.nothing_is_left_behind();
}
