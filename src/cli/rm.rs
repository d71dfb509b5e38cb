//! `holdfast rm`: removes a tag alone, or a manifest with all tags that mean it. It never does more than its arguments
//! say: a registry that cannot remove one tag alone is told of, not worked round.

use crate::cli::flags::Lists;
use crate::cli::prepare::runtime;
use crate::cli::remote::Remote;
use crate::cli::terminal::{Ending, complain, confirmed, is_attended, say, say_json};
use crate::cli::traffic::Progress;
use crate::oci::digest::Digest;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::upstream::address::Address;
use crate::upstream::client::Client;
use crate::upstream::error::Error;
use crate::upstream::image_name::ImageName;
use crate::upstream::manifests;
use crate::upstream::tags::{self, Removed};
use clap::Args;
use serde::Serialize;

/// Flags of `rm`.
#[derive(Debug, Args)]
pub struct Rm {
    /// NAME:TAG for one tag alone, NAME@DIGEST for a manifest with all its tags; HOST:PORT/ before it if it is elsewhere
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
    /// Only tell what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask before a manifest is removed with its tags
    #[arg(long, short)]
    pub yes: bool,
    /// How.
    #[command(flatten)]
    pub lists: Lists,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// What is removed.
#[derive(Debug, Clone)]
enum What {
    Tag(Tag),
    Manifest(Digest),
}

/// One thing to remove, and where.
#[derive(Debug, Clone)]
struct Target {
    reference: String,
    address: Address,
    repository: Repository,
    what: What,
}

/// What came of all of it.
#[derive(Debug, Serialize)]
struct Outcomes<'a> {
    images: &'a [Outcome],
}

/// What came of one.
#[derive(Debug, Serialize)]
struct Outcome {
    reference: String,
    repository: Repository,
    /// `removed`, `would_remove`, `kept` (the answer was no) or `failed`.
    #[serde(rename = "outcome")]
    end: &'static str,
    /// The manifest that is meant; `null` if there is none.
    digest: Option<Digest>,
    /// The tags that go, or that would.
    tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Whether it is a tag without its manifest.
    #[serde(skip)]
    alone: bool,
}

/// Removes.
pub fn run(args: &Rm) -> Result<(), Ending> {
    // All of them are understood before the first is touched.
    let targets = args.images.iter().map(|image| target(args, image)).collect::<Result<Vec<_>, _>>()?;
    let mut addresses: Vec<&Address> = Vec::new();
    for target in &targets {
        if !addresses.contains(&&target.address) {
            addresses.push(&target.address);
        }
    }
    if args.remote.user.is_some() && addresses.len() > 1 {
        let why = "--user is for one registry, and these images are in several: name them one by one";
        return Err(Ending::Usage(why.into()));
    }
    let by_digest = targets.iter().any(|target| matches!(target.what, What::Manifest(_)));
    if by_digest && !args.yes && !args.dry_run && !is_attended() {
        let why = "a digest takes all its tags with it, and there is nobody to ask: say --yes, or see it with --dry-run";
        return Err(Ending::Usage(why.into()));
    }
    runtime()?.block_on(async {
        let progress = Progress::new(args.remote.verbose);
        let mut clients = Vec::new();
        for address in addresses {
            clients.push((address, args.remote.client(address, Some(progress.watch())).await?));
        }
        let done = all(args, &targets, &clients, &progress).await;
        progress.end();
        if args.lists.statistics {
            progress.statistics(&clients.iter().map(|(_, client)| client).collect::<Vec<_>>());
        }
        done
    })
}

fn target(args: &Rm, image: &str) -> Result<Target, Ending> {
    let (address, name) = args.remote.image(image)?;
    let refused = |why: &str| Err(Ending::Usage(format!("{image:?} {why}")));
    let ImageName { repository, tag, digest, .. } = name;
    let what = match (tag, digest) {
        (Some(tag), None) => What::Tag(tag),
        (None, Some(digest)) => What::Manifest(digest),
        (Some(_), Some(_)) => {
            return refused("names a tag and a digest: write the one that is to be removed");
        }
        (None, None) => return refused("names a whole repository: write NAME:TAG or NAME@DIGEST"),
    };
    Ok(Target { reference: image.to_owned(), address, repository, what })
}

async fn all(
    args: &Rm,
    targets: &[Target],
    clients: &[(&Address, Client)],
    progress: &Progress,
) -> Result<(), Ending> {
    let mut outcomes = Vec::new();
    for target in targets {
        let Some((_, client)) = clients.iter().find(|(address, _)| **address == target.address) else {
            continue;
        };
        let mut outcome = Outcome {
            reference: target.reference.clone(),
            repository: target.repository.clone(),
            end: "failed",
            digest: None,
            tags: Vec::new(),
            error: None,
            alone: matches!(target.what, What::Tag(_)),
        };
        let done = match &target.what {
            What::Tag(tag) => remove_tag(args, client, &target.repository, tag, &mut outcome).await,
            What::Manifest(digest) => remove_manifest(args, client, *digest, &mut outcome, progress).await,
        };
        match done {
            Ok(done) => outcome.end = done,
            Err(error) => outcome.error = Some(error),
        }
        progress.suspended(|| tell(args, &outcome));
        outcomes.push(outcome);
    }
    progress.end();
    let failed = outcomes.iter().any(|outcome| matches!(outcome.end, "failed" | "kept"));
    if args.lists.json {
        say_json(&Outcomes { images: &outcomes })?;
    }
    if failed { Err(Ending::Told) } else { Ok(()) }
}

async fn remove_tag(
    args: &Rm,
    client: &Client,
    repository: &Repository,
    tag: &Tag,
    outcome: &mut Outcome,
) -> Result<&'static str, String> {
    let digest = manifests::resolve(client, repository, &Reference::Tag(tag.clone()))
        .await
        .map_err(|e| e.to_string())?;
    let Some(digest) = digest else { return Err(format!("there is no such tag at {}", client.address())) };
    outcome.digest = Some(digest);
    outcome.tags = vec![tag.clone()];
    if args.dry_run {
        return Ok("would_remove");
    }
    match tags::remove(client, repository, tag).await.map_err(|e| e.to_string())? {
        Removed::Gone => Ok("removed"),
        Removed::Absent => Err(format!("{} found it and did not find it to remove", client.address())),
        Removed::Unsupported(why) => {
            outcome.tags.clear();
            let all = tags::of(client, repository, &digest, args.lists.page_size as usize).await;
            Err(not_alone(outcome, tag, &digest, &why, all.ok()))
        }
    }
}

/// Why a tag was not removed, and what else could be, which its owner has to want.
fn not_alone(outcome: &Outcome, tag: &Tag, digest: &Digest, why: &Error, all: Option<Vec<Tag>>) -> String {
    let takes = match all.map(|tags| tags.iter().map(ToString::to_string).collect::<Vec<_>>()) {
        None => "all of its tags".to_owned(),
        Some(names) if names.len() < 2 => "this tag, which is its only one,".to_owned(),
        Some(names) => format!("{} tags ({})", names.len(), names.join(", ")),
    };
    let name = outcome.reference.strip_suffix(&format!(":{tag}")).unwrap_or(&outcome.reference);
    format!(
        "this registry cannot remove one tag alone ({why}). Removing the manifest would take {takes} with it: \
         holdfast rm {name}@{digest}"
    )
}

async fn remove_manifest(
    args: &Rm,
    client: &Client,
    digest: Digest,
    outcome: &mut Outcome,
    progress: &Progress,
) -> Result<&'static str, String> {
    let repository = outcome.repository.clone();
    if manifests::resolve(client, &repository, &Reference::Digest(digest))
        .await
        .map_err(|e| e.to_string())?
        .is_none()
    {
        return Err(format!("there is no such manifest at {}", client.address()));
    }
    outcome.digest = Some(digest);
    outcome.tags = tags::of(client, &repository, &digest, args.lists.page_size as usize)
        .await
        .map_err(|e| e.to_string())?;
    if args.dry_run {
        return Ok("would_remove");
    }
    let question = format!("Remove {}{}?", outcome.reference, with(&outcome.tags));
    if !args.yes && !progress.suspended(|| confirmed(&question)) {
        return Ok("kept");
    }
    match tags::remove_all_of(client, &repository, &digest).await.map_err(|e| e.to_string())? {
        Removed::Gone => Ok("removed"),
        Removed::Absent => Err(format!("{} found it and did not find it to remove", client.address())),
        Removed::Unsupported(why) => Err(format!("this registry removes nothing ({why})")),
    }
}

/// The tags that go with a manifest.
fn with(tags: &[Tag]) -> String {
    let names: Vec<String> = tags.iter().map(ToString::to_string).collect();
    match names.len() {
        0 => ", which no tag means".to_owned(),
        1 => format!(" with its tag {}", names.join(", ")),
        count => format!(" with its {count} tags {}", names.join(", ")),
    }
}

fn tell(args: &Rm, outcome: &Outcome) {
    let with = if outcome.alone { ", this tag alone".to_owned() } else { with(&outcome.tags) };
    let said = |text: String| if args.lists.json { complain(&text) } else { say(&text) };
    match (outcome.end, &outcome.error) {
        ("removed", _) => said(format!("removed {}{with}", outcome.reference)),
        ("would_remove", _) => said(format!("would remove {}{with}", outcome.reference)),
        ("kept", _) => complain(&format!("{}: kept", outcome.reference)),
        (_, error) => {
            complain(&format!("{}: {}", outcome.reference, error.as_deref().unwrap_or("it failed")));
        }
    }
}
