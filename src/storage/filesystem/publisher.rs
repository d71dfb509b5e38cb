//! The one thread through which all passes that must outlive a power cut. It runs what is queued, syncs once for
//! all of it, and only then lets the callers go on; what arrives meanwhile is the next group, so that concurrent
//! pushes share the cost. Knows nothing of what its jobs do.

use crate::storage::error::{Error, Result};
use crate::storage::filesystem::files::Touched;
use crate::storage::filesystem::root::Root;
use crate::storage::filesystem::sync::Way;
use std::io;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// At most so many jobs share one sync.
const GROUP_MAX: usize = 512;
/// So many jobs may queue before callers wait to queue more.
const QUEUE_MAX: usize = 1024;

/// What a job has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The caller may go on. What was done since the last sync is durable with the next one.
    Done,
    /// To be called again once all that was done so far is durable.
    Sync,
}

/// Where jobs work.
pub struct Bench {
    /// The storage folder.
    pub root: Arc<Root>,
    /// What is not durable yet. Jobs note all that they change.
    pub touched: Touched,
    /// A sync failed for want of room: what looks written need not be, so nothing may be left as found.
    pub doubtful: bool,
}

/// Some work in steps with syncs between them. Steps of all jobs run one after the other.
pub type Job = Box<dyn FnMut(&mut Bench) -> Result<Step> + Send>;

struct Queued {
    job: Job,
    done: oneshot::Sender<Result<()>>,
}

impl Queued {
    /// Answers, after all that the job held is let go.
    fn end(self, answer: Result<()>) {
        drop(self.job);
        // Nobody listens if the caller was cancelled; the work is done all the same.
        drop(self.done.send(answer));
    }
}

/// The way to the thread. It ends when this is dropped.
pub struct Publisher {
    queue: mpsc::Sender<Queued>,
}

impl Publisher {
    /// Starts the thread.
    pub fn start(root: Arc<Root>) -> Result<Self> {
        let way = Way::of(root.folder());
        Self::start_with(root, way)
    }

    /// Starts the thread with a certain way to sync.
    pub fn start_with(root: Arc<Root>, way: Way) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let touched = Touched { wanted: way == Way::Each, ..Touched::default() };
        let bench = Bench { root, touched, doubtful: false };
        std::thread::Builder::new()
            .name("publisher".into())
            .spawn(move || Work { bench, way, broken: None, waiting: Vec::new() }.run(jobs))
            .map_err(|e| Error::at("the publisher's thread", e))?;
        Ok(Self { queue })
    }

    /// Runs a job to its end. Goes on even if nobody waits for the answer any more.
    pub async fn publish(&self, job: Job) -> Result<()> {
        let gone = || Error::at("the publisher's thread", io::ErrorKind::BrokenPipe.into());
        let (done, answer) = oneshot::channel();
        self.queue.send(Queued { job, done }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

struct Work {
    bench: Bench,
    way: Way,
    /// Why nothing is published any more.
    broken: Option<Error>,
    /// Jobs that wait for a sync.
    waiting: Vec<Queued>,
}

impl Work {
    fn run(mut self, mut jobs: mpsc::Receiver<Queued>) {
        loop {
            if self.waiting.is_empty() {
                match jobs.blocking_recv() {
                    Some(queued) => self.advance(queued),
                    None => return,
                }
            }
            while self.waiting.len() < GROUP_MAX {
                match jobs.try_recv() {
                    Ok(queued) => self.advance(queued),
                    Err(_) => break,
                }
            }
            if !self.waiting.is_empty() {
                self.sync();
            }
        }
    }

    fn advance(&mut self, mut queued: Queued) {
        let outcome = match &self.broken {
            Some(error) => Err(error.again()),
            None => (queued.job)(&mut self.bench),
        };
        match outcome {
            Ok(Step::Sync) => self.waiting.push(queued),
            Ok(Step::Done) => queued.end(Ok(())),
            Err(error) => queued.end(Err(error)),
        }
    }

    fn sync(&mut self) {
        let group = std::mem::take(&mut self.waiting);
        match self.way.sync(self.bench.root.folder(), &mut self.bench.touched) {
            Ok(()) => group.into_iter().for_each(|queued| self.advance(queued)),
            Err(e) => self.fail(group, Error::at("the sync of the disk", e)),
        }
    }

    /// After a failed sync the system counts the pages as written, and the next sync would say that all is
    /// well. So nothing is taken any more until somebody has looked at the disk and started again. Only a full
    /// disk is no reason to stop: jobs then write again what they would have left as they found it.
    fn fail(&mut self, group: Vec<Queued>, error: Error) {
        self.bench.doubtful = true;
        for queued in group {
            queued.end(Err(error.again()));
        }
        if !matches!(error, Error::Full) {
            tracing::error!(%error, "the disk failed: nothing is stored any more until a restart");
            self.broken = Some(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::filesystem::files;

    fn work(folder: &std::path::Path) -> Work {
        let touched = Touched { wanted: true, ..Touched::default() };
        let bench = Bench { root: Arc::new(Root::open(folder, 0).unwrap()), touched, doubtful: false };
        Work { bench, way: Way::Each, broken: None, waiting: Vec::new() }
    }

    /// A job that makes a file, and is done when that is durable.
    fn queued(name: &'static str) -> (Queued, oneshot::Receiver<Result<()>>) {
        let (done, answer) = oneshot::channel();
        let mut begun = false;
        let job = move |bench: &mut Bench| {
            if begun {
                assert!(bench.touched.is_empty(), "called again before the sync");
                return Ok(Step::Done);
            }
            begun = true;
            let file = files::create(bench.root.folder(), name).map_err(|e| Error::at(name, e))?;
            bench.touched.file(file);
            bench.touched.entry(name);
            Ok(Step::Sync)
        };
        (Queued { job: Box::new(job), done }, answer)
    }

    #[test]
    fn nobody_goes_on_before_the_sync() {
        let folder = tempfile::tempdir().unwrap();
        let mut work = work(folder.path());
        let mut answers = Vec::new();
        for name in ["a", "b"] {
            let (queued, answer) = queued(name);
            work.advance(queued);
            answers.push(answer);
        }
        assert!(answers.iter_mut().all(|answer| answer.try_recv().is_err()));
        work.sync();
        assert!(answers.iter_mut().all(|answer| answer.try_recv().unwrap().is_ok()));
    }

    #[test]
    fn a_job_that_fails_fails_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut work = work(folder.path());
        let (good, mut good_answer) = queued("a");
        let (bad, mut bad_answer) = queued("a");
        work.advance(good);
        work.advance(bad);
        assert!(bad_answer.try_recv().unwrap().is_err());
        work.sync();
        assert!(good_answer.try_recv().unwrap().is_ok());
    }

    #[test]
    fn after_a_failed_sync_nothing_is_taken_unless_the_disk_was_only_full() {
        let folder = tempfile::tempdir().unwrap();
        let mut work = work(folder.path());
        for (nth, (error, goes_on)) in
            [(Error::Full, true), (Error::at("disk", io::ErrorKind::Other.into()), false)]
                .into_iter()
                .enumerate()
        {
            let (waiting, mut failed) = queued(["a", "b"][nth]);
            work.fail(vec![waiting], error);
            assert!(failed.try_recv().unwrap().is_err());
            assert!(work.bench.doubtful);
            let (next, mut answer) = queued(["c", "d"][nth]);
            work.advance(next);
            if goes_on {
                work.sync();
            }
            assert_eq!(answer.try_recv().unwrap().is_ok(), goes_on);
        }
    }
}
