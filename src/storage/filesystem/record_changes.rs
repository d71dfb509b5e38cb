//! Changing a record: compared and set on the publisher's thread, where no other change comes between.
//!
//! The new file is written beside and renamed when its bytes are durable: a reader sees the old one or the new one,
//! whole, and so does the next start after a power cut. What stands there is compared when a change begins, not to
//! write for nothing, and again in the step that renames or removes: that one decides.

use crate::record::Shelf;
use crate::storage::error::Error;
use crate::storage::filesystem::files;
use crate::storage::filesystem::publisher::{Bench, Job, Step};
use crate::storage::filesystem::record_files::{self, Aside};
use crate::storage::layout;
use crate::storage::record_text::{self, VERSION_MAX};
use crate::storage::records::Written;
use bytes::Bytes;
use std::io;
use std::sync::{Arc, OnceLock};

/// Where a job says what became of it, before it is done.
pub type Outcome = Arc<OnceLock<Written>>;

/// A record that is about to change.
pub struct Change {
    /// Its shelf.
    pub shelf: Shelf,
    /// Its file.
    pub path: String,
    /// The version that the writer has seen.
    pub seen: u64,
}

impl Change {
    /// Whether the record is of the version that the writer has seen.
    fn holds(&self, bench: &Bench) -> io::Result<bool> {
        let there = record_files::read(bench.root.folder(), &self.path)?;
        Ok(there.map_or(0, |record| record.version) == self.seen)
    }

    /// The version that comes next; `None` if the writer has seen another one than stands there.
    fn next(&self, bench: &Bench) -> io::Result<Option<u64>> {
        if !self.holds(bench)? {
            return Ok(None);
        }
        let before = match self.seen {
            0 => record_files::removed(bench.root.folder(), self.shelf).map_err(|e| self.of_the_mark(&e))?,
            seen => seen,
        };
        if before >= VERSION_MAX {
            Err(io::Error::other("it has no version left"))
        } else {
            Ok(Some(before + 1))
        }
    }

    fn of_the_mark(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", layout::removed(self.shelf)))
    }
}

/// A job that writes a record, which must be JSON.
pub fn put(change: Change, json: Bytes, outcome: &Outcome) -> Job {
    let outcome = Arc::clone(outcome);
    let mut aside: Option<(u64, Aside)> = None;
    let mut moved = None;
    Box::new(move |bench| {
        if let Some(version) = moved {
            return Ok(done(&outcome, Written::Done(version)));
        }
        let mut step = || -> io::Result<Step> {
            let Some(version) = change.next(bench)? else {
                aside = None;
                return Ok(done(&outcome, Written::Stale));
            };
            match aside.take() {
                Some((written, aside)) if written == version => {
                    aside.move_to(bench, &layout::shelf(change.shelf), &change.path)?;
                    moved = Some(version);
                }
                // The first time; or another removal has raised the version that a new record gets.
                _ => {
                    let no_json = || io::Error::new(io::ErrorKind::InvalidInput, "it is no JSON");
                    let text = record_text::text(version, &json).ok_or_else(no_json)?;
                    aside = Some((version, Aside::write(bench, &text)?));
                }
            }
            Ok(Step::Sync)
        };
        step().map_err(|e| Error::at(&change.path, e))
    })
}

/// A job that removes a record.
///
/// Versions of a name that was removed go on from above. One number for each shelf is enough for that: the highest
/// version of all that was removed from it, durable before the record goes. Tombstones would grow with every token
/// that ever ended, and a clock may be set back.
pub fn remove(change: Change, outcome: &Outcome) -> Job {
    let outcome = Arc::clone(outcome);
    let mut at = Removal::Begins;
    Box::new(move |bench| {
        let next = advance(&change, std::mem::replace(&mut at, Removal::Begins), bench);
        match next.map_err(|e| Error::at(&change.path, e))? {
            Removal::Over(written) => Ok(done(&outcome, written)),
            next => {
                at = next;
                Ok(Step::Sync)
            }
        }
    })
}

/// How far a removal is, at the beginning of a step.
enum Removal {
    Begins,
    /// The version that the shelf has to remember is durable, but not in its place yet.
    Raising(Aside),
    /// The shelf remembers the version, durably.
    Remembered,
    Gone,
    Over(Written),
}

fn advance(change: &Change, at: Removal, bench: &mut Bench) -> io::Result<Removal> {
    if matches!(at, Removal::Gone) {
        return Ok(Removal::Over(Written::Done(change.seen)));
    }
    if change.seen == 0 || !change.holds(bench)? {
        return Ok(Removal::Over(Written::Stale));
    }
    let is_low = record_files::removed(bench.root.folder(), change.shelf)
        .map_err(|e| change.of_the_mark(&e))?
        < change.seen;
    match at {
        Removal::Begins if is_low => {
            Ok(Removal::Raising(Aside::write(bench, change.seen.to_string().as_bytes())?))
        }
        // What is read here may have been renamed a moment ago: the sync that follows makes it durable.
        Removal::Begins => Ok(Removal::Remembered),
        Removal::Raising(aside) => {
            if is_low {
                aside.move_to(bench, layout::RECORDS, &layout::removed(change.shelf))?;
            }
            Ok(Removal::Remembered)
        }
        Removal::Remembered => {
            files::remove(bench.root.folder(), &change.path)?;
            bench.touched.entry(&change.path);
            Ok(Removal::Gone)
        }
        Removal::Gone | Removal::Over(_) => Ok(at),
    }
}

/// Says what became of a change. Whoever asked for it is told when the job is over.
fn done(outcome: &Outcome, written: Written) -> Step {
    drop(outcome.set(written));
    Step::Done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::filesystem::files::Touched;
    use crate::storage::filesystem::root::Root;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    const USERS: &str = "holdfast/records/users";

    fn bench(folder: &Path) -> Bench {
        let touched = Touched { wanted: true, ..Touched::default() };
        Bench { root: Arc::new(Root::open(folder, 0).unwrap()), touched, doubtful: false }
    }

    fn change(name: &str, seen: u64) -> Change {
        Change { shelf: Shelf::Users, path: layout::record(Shelf::Users, name).unwrap(), seen }
    }

    /// Runs one step; how many files and which folders it wants synced, all of which is then durable.
    fn step(job: &mut Job, bench: &mut Bench, expected: Step) -> (usize, Vec<String>) {
        assert_eq!(job(bench).unwrap(), expected);
        let touched = std::mem::replace(&mut bench.touched, Touched { wanted: true, ..Touched::default() });
        (touched.files.len(), touched.folders.into_iter().collect())
    }

    fn folders(folders: &[&str]) -> Vec<String> {
        folders.iter().map(|&folder| folder.to_owned()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn text(folder: &Path, path: &str) -> String {
        fs::read_to_string(folder.join(path)).unwrap_or_default()
    }

    /// Runs a change to its end.
    fn run(bench: &mut Bench, mut job: Job) {
        while job(bench).unwrap() == Step::Sync {
            bench.touched = Touched { wanted: true, ..Touched::default() };
        }
    }

    #[test]
    fn nothing_shows_before_its_bytes_are_durable() {
        let folder = tempfile::tempdir().unwrap();
        let (mut bench, outcome) = (bench(folder.path()), Outcome::default());
        let file = format!("{USERS}/a.json");
        for (seen, json) in [(0, "{\"n\":1}"), (1, "{\"n\":2}")] {
            let before = text(folder.path(), &file);
            let outcome = Outcome::default();
            let mut job = put(change("a", seen), Bytes::from(json), &outcome);
            assert_eq!(step(&mut job, &mut bench, Step::Sync), (1, vec![]), "new bytes, and no name");
            assert_eq!(text(folder.path(), &file), before);
            let (files, noted) = step(&mut job, &mut bench, Step::Sync);
            let new = if seen == 0 { layout::RECORDS } else { USERS };
            assert_eq!((files, noted), (0, folders(&[USERS, layout::STAGING, new])));
            assert_eq!(text(folder.path(), &file), format!("{{\"version\":{},\"record\":{json}}}", seen + 1));
            assert_eq!(outcome.get(), None, "nobody is told before the name is durable");
            assert_eq!(step(&mut job, &mut bench, Step::Done), (0, vec![]));
            assert_eq!(outcome.get(), Some(&Written::Done(seen + 1)));
        }
        // A removal: first the bytes of what is remembered, then its name, then the record goes.
        let mut job = remove(change("a", 2), &outcome);
        let mark = layout::removed(Shelf::Users);
        assert_eq!(step(&mut job, &mut bench, Step::Sync), (1, vec![]));
        assert_eq!(text(folder.path(), &mark), "");
        assert_eq!(step(&mut job, &mut bench, Step::Sync), (0, folders(&[layout::RECORDS, layout::STAGING])));
        assert_eq!((text(folder.path(), &mark).as_str(), folder.path().join(&file).exists()), ("2", true));
        assert_eq!(step(&mut job, &mut bench, Step::Sync), (0, folders(&[USERS])));
        assert!(!folder.path().join(&file).exists() && outcome.get().is_none());
        assert_eq!(step(&mut job, &mut bench, Step::Done), (0, vec![]));
        assert_eq!(outcome.get(), Some(&Written::Done(2)));
    }

    #[test]
    fn a_version_is_remembered_durably_also_when_another_removal_has_just_written_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut bench, outcome) = (bench(folder.path()), Outcome::default());
        for name in ["a", "b", "c"] {
            run(&mut bench, put(change(name, 0), Bytes::from("{}"), &Outcome::default()));
        }
        let mut first = remove(change("a", 1), &Outcome::default());
        let mut second = remove(change("b", 1), &Outcome::default());
        step(&mut first, &mut bench, Step::Sync);
        step(&mut second, &mut bench, Step::Sync);
        assert_eq!(first(&mut bench).unwrap(), Step::Sync);
        // The number stands there now, but its name is not durable: none of these may take its record away yet.
        let mut third = remove(change("c", 1), &outcome);
        assert_eq!(second(&mut bench).unwrap(), Step::Sync);
        assert_eq!(third(&mut bench).unwrap(), Step::Sync);
        for name in ["a", "b", "c"] {
            assert!(folder.path().join(format!("{USERS}/{name}.json")).exists(), "{name}");
        }
        assert!(bench.touched.folders.contains(layout::RECORDS));
        step(&mut third, &mut bench, Step::Sync);
        assert!(!folder.path().join(format!("{USERS}/c.json")).exists());
        for job in [&mut first, &mut second] {
            step(job, &mut bench, Step::Sync);
        }
        assert_eq!(fs::read_dir(folder.path().join(layout::STAGING)).unwrap().count(), 0);
    }

    #[test]
    fn what_stands_there_is_compared_in_the_step_that_changes_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = bench(folder.path());
        run(&mut bench, put(change("a", 0), Bytes::from("{}"), &Outcome::default()));
        let outcomes: Vec<Outcome> = (0..4).map(|_| Outcome::default()).collect();
        let mut jobs = [
            put(change("a", 1), Bytes::from("1"), &outcomes[0]),
            put(change("a", 1), Bytes::from("2"), &outcomes[1]),
            remove(change("a", 1), &outcomes[2]),
            put(change("b", 0), Bytes::from("3"), &outcomes[3]),
        ];
        // All have seen the same in the first step.
        for job in &mut jobs {
            step(job, &mut bench, Step::Sync);
        }
        for job in &mut jobs {
            while job(&mut bench).unwrap() == Step::Sync {}
        }
        let told: Vec<_> = outcomes.iter().map(|outcome| outcome.get().unwrap()).collect();
        assert_eq!(told[..3], [&Written::Done(2), &Written::Stale, &Written::Stale]);
        assert_eq!(text(folder.path(), &format!("{USERS}/a.json")), r#"{"version":2,"record":1}"#);
        assert_eq!(
            fs::read_dir(folder.path().join(layout::STAGING)).unwrap().count(),
            0,
            "nothing is left beside"
        );
    }

    #[test]
    fn a_new_record_begins_above_what_was_removed_while_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let (mut bench, outcome) = (bench(folder.path()), Outcome::default());
        run(&mut bench, put(change("a", 0), Bytes::from("{}"), &Outcome::default()));
        run(&mut bench, put(change("a", 1), Bytes::from("{}"), &Outcome::default()));
        let mut new = put(change("b", 0), Bytes::from("{}"), &outcome);
        step(&mut new, &mut bench, Step::Sync);
        run(&mut bench, remove(change("a", 2), &Outcome::default()));
        run(&mut bench, new);
        assert_eq!(outcome.get(), Some(&Written::Done(3)));
        assert_eq!(text(folder.path(), &format!("{USERS}/b.json")), r#"{"version":3,"record":{}}"#);
        assert_eq!(fs::read_dir(folder.path().join(layout::STAGING)).unwrap().count(), 0);
    }
}
