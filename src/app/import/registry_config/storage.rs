//! Where the images are, and what is done to them: the folder or the bucket is the same, and so is its layout.

use crate::app::import::document::{Section, Value};
use crate::app::import::fields::Fields;
use crate::app::import::registry_config::bucket;
use crate::app::import::report::{Report, shown};

/// What keeps images; exactly one is given.
const DRIVERS: [&str; 8] = ["filesystem", "azure", "gcs", "s3", "s3aws", "oss", "swift", "inmemory"];
/// Where registry:2 keeps images unless it is told otherwise.
const FOLDER: &str = "/var/lib/registry";
/// The bounds of `registry.upload_idle_secs` and `registry.page_entries_max`.
const IDLE_LEAST: u64 = 60;
const PAGE_MOST: i64 = 100_000;

/// `[storage.filesystem]`, `[storage.s3]` or `[storage.gcs]`.
pub fn section(root: &Fields<'_>, report: &mut Report) -> Section {
    let mut section = Section::new("storage.filesystem");
    let storage = root.inner("storage");
    let given: Vec<&str> = DRIVERS.into_iter().filter(|driver| storage.has(driver)).collect();
    match given.as_slice() {
        [] => report.warn(
            "storage is not given; registry:2 does not start so. Holdfast keeps images in <data>/registry unless \
             storage.filesystem.root says otherwise",
        ),
        ["filesystem"] => {
            let filesystem = storage.inner("filesystem");
            let folder = filesystem.text("rootdirectory", report);
            section.set_because(
                "root",
                folder.unwrap_or(FOLDER).into(),
                "The folder of registry:2, in its own layout. Stop registry:2 before Holdfast starts on it.",
            );
            if folder.is_none() {
                report.note(format!("storage.filesystem.rootdirectory is not given: registry:2 takes {FOLDER}"));
            }
        }
        ["s3"] => return bucket::s3(root, report),
        ["gcs"] => return bucket::gcs(root, report),
        [_] => {}
        several => report.mistake(format!(
            "storage has several drivers, and registry:2 does not start with more than one: {}",
            several.join(", ")
        )),
    }
    if storage.has("redirect") {
        report
            .not_carried("storage.redirect: the images are in a folder, and Holdfast sends the bytes itself");
    }
    section
}

/// `[registry]`.
pub fn registry(root: &Fields<'_>, report: &mut Report) -> Section {
    let mut section = Section::new("registry");
    let storage = root.inner("storage");
    let maintenance = storage.inner("maintenance");
    let purging = maintenance.inner("uploadpurging");
    if purging.flag("enabled", report) == Some(false) || purging.flag("dryrun", report) == Some(true) {
        report.not_carried(
            "storage.maintenance.uploadpurging, which is off: Holdfast always drops uploads that nobody has written to \
             for registry.upload_idle_secs. Raise that if a day is too short",
        );
    } else if let Some(age) = purging.seconds("age", report) {
        if age < IDLE_LEAST {
            report.warn(format!(
                "storage.maintenance.uploadpurging.age is {age} seconds; the least is {IDLE_LEAST}"
            ));
        }
        section.set_because(
            "upload_idle_secs",
            Value::Number(age.max(IDLE_LEAST)),
            "uploadpurging.age. Here it counts from the last byte, not from the first.",
        );
    }
    let readonly = maintenance.inner("readonly");
    if readonly.flag("enabled", report) == Some(true) {
        section.set_because("read_only", Value::Flag(true), "maintenance.readonly");
    }
    deletion(root, report);
    let catalog = root.inner("catalog");
    if let Some(entries) = catalog.number("maxentries", report) {
        if (1..=PAGE_MOST).contains(&entries) {
            section.set_because(
                "page_entries_max",
                Value::Number(entries.unsigned_abs()),
                "catalog.maxentries. Here it bounds pages of tags and referrers too.",
            );
        } else {
            report.not_carried(format!(
                "catalog.maxentries {}: registry.page_entries_max is from 1 to {PAGE_MOST}",
                shown(&entries.to_string())
            ));
        }
    }
    section
}

/// Whether registry:2 deleted anything.
pub fn deletes(root: &Fields<'_>, report: &mut Report) -> bool {
    let storage = root.inner("storage");
    storage.inner("delete").flag("enabled", report) == Some(true)
}

fn deletion(root: &Fields<'_>, report: &mut Report) {
    if deletes(root, report) {
        report.note("storage.delete.enabled: Holdfast deletes for whoever has the right \"delete\", and for nobody else");
    } else {
        report.note(
            "storage.delete.enabled is not on, so nobody could delete. Holdfast has no such switch: give the right \
             \"delete\" to nobody but those who should have it; \"*\" includes it",
        );
    }
}
