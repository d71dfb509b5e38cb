//! The one thread that writes. It takes what has queued, runs it operation by operation, commits all of it as one
//! batch with one sync, and only then answers. Whatever queues meanwhile is the next group, so the more callers
//! there are, the more of them share a sync; nobody is ever kept waiting for a group to fill.
//!
//! Knows no tables: operations are closures over `transaction.rs`.

use crate::metadata::embedded::engine::{Batch, Engine, guarded};
use crate::metadata::embedded::folder::Folder;
use crate::metadata::embedded::transaction::Transaction;
use crate::metadata::error::{Error, Result};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

const GROUP_OPERATIONS_MAX: usize = 512;
const GROUP_BYTES_MAX: usize = 8 << 20;
// Callers beyond this wait in line before their operation takes memory in the queue. One permit stands for an
// operation, or for as many bytes of its arguments: no more than 32 MiB wait.
const QUEUE_PERMITS: usize = 4096;
const PERMIT_BYTES: usize = 8 << 10;
// How long what was written without a sync may stay so when nothing durable follows.
const UNSYNCED_MAX: Duration = Duration::from_millis(500);
// How long after an engine failed to open again it is tried once more.
const REOPEN_WAIT: Duration = Duration::from_secs(1);
// What may be written without a sync before one is made: it is kept in memory until then.
const UNSYNCED_BYTES_MAX: usize = 8 << 20;
const IDLE: Duration = Duration::from_hours(1);

/// Rows that somebody else keeps until it is time to write them. Told whether it is the last chance for a while.
pub type Later = Box<dyn Fn(bool) -> Batch + Send>;

/// Whether an operation is answered before its rows are certain to survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Answered when they are.
    Durable,
    /// Answered when they are seen by all.
    Seen,
}

/// The handle to the thread. Dropped, it waits until all that was queued is written and synced.
pub struct Committer {
    queue: Option<mpsc::Sender<Operation>>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

/// Tells the caller how its group ended.
type Answer = Box<dyn FnOnce(Result<()>) + Send>;
/// Runs an operation, or tells it why it cannot run; the flag tells whether what it wrote is to be kept.
type Run = Box<dyn FnOnce(Result<&mut Transaction<'_>>) -> (bool, Answer) + Send>;

struct Operation {
    run: Run,
    promise: Promise,
    _room: Option<OwnedSemaphorePermit>,
}

impl Committer {
    /// Starts the thread.
    pub fn start(folder: Arc<Folder>, later: Later) -> Result<Self> {
        let (queue, operations) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("metadata".into())
            .spawn(move || Writer::new(folder, later).work(&operations))
            .map_err(|error| Error::Fault(error.to_string()))?;
        Ok(Self { queue: Some(queue), room: Arc::new(Semaphore::new(QUEUE_PERMITS)), thread: Some(thread) })
    }

    /// Runs an operation in a transaction and answers what it answers. If it fails, it has written nothing.
    /// `bytes` is how much memory it holds, roughly.
    pub async fn run<T: Send + 'static>(
        &self,
        promise: Promise,
        bytes: usize,
        operation: impl FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permits = (1 + bytes / PERMIT_BYTES).min(QUEUE_PERMITS / 4) as u32;
        let gone = || Error::Fault("the metadata is closed".into());
        let room = Arc::clone(&self.room).acquire_many_owned(permits).await.map_err(|_| gone())?;
        let (answer, answered) = oneshot::channel();
        let run: Run = Box::new(move |transaction| {
            let outcome = transaction.and_then(|transaction| {
                guarded(|| operation(transaction)).unwrap_or_else(|panic| Err(Error::Fault(panic)))
            });
            let keep = outcome.is_ok();
            // A caller that has gone away does not undo what it asked for.
            (
                keep,
                Box::new(move |committed| {
                    drop(answer.send(outcome.and_then(|value| committed.map(|()| value))));
                }),
            )
        });
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Operation { run, promise, _room: Some(room) }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Wakes the thread, so that it writes what it is to write later.
    pub fn wake(&self) {
        let run: Run = Box::new(|_| (false, Box::new(drop)));
        if let Some(queue) = &self.queue {
            drop(queue.send(Operation { run, promise: Promise::Seen, _room: None }));
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Writer {
    folder: Arc<Folder>,
    later: Later,
    // Since when rows stand that were not synced, and which: an engine that has to be opened again has lost them,
    // and somebody was told that they stand.
    unsynced: Option<Instant>,
    unsynced_rows: Batch,
    unsynced_bytes: usize,
    // Whether anything was written since the engine last came to rest.
    active: bool,
    // When the engine last failed to open again.
    broken: Option<Instant>,
    // Why nothing is written any more.
    lost: Option<Error>,
}

impl Writer {
    fn new(folder: Arc<Folder>, later: Later) -> Self {
        Self {
            folder,
            later,
            unsynced: None,
            unsynced_rows: Batch::new(),
            unsynced_bytes: 0,
            active: false,
            broken: None,
            lost: None,
        }
    }

    fn work(mut self, operations: &mpsc::Receiver<Operation>) {
        loop {
            let wait = match self.unsynced {
                _ if self.lost.is_some() => IDLE,
                _ if self.broken.is_some() => REOPEN_WAIT,
                Some(since) => UNSYNCED_MAX.saturating_sub(since.elapsed()),
                None if self.active => UNSYNCED_MAX,
                None => IDLE,
            };
            match operations.recv_timeout(wait) {
                Ok(first) => self.group(first, operations),
                Err(RecvTimeoutError::Timeout) if self.lost.is_some() => {}
                Err(RecvTimeoutError::Timeout) if self.broken.is_some() => self.mend(),
                Err(RecvTimeoutError::Timeout) => self.rest(),
                Err(RecvTimeoutError::Disconnected) => return self.rest(),
            }
        }
    }

    /// Runs and commits one operation and those that have queued behind it.
    fn group(&mut self, first: Operation, operations: &mpsc::Receiver<Operation>) {
        if self.broken.is_some_and(|since| since.elapsed() >= REOPEN_WAIT) {
            self.mend();
        }
        if let Some(error) = self.lost.clone().or_else(|| self.folder.with(|_| Ok(())).err()) {
            let (_, answer) = (first.run)(Err(error.clone()));
            return answer(Err(error));
        }
        self.active = true;
        let mut group = Group::of((self.later)(false));
        let folder = Arc::clone(&self.folder);
        let mut committed = folder.with(|engine| {
            let mut next = Some(first);
            while let Some(operation) = next {
                group.run(engine, operation);
                next = if group.is_full() { None } else { operations.try_recv().ok() };
            }
            engine.reserve(&group.written)
        });
        if committed.is_ok() {
            committed = folder.with(|engine| self.commit(engine, &mut group));
            if let Err(error) = &committed {
                self.failed(error);
            }
        }
        if let Err(error) = &committed {
            tracing::error!(%error, operations = group.answers.len(), "the metadata was not written");
        }
        group.answer(&committed, |_| true);
    }

    fn commit(&mut self, engine: &dyn Engine, group: &mut Group) -> Result<()> {
        let overdue = self.unsynced.is_some_and(|since| since.elapsed() >= UNSYNCED_MAX)
            || self.unsynced_bytes >= UNSYNCED_BYTES_MAX;
        // One that writes nothing may still tell of rows that are not synced yet.
        let durable = overdue || group.durable && (!group.written.is_empty() || self.unsynced.is_some());
        if !durable && group.written.is_empty() {
            return Ok(());
        }
        if !group.seen {
            engine.commit(&group.written, durable)?;
            self.committed(std::mem::take(&mut group.written), group.bytes, durable);
            return Ok(());
        }
        // Those that need no sync do not wait for it.
        engine.commit(&group.written, false)?;
        self.committed(std::mem::take(&mut group.written), group.bytes, false);
        group.answer(&Ok(()), |promise| promise == Promise::Seen);
        if durable {
            engine.commit(&Batch::new(), true)?;
            self.committed(Batch::new(), 0, true);
        }
        Ok(())
    }

    fn committed(&mut self, written: Batch, bytes: usize, durable: bool) {
        if durable {
            self.unsynced = None;
            self.unsynced_rows.clear();
            self.unsynced_bytes = 0;
        } else {
            self.unsynced.get_or_insert_with(Instant::now);
            self.unsynced_rows.extend(written);
            self.unsynced_bytes += bytes;
        }
    }

    /// Nothing is to be written: time for what must not wait for ever, or would keep others waiting.
    fn rest(&mut self) {
        if !std::mem::take(&mut self.active) {
            return;
        }
        let later = (self.later)(true);
        let rested = self.folder.with(|engine| {
            // Without room they are left out: they may be lost, and the engine is well.
            if !later.is_empty() && engine.reserve(&later).is_ok() {
                engine.commit(&later, false)?;
            }
            engine.rest()
        });
        match rested {
            Ok(()) => self.committed(Batch::new(), 0, true),
            Err(error) => {
                tracing::error!(%error, "the metadata was not synced");
                self.failed(&error);
            }
        }
    }

    /// After a full disk the engine is opened again. After anything else nobody knows what the disk holds, and
    /// the next sync would say that all is well: nothing is written any more, and the next start makes the
    /// metadata again from storage.
    fn failed(&mut self, error: &Error) {
        if matches!(error, Error::Full) {
            return self.mend();
        }
        tracing::error!(%error, "the disk of the metadata failed: nothing is stored any more until a restart");
        self.folder.suspect();
        self.lost = Some(error.clone());
    }

    /// After an error an engine refuses all work; opened again it may serve, for instance when there is room again.
    fn mend(&mut self) {
        let rows = &self.unsynced_rows;
        let opened = self.folder.reopen(|engine| {
            if rows.is_empty() {
                return Ok(());
            }
            engine.reserve(rows)?;
            engine.commit(rows, true)
        });
        match &opened {
            Ok(()) => {
                self.unsynced = None;
                self.unsynced_rows.clear();
                self.unsynced_bytes = 0;
            }
            Err(error) => tracing::error!(%error, "the metadata does not open again"),
        }
        self.broken = opened.err().map(|_| Instant::now());
    }
}

#[derive(Default)]
struct Group {
    written: Batch,
    bytes: usize,
    // Whether any operation needs a sync, and whether any does not.
    durable: bool,
    seen: bool,
    answers: Vec<(Promise, Answer)>,
}

impl Group {
    fn of(written: Batch) -> Self {
        Self { written, ..Self::default() }
    }

    /// Answers those that are to be answered now.
    fn answer(&mut self, committed: &Result<()>, now: impl Fn(Promise) -> bool) {
        let (ready, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.answers).into_iter().partition(|(promise, _)| now(*promise));
        self.answers = waiting;
        for (_, answer) in ready {
            answer(committed.clone());
        }
    }

    fn run(&mut self, engine: &dyn Engine, operation: Operation) {
        let mut transaction = Transaction::new(engine, &self.written);
        let (keep, answer) = (operation.run)(Ok(&mut transaction));
        let written = transaction.into_written();
        if keep {
            let bytes =
                |(key, value): (&Vec<u8>, &Option<Bytes>)| key.len() + value.as_ref().map_or(0, Bytes::len);
            self.bytes += written.iter().map(bytes).sum::<usize>();
            self.written.extend(written);
        }
        self.durable |= operation.promise == Promise::Durable;
        self.seen |= operation.promise == Promise::Seen;
        self.answers.push((operation.promise, answer));
    }

    fn is_full(&self) -> bool {
        self.answers.len() >= GROUP_OPERATIONS_MAX || self.bytes >= GROUP_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::embedded::engine::{Unopened, Visit};
    use std::future::Future;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
    use std::task::{Context, Waker};

    /// What an engine was told to do, and what it does.
    #[derive(Default)]
    struct Script {
        rows: Mutex<Batch>,
        commits: Mutex<Vec<(Batch, bool)>>,
        opened: AtomicUsize,
        no_room: AtomicBool,
        fails: AtomicBool,
        stays_shut: AtomicBool,
        // Held by a test to keep a commit waiting.
        gate: Mutex<()>,
        entered: Mutex<Option<mpsc::Sender<()>>>,
    }

    struct Scripted(Arc<Script>);

    impl Engine for Scripted {
        fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
            Ok(self.0.rows.lock().unwrap().get(key).cloned().flatten())
        }

        fn scan(&self, from: &[u8], until: &[u8], visit: Visit<'_>) -> Result<()> {
            for (key, value) in self.0.rows.lock().unwrap().range(from.to_vec()..until.to_vec()) {
                let _ = visit(key, value.as_deref().unwrap());
            }
            Ok(())
        }

        fn reserve(&self, _: &Batch) -> Result<()> {
            if self.0.no_room.load(SeqCst) { Err(Error::Full) } else { Ok(()) }
        }

        fn commit(&self, batch: &Batch, durable: bool) -> Result<()> {
            if let Some(entered) = self.0.entered.lock().unwrap().as_ref() {
                entered.send(()).unwrap();
            }
            drop(self.0.gate.lock().unwrap());
            if self.0.fails.load(SeqCst) {
                return Err(Error::Full);
            }
            let mut rows = self.0.rows.lock().unwrap();
            rows.extend(batch.clone());
            rows.retain(|_, value| value.is_some());
            self.0.commits.lock().unwrap().push((batch.clone(), durable));
            Ok(())
        }
        fn rest(&self) -> Result<()> {
            self.commit(&Batch::new(), true)
        }
    }

    fn scripted() -> (Arc<Script>, Committer) {
        let script = Arc::new(Script::default());
        let again = Arc::clone(&script);
        let opener = Box::new(move || {
            again.opened.fetch_add(1, SeqCst);
            let shut = again.stays_shut.load(SeqCst);
            if shut {
                Err(Unopened::Fault(Error::Full))
            } else {
                Ok(Box::new(Scripted(Arc::clone(&again))) as _)
            }
        });
        let folder = Folder::of(
            &std::env::temp_dir(),
            opener,
            Box::new(Scripted(Arc::clone(&script))),
            tempfile::tempfile().unwrap(),
        );
        (script, Committer::start(Arc::new(folder), Box::new(|_| Batch::new())).unwrap())
    }

    async fn put(committer: &Committer, promise: Promise, key: &str, value: &str) -> Result<()> {
        let (key, value) = (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        let put = move |transaction: &mut Transaction<'_>| {
            transaction.put(key, value);
            Ok(())
        };
        committer.run(promise, 0, put).await
    }

    #[tokio::test]
    async fn what_queues_during_a_commit_is_one_group() {
        let (script, committer) = scripted();
        let (entered, was_entered) = mpsc::channel();
        *script.entered.lock().unwrap() = Some(entered);
        let gate = script.gate.lock().unwrap();
        let first = put(&committer, Promise::Durable, "first", "1");
        let added = committer.run(Promise::Durable, 0, |transaction| {
            transaction.put(b"a".to_vec(), "from the second");
            transaction.put(b"first".to_vec(), "overwritten");
            Ok(())
        });
        let failed = committer.run(Promise::Durable, 0, |transaction| {
            transaction.remove(b"a".to_vec());
            transaction.put(b"z".to_vec(), "never");
            Err::<(), _>(Error::Fault("refused".into()))
        });
        let panicked = committer.run(Promise::Durable, 0, |transaction| -> Result<()> {
            transaction.put(b"z".to_vec(), "never");
            panic!("on purpose")
        });
        let read = committer.run(Promise::Durable, 0, |transaction| {
            transaction.remove(b"first".to_vec());
            Ok((transaction.get(b"a")?, transaction.get(b"first")?, transaction.rows(b"")?.len()))
        });
        let mut all = Box::pin(futures_util::future::join5(first, added, failed, panicked, read));
        // Queues all five: the committer is in the commit of the first, or takes all of them at once.
        assert!(all.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        was_entered.recv().unwrap();
        drop(gate);
        *script.entered.lock().unwrap() = None;
        let (first, added, failed, panicked, read) = all.await;
        assert!(first.is_ok() && added.is_ok());
        assert!(matches!(failed, Err(Error::Fault(why)) if why == "refused"));
        assert!(matches!(panicked, Err(Error::Fault(why)) if why.contains("on purpose")));
        let (a, gone, _) = read.unwrap();
        assert_eq!((a.as_deref(), gone), (Some(b"from the second".as_slice()), None));
        let commits = script.commits.lock().unwrap();
        assert!(commits.len() <= 2 && commits.iter().all(|(_, durable)| *durable));
        let rows = script.rows.lock().unwrap();
        assert_eq!(rows.keys().collect::<Vec<_>>(), vec![b"a"]);
    }

    #[tokio::test]
    async fn rows_show_the_database_under_the_group_under_ones_own() {
        let (_, committer) = scripted();
        for key in ["p1", "p2", "p3", "q"] {
            put(&committer, Promise::Durable, key, "old").await.unwrap();
        }
        let rows = committer.run(Promise::Durable, 0, |transaction| {
            transaction.remove(b"p1".to_vec());
            transaction.put(b"p2".to_vec(), "new");
            transaction.put(b"p4".to_vec(), "new");
            transaction.rows(b"p")
        });
        let text = |(key, value): (Vec<u8>, Bytes)| [key.as_slice(), &value].concat();
        let rows: Vec<_> = rows.await.unwrap().into_iter().map(text).collect();
        assert_eq!(rows, [b"p2new", b"p3old", b"p4new"]);
    }

    #[tokio::test]
    async fn only_what_is_durable_waits_for_a_sync() {
        let (script, committer) = scripted();
        put(&committer, Promise::Seen, "a", "1").await.unwrap();
        let commit = |at: usize| script.commits.lock().unwrap()[at].clone();
        assert!(!commit(0).1);
        // Something durable that writes nothing may have seen it, so it makes it durable.
        committer.run(Promise::Durable, 0, |transaction| transaction.get(b"a")).await.unwrap();
        assert_eq!(commit(1), (Batch::new(), true));
        committer.run(Promise::Durable, 0, |transaction| transaction.get(b"a")).await.unwrap();
        assert_eq!(script.commits.lock().unwrap().len(), 2, "there was nothing to do");
    }

    #[tokio::test]
    async fn what_nothing_durable_follows_is_synced_soon() {
        let (script, committer) = scripted();
        put(&committer, Promise::Seen, "a", "1").await.unwrap();
        let (entered, was_entered) = mpsc::channel();
        *script.entered.lock().unwrap() = Some(entered);
        was_entered.recv().unwrap();
        drop(committer);
        assert!(script.commits.lock().unwrap()[1].1);
    }

    #[tokio::test]
    async fn the_end_is_durable() {
        let (script, committer) = scripted();
        put(&committer, Promise::Seen, "a", "1").await.unwrap();
        drop(committer);
        assert!(script.commits.lock().unwrap().last().unwrap().1);
    }

    #[tokio::test]
    async fn a_failed_commit_is_told_and_the_engine_opened_again() {
        let (script, committer) = scripted();
        script.fails.store(true, SeqCst);
        assert!(matches!(put(&committer, Promise::Durable, "a", "1").await, Err(Error::Full)));
        assert_eq!(script.opened.load(SeqCst), 1);
        script.fails.store(false, SeqCst);
        put(&committer, Promise::Durable, "b", "1").await.unwrap();
        assert_eq!(script.rows.lock().unwrap().keys().collect::<Vec<_>>(), vec![b"b"]);
    }

    #[tokio::test]
    async fn what_was_answered_without_a_sync_is_put_back_into_an_engine_that_lost_it() {
        let (script, committer) = scripted();
        put(&committer, Promise::Seen, "a", "1").await.unwrap();
        script.rows.lock().unwrap().clear(); // as if the engine had only had it in memory
        script.fails.store(true, SeqCst);
        assert!(put(&committer, Promise::Durable, "b", "1").await.is_err());
        script.fails.store(false, SeqCst);
        let mut after = put(&committer, Promise::Durable, "c", "1").await;
        while after.is_err() {
            tokio::time::sleep(REOPEN_WAIT / 4).await; // it stays shut until what it lost can be put back
            after = put(&committer, Promise::Durable, "c", "1").await;
        }
        assert_eq!(script.rows.lock().unwrap().keys().collect::<Vec<_>>(), vec![b"a", b"c"]);
    }

    #[tokio::test]
    async fn no_room_is_told_and_the_engine_left_alone() {
        let (script, committer) = scripted();
        script.no_room.store(true, SeqCst);
        assert!(matches!(put(&committer, Promise::Durable, "a", "1").await, Err(Error::Full)));
        script.no_room.store(false, SeqCst);
        put(&committer, Promise::Durable, "a", "1").await.unwrap();
        assert_eq!(script.opened.load(SeqCst), 0);
    }

    #[tokio::test]
    async fn an_engine_that_stays_shut_is_tried_again() {
        let (script, committer) = scripted();
        script.stays_shut.store(true, SeqCst);
        script.fails.store(true, SeqCst);
        for _ in 0..3 {
            assert!(matches!(put(&committer, Promise::Durable, "a", "1").await, Err(Error::Full)));
        }
        script.stays_shut.store(false, SeqCst);
        script.fails.store(false, SeqCst);
        // It is not opened for every operation, but some time later it is.
        while put(&committer, Promise::Durable, "a", "1").await.is_err() {
            tokio::task::yield_now().await;
        }
    }
}
