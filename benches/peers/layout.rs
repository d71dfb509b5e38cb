//! Writes a store in registry:2's layout straight to the disk: many repositories of one tag, and one repository of
//! many tags, all of one tiny image. Pushing as much would take longer than all rows together.

use std::fs;
use std::path::Path;
use std::thread;

use crate::client::Res;
use crate::payload::{self, Blob};

/// The repository that has many tags.
pub const TAGGED: &str = "many/tags";

/// The name of a repository; in the order of their numbers.
pub fn repository(number: usize) -> String {
    format!("team-{:03}/app-{:03}", number / 100, number % 100)
}

/// The name of a tag; in the order of their numbers.
pub fn tag(number: usize) -> String {
    format!("v{number:06}")
}

/// Writes the store below `root`.
pub fn write(root: &Path, repositories: usize, tags: usize) -> Res<()> {
    let base = root.join("docker/registry/v2");
    let config = Blob { digest: payload::digest(b"{}"), bytes: b"{}".to_vec() };
    let text = payload::manifest(&config, &[]).into_bytes();
    let manifest = Blob { digest: payload::digest(&text), bytes: text };
    for blob in [&config, &manifest] {
        let hex = hex(&blob.digest);
        let folder = base.join("blobs/sha256").join(&hex[..2]).join(hex);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("data"), &blob.bytes)?;
    }
    let (config, manifest) = (config.digest.as_str(), manifest.digest.as_str());
    let base = &base.join("repositories");
    let many = base.join(TAGGED);
    write_repository(&many, config, manifest)?;
    let many = many.join("_manifests/tags");
    let many = &many;
    let half = |part: usize| -> Res<()> {
        for number in (part..repositories).step_by(2) {
            let folder = base.join(repository(number));
            write_repository(&folder, config, manifest)?;
            let tags = folder.join("_manifests/tags");
            fs::create_dir(&tags)?;
            write_tag(&tags.join("latest"), manifest)?;
        }
        (part..tags).step_by(2).try_for_each(|number| write_tag(&many.join(tag(number)), manifest))
    };
    fs::create_dir(many)?;
    thread::scope(|scope| {
        let other = scope.spawn(move || half(1));
        half(0)?;
        other.join().map_err(|_| "the writer panicked")?
    })
}

fn write_repository(folder: &Path, config: &str, manifest: &str) -> Res<()> {
    fs::create_dir_all(folder)?;
    let layers = folder.join("_layers");
    fs::create_dir(&layers)?;
    link(&layers, config)?;
    let manifests = folder.join("_manifests");
    fs::create_dir(&manifests)?;
    let revisions = manifests.join("revisions");
    fs::create_dir(&revisions)?;
    link(&revisions, manifest)
}

fn write_tag(folder: &Path, manifest: &str) -> Res<()> {
    fs::create_dir(folder)?;
    let (current, index) = (folder.join("current"), folder.join("index"));
    fs::create_dir(&current)?;
    fs::write(current.join("link"), manifest)?;
    fs::create_dir(&index)?;
    link(&index, manifest)
}

/// `sha256/<hex>/link` below the folder.
fn link(folder: &Path, digest: &str) -> Res<()> {
    let mut folder = folder.join("sha256");
    fs::create_dir(&folder)?;
    folder.push(hex(digest));
    fs::create_dir(&folder)?;
    Ok(fs::write(folder.join("link"), digest)?)
}

fn hex(digest: &str) -> &str {
    digest.trim_start_matches("sha256:")
}
