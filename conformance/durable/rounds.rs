//! The rounds: work, kill, restart, check, rebuild a copy, compare. Each store lives for a few rounds, so that
//! both young and grown ones are killed. It must not know single requests.

use crate::book::Book;
use crate::power::Disk;
use crate::shared_tag::SharedTags;
use crate::snapshot::{Names, take};
use crate::testkit::chance::Chance;
use crate::testkit::client::GUARD;
use crate::testkit::server::{Home, Server};
use crate::testkit::skip::skipped;
use crate::verify::{Counts, settle};
use crate::worker::Worker;
use std::sync::mpsc::channel;
use std::time::Duration;

const CLIENTS: usize = 6;
const ROUNDS: usize = 12;
const ROUNDS_OF_A_STORE: usize = 4;

#[allow(clippy::disallowed_methods, reason = "tests read the environment of their run")]
fn from_env<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// How a round ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// The process is killed; what it wrote stays in the system's memory.
    Kill,
    /// That is gone too.
    PowerCut,
    /// That is gone from the disk of the metadata alone: the syncs of the storage do not help it.
    PowerCutOfMetadata,
}

/// A store and what the clients know of it. Fields drop in their order: the home before the disk below it.
struct Store {
    home: Home,
    disk: Option<Disk>,
    books: Vec<Book>,
    shared: SharedTags,
    names: Names,
}

impl Store {
    /// `None`: there can be no disk here whose power could be cut.
    fn new(engine: &str, death: Death) -> Option<Self> {
        let home = Home::new().env("HOLDFAST_METADATA_ENGINE", engine);
        let disk = match death {
            Death::Kill => None,
            Death::PowerCut | Death::PowerCutOfMetadata => match Disk::mounted() {
                Ok(disk) => Some(disk),
                Err(why) => {
                    skipped(&format!("{engine} in a power cut"), why);
                    return None;
                }
            },
        };
        let mut home = match &disk {
            Some(disk) => home.data_at(&disk.folder().join("data")),
            None => home,
        };
        if death == Death::PowerCutOfMetadata {
            let images = home.folder().join("images").display().to_string();
            home = home.env("HOLDFAST_STORAGE_FILESYSTEM_ROOT", images);
        }
        Some(Self {
            home,
            disk,
            books: vec![Book::default(); CLIENTS],
            shared: SharedTags::default(),
            names: Names::default(),
        })
    }

    fn cut_power(&mut self) {
        if let Some(disk) = &mut self.disk {
            disk.cut();
        }
    }

    fn remember_names(&mut self) {
        for book in &self.books {
            self.names.blobs.extend(book.blobs.keys().cloned());
            self.names.manifests.extend(book.manifests.keys().cloned());
        }
    }
}

/// Plays all rounds over one engine.
pub fn play(engine: &str, death: Death) {
    let seed = from_env("HOLDFAST_KILL_SEED").unwrap_or_else(Chance::fresh_seed);
    let rounds = from_env("HOLDFAST_KILL_ROUNDS").unwrap_or(ROUNDS);
    println!("{engine}: {rounds} rounds, HOLDFAST_KILL_SEED={seed}");
    let mut chance = Chance::seeded(seed);
    let Some(mut store) = Store::new(engine, death) else { return };
    let (mut acknowledged, mut compared) = (0, 0);
    for round in 0..rounds {
        if round > 0 && round % ROUNDS_OF_A_STORE == 0 {
            let Some(next) = Store::new(engine, death) else { return };
            store = next;
        }
        let before: usize = store.books.iter().map(|book| book.acknowledged).sum();
        work_until_killed(&mut store, &mut chance);
        store.cut_power();
        store.remember_names();
        let now: usize = store.books.iter().map(|book| book.acknowledged).sum::<usize>() - before;
        acknowledged += now;
        let (counts, answers) = check(&mut store, &mut chance);
        compared += answers;
        println!(
            "{engine} round {round}: {now} acknowledged; there are {} blobs, {} manifests, {} tags; of the unacknowledged {} \
             done and {} not; {answers} answers compared with the rebuilt copy",
            counts.blobs, counts.manifests, counts.tags, counts.open_done, counts.open_undone
        );
    }
    assert!(acknowledged > 0 && compared > 0, "nothing was tested");
    println!("{engine}: {acknowledged} acknowledged changes, 0 lost; {compared} answers compared, 0 differ");
}

/// Several clients work until the server is killed at a random moment.
fn work_until_killed(store: &mut Store, chance: &mut Chance) {
    let server = store.home.start();
    let client = server.client();
    let (acknowledged, events) = channel();
    let target = 1 + chance.below([30, 150, 500][chance.clone().below(3)]);
    let extra = Duration::from_micros(chance.below(15_000) as u64);
    let shared = &store.shared;
    let books = std::mem::take(&mut store.books);
    store.books = std::thread::scope(|scope| {
        let threads: Vec<_> = books
            .into_iter()
            .enumerate()
            .map(|(number, book)| {
                let worker = Worker::new(
                    number,
                    client,
                    book,
                    Chance::seeded(chance.next()),
                    shared,
                    acknowledged.clone(),
                );
                scope.spawn(move || worker.work())
            })
            .collect();
        drop(acknowledged);
        for _ in 0..target {
            if events.recv_timeout(GUARD).is_err() {
                break;
            }
        }
        std::thread::sleep(extra);
        server.kill();
        threads.into_iter().map(|thread| thread.join().expect("a client met a wrong answer")).collect()
    });
}

/// Restarts, now and then after another kill in the middle of the start.
fn restart(store: &Store, chance: &mut Chance) -> Server {
    if chance.below(3) == 0 {
        let early = store.home.start_unready();
        std::thread::sleep(Duration::from_micros(chance.below(20_000) as u64));
        early.kill();
    }
    store.home.start()
}

fn check(store: &mut Store, chance: &mut Chance) -> (Counts, usize) {
    let server = restart(store, chance);
    let client = server.client();
    let counts = settle(&client, &mut store.books, &store.shared);
    let survived = take(&client, &store.names);
    // The copy is of a folder at rest: after a graceful stop, or as a second kill left it.
    if chance.below(2) == 0 {
        server.stop();
    } else {
        server.kill();
        store.cut_power();
    }

    let copy = store.home.copy();
    let output = copy.rebuild();
    let report =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "rebuild failed: {report}");
    let server = copy.start();
    let rebuilt = take(&server.client(), &store.names);
    let differences = survived.differences(&rebuilt);
    assert!(
        differences.is_empty(),
        "{} answers differ after a rebuild:\n{}\nits report:\n{report}",
        differences.len(),
        differences.join("\n")
    );
    (counts, survived.answers())
}
