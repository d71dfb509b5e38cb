//! `holdfast inspect`: what an image is made of.

use crate::cli::inspect_text;
use crate::cli::inspected::{Inspected, Listed, ManifestView};
use crate::cli::prepare::runtime;
use crate::cli::remote::Remote;
use crate::cli::terminal::{Ending, say, say_bytes, say_json};
use crate::cli::traffic::Progress;
use crate::oci::reference::Reference;
use crate::upstream::client::Client;
use crate::upstream::document::{Descriptor, Document};
use crate::upstream::image_name::ImageName;
use crate::upstream::look::{self, Depth, Look};
use crate::upstream::manifests::{self, Fetched};
use crate::upstream::{blobs, referrers};
use clap::Args;

/// Flags of `inspect`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // flags
pub struct Inspect {
    /// The image: NAME, NAME:TAG or NAME@DIGEST, with HOST:PORT/ before it if it is elsewhere
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// Of an index, the image for this platform, OS[/ARCHITECTURE[/VARIANT]]
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    /// Show how the image came to be
    #[arg(long)]
    pub history: bool,
    /// Show what refers to it: signatures, lists of its content
    #[arg(long)]
    pub referrers: bool,
    /// Print the manifest's bytes exactly
    #[arg(long, conflicts_with_all = ["raw_config", "json", "history", "referrers"])]
    pub raw: bool,
    /// Print the bytes of the image's configuration exactly
    #[arg(long, conflicts_with_all = ["json", "history", "referrers"])]
    pub raw_config: bool,
    /// Print JSON, with all that there is
    #[arg(long, short)]
    pub json: bool,
    /// Tell at the end how many requests it took
    #[arg(long)]
    pub statistics: bool,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// Inspects.
pub fn run(args: &Inspect) -> Result<(), Ending> {
    let (address, name) = args.remote.image(&args.image)?;
    runtime()?.block_on(async {
        let progress = Progress::new(args.remote.verbose);
        let client = args.remote.client(&address, Some(progress.watch())).await?;
        let done = inspect(args, &client, &name, &progress).await;
        progress.end();
        if args.statistics {
            progress.statistics(&[&client]);
        }
        done
    })
}

async fn inspect(
    args: &Inspect,
    client: &Client,
    name: &ImageName,
    progress: &Progress,
) -> Result<(), Ending> {
    let fetched = manifests::fetch(client, &name.repository, &name.reference()?).await?;
    let mut fetched =
        fetched.ok_or_else(|| format!("there is no {} at {}", name.without_host(), client.address()))?;
    let whole = fetched.digest;
    if let Some(platform) = &args.platform {
        fetched = of_platform(client, name, fetched, platform).await?;
    }
    if args.raw {
        progress.end();
        say_bytes(&fetched.bytes);
        return Ok(());
    }
    if args.raw_config {
        return raw_config(client, name, &fetched, progress).await;
    }
    let look = look::into(client, &name.repository, fetched, Depth::Full).await?;
    if let Some(platform) = args.platform.as_deref().filter(|_| look.fetched.digest == whole) {
        demand(&look, platform)?;
    }
    let referrers = if args.referrers {
        Some(referrers::list(client, &name.repository, &look.fetched.digest).await?)
    } else {
        None
    };
    let inspected = Inspected {
        reference: args.image.clone(),
        repository: name.repository.clone(),
        tag: name.tag.clone(),
        manifest: ManifestView::of(&look),
        referrers: referrers.map(|list| list.iter().map(Listed::of).collect()),
    };
    progress.end();
    if args.json {
        say_json(&inspected)?;
    } else {
        say(&inspect_text::text(&inspected, args.history));
    }
    Ok(())
}

/// The one manifest of an index that is for a platform; what is no index stays what it is.
async fn of_platform(
    client: &Client,
    name: &ImageName,
    fetched: Fetched,
    wanted: &str,
) -> Result<Fetched, Ending> {
    let Ok(document) = Document::read(&fetched.bytes, &fetched.media_type) else { return Ok(fetched) };
    if !document.manifest.kind.is_index() {
        return Ok(fetched);
    }
    let child = one_of(&document, wanted)?;
    let reference = Reference::Digest(child.digest);
    let child = manifests::fetch(client, &name.repository, &reference).await?;
    Ok(child.ok_or_else(|| {
        format!("{} does not have the manifest that {name} lists for {wanted}", client.address())
    })?)
}

fn one_of<'a>(document: &'a Document, wanted: &str) -> Result<&'a Descriptor, Ending> {
    let platform = |child: &'a Descriptor| child.platform.as_ref().filter(|platform| platform.is_real());
    let is_meant =
        |child: &&Descriptor| child.platform.as_ref().is_some_and(|platform| platform.is_meant_by(wanted));
    let meant: Vec<&Descriptor> = document.manifests.iter().filter(is_meant).collect();
    if let [one] = meant[..] {
        return Ok(one);
    }
    let among: Vec<&Descriptor> =
        if meant.is_empty() { document.manifests.iter().collect() } else { meant.clone() };
    let names: Vec<String> = among.into_iter().filter_map(platform).map(ToString::to_string).collect();
    let told = if meant.is_empty() { "it is for none of" } else { "it is for several of" };
    Err(format!("{wanted:?} names not one platform: {told} {}", names.join(", ")).into())
}

/// An image that no index lists tells its platform itself.
fn demand(look: &Look, wanted: &str) -> Result<(), Ending> {
    match look.config.as_ref().map(|config| &config.platform) {
        Some(platform) if platform.is_real() && !platform.is_meant_by(wanted) => {
            Err(format!("it is for {platform} alone, not for {wanted}").into())
        }
        _ => Ok(()),
    }
}

async fn raw_config(
    client: &Client,
    name: &ImageName,
    fetched: &Fetched,
    progress: &Progress,
) -> Result<(), Ending> {
    let document = Document::read(&fetched.bytes, &fetched.media_type).map_err(Ending::Failed)?;
    let Some(config) = &document.config else {
        return Err(format!(
            "{name} is an index, which has no configuration: choose an image with --platform"
        )
        .into());
    };
    let bytes = blobs::whole(client, &name.repository, &config.digest, config.size).await?;
    let bytes =
        bytes.ok_or_else(|| format!("{} does not have the configuration of {name}", client.address()))?;
    progress.end();
    say_bytes(&bytes);
    Ok(())
}
