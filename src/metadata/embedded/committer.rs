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
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::Arc;
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
const IDLE: Duration = Duration::from_secs(3600);

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
    _room: OwnedSemaphorePermit,
}

impl Committer {
    /// Starts the thread.
    pub fn start(folder: Arc<Folder>) -> Result<Self> {
        let (queue, operations) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("metadata".into())
            .spawn(move || Writer { folder, unsynced: None, broken: None }.work(&operations))
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
            (keep, Box::new(move |committed| drop(answer.send(outcome.and_then(|value| committed.map(|()| value))))))
        });
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Operation { run, promise, _room: room }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
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
    // Since when rows stand that were not synced.
    unsynced: Option<Instant>,
    // When the engine last failed to open again.
    broken: Option<Instant>,
}

impl Writer {
    fn work(mut self, operations: &mpsc::Receiver<Operation>) {
        loop {
            let wait = self.unsynced.map_or(IDLE, |since| UNSYNCED_MAX.saturating_sub(since.elapsed()));
            match operations.recv_timeout(wait) {
                Ok(first) => self.group(first, operations),
                Err(RecvTimeoutError::Timeout) => self.settle(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.settle();
    }

    /// Runs and commits one operation and those that have queued behind it.
    fn group(&mut self, first: Operation, operations: &mpsc::Receiver<Operation>) {
        if self.broken.is_some_and(|since| since.elapsed() >= REOPEN_WAIT) {
            self.mend();
        }
        if let Err(error) = self.folder.with(|_| Ok(())) {
            let (_, answer) = (first.run)(Err(error.clone()));
            return answer(Err(error));
        }
        let mut group = Group::default();
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
            committed = folder.with(|engine| self.commit(engine, &group));
            if committed.is_err() {
                self.mend();
            }
        }
        if let Err(error) = &committed {
            tracing::error!(%error, operations = group.answers.len(), "the metadata was not written");
        }
        for answer in group.answers {
            answer(committed.clone());
        }
    }

    fn commit(&mut self, engine: &dyn Engine, group: &Group) -> Result<()> {
        let overdue = self.unsynced.is_some_and(|since| since.elapsed() >= UNSYNCED_MAX);
        // One that writes nothing may still tell of rows that are not synced yet.
        let durable = overdue || group.durable && (!group.written.is_empty() || self.unsynced.is_some());
        if durable || !group.written.is_empty() {
            engine.commit(&group.written, durable)?;
            self.unsynced = if durable { None } else { self.unsynced.or_else(|| Some(Instant::now())) };
        }
        Ok(())
    }

    /// Syncs what was written without.
    fn settle(&mut self) {
        if self.unsynced.take().is_some()
            && let Err(error) = self.folder.with(|engine| engine.commit(&Batch::new(), true))
        {
            tracing::error!(%error, "the metadata was not synced");
            self.mend();
        }
    }

    /// After an error an engine refuses all work; opened again it may serve, for instance when there is room again.
    fn mend(&mut self) {
        self.unsynced = None;
        let opened = self.folder.reopen();
        if let Err(error) = &opened {
            tracing::error!(%error, "the metadata does not open again");
        }
        self.broken = opened.err().map(|_| Instant::now());
    }
}

#[derive(Default)]
struct Group {
    written: Batch,
    bytes: usize,
    durable: bool,
    answers: Vec<Answer>,
}

impl Group {
    fn run(&mut self, engine: &dyn Engine, operation: Operation) {
        let mut transaction = Transaction::new(engine, &self.written);
        let (keep, answer) = (operation.run)(Ok(&mut transaction));
        let written = transaction.into_written();
        if keep {
            let bytes = |(key, value): (&Vec<u8>, &Option<Bytes>)| key.len() + value.as_ref().map_or(0, Bytes::len);
            self.bytes += written.iter().map(bytes).sum::<usize>();
            self.written.extend(written);
        }
        self.durable |= operation.promise == Promise::Durable;
        self.answers.push(answer);
    }

    fn is_full(&self) -> bool {
        self.answers.len() >= GROUP_OPERATIONS_MAX || self.bytes >= GROUP_BYTES_MAX
    }
}
