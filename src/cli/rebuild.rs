//! `holdfast rebuild`.

use crate::app::{build, telemetry};
use crate::cli::flags::Common;
use crate::cli::prepare::{runtime, settings};
use crate::cli::terminal::{Complaint, say};
use crate::metadata;
use crate::registry::rebuild::{self, Report};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What others may be reading is not replaced under their hands.
const SHARED: &str = "the metadata is in PostgreSQL, where other replicas may be using it: stop them all, drop the schema \
    `holdfast` there, and start one again; it makes the metadata from storage before it serves";

/// Makes the metadata beside the old one, and puts it in its place when it is whole.
pub fn run(args: &Common) -> Result<(), Complaint> {
    let settings = settings(&args.flags())?;
    if settings.metadata.postgres.is_on() {
        return Err(SHARED.to_owned());
    }
    telemetry::start(&settings.log);
    let folder = metadata::open::folder(&settings.metadata, Path::new(&settings.data));
    let fresh = beside(&folder, "new");
    let runtime = runtime()?;
    let built = runtime.block_on(build::build(&settings, Some(&fresh))).map_err(|e| e.to_string())?;
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} repositories, {eta} left") {
        bar.set_style(style);
    }
    let progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let report = runtime
        .block_on(rebuild::rebuild(&built.registry, &progress))
        .map_err(|e| format!("the storage could not be read: {e}"))?;
    bar.finish_and_clear();
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    let lock = built.lock;
    drop(built.registry); // closes the new metadata
    swap(&folder, &fresh).map_err(|e| format!("the new metadata could not be put in place: {e}"))?;
    drop(lock);
    say(&told(&report));
    Ok(())
}

fn beside(folder: &Path, what: &str) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(format!(".{what}"));
    name.into()
}

/// A crash in the middle leaves no metadata, or a whole one: the next start makes what is not there.
fn swap(folder: &Path, fresh: &Path) -> std::io::Result<()> {
    let old = beside(folder, "old");
    remove(&old)?;
    if folder.exists() {
        fs::rename(folder, &old)?;
    }
    fs::rename(fresh, folder)?;
    if let Some(parent) = folder.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::File::open(parent)?.sync_all()?;
    }
    remove(&old)
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn told(report: &Report) -> String {
    let mut text = format!(
        "{} repositories, {} manifests, {} tags, {} blobs",
        report.repositories, report.manifests, report.tags, report.blobs
    );
    if report.records > 0 {
        let _ = write!(text, ", {} records of accounts", report.records);
    }
    if report.odd_total > 0 {
        let _ = write!(text, "\n{} odd things were skipped:", report.odd_total);
        for odd in &report.odd {
            let _ = write!(text, "\n  {}: {}", odd.at, odd.why);
        }
    }
    let untold = report.odd_total - report.odd.len() as u64;
    if untold > 0 {
        let _ = write!(text, "\n  and {untold} more");
    }
    text
}
