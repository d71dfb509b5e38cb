//! `holdfast ls`: the repositories of a registry, or the tags of a repository.

use crate::cli::filter::Filter;
use crate::cli::flags::Lists;
use crate::cli::listed::{self, Repositories, RepositoryRow, Sort, Summary, TagRow, Tags};
use crate::cli::prepare::runtime;
use crate::cli::remote::Remote;
use crate::cli::terminal::{Ending, complain, say, say_json};
use crate::cli::traffic::Progress;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::upstream::address::Address;
use crate::upstream::client::Client;
use crate::upstream::error::{Error, printable};
use crate::upstream::image_name::ImageName;
use crate::upstream::look::{self, Depth};
use crate::upstream::{manifests, repositories, tags};
use clap::Args;
use futures_util::StreamExt;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Flags of `ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// List the tags of this repository, NAME or HOST:PORT/NAME; HOST/ alone lists the repositories there
    #[arg(value_name = "REPOSITORY")]
    pub repository: Option<String>,
    /// 0: names alone; 1: with what they hold
    #[arg(long, short, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=1))]
    pub level: u8,
    /// Sort by name, by age (newest first) or by size (largest first), rather than as the registry does
    #[arg(long, value_enum)]
    pub sort: Option<Sort>,
    /// Turn the order round
    #[arg(long)]
    pub reverse: bool,
    /// Only names that hold this text, or that match it as a whole if it has `*`, `**` or `?` in it
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// How.
    #[command(flatten)]
    pub lists: Lists,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// What is listed.
enum Listed {
    Repositories,
    Tags(Repository),
}

/// Lists.
pub fn run(args: &Ls) -> Result<(), Ending> {
    let (address, what) = target(args)?;
    runtime()?.block_on(async {
        let progress = Progress::new(args.remote.verbose);
        let client = args.remote.client(&address, Some(progress.watch())).await?;
        let done = match &what {
            Listed::Repositories => list_repositories(args, &client, &progress).await,
            Listed::Tags(repository) => list_tags(args, &client, repository, &progress).await,
        };
        progress.end();
        if args.lists.statistics {
            progress.statistics(&[&client]);
        }
        done
    })
}

fn target(args: &Ls) -> Result<(Address, Listed), Ending> {
    let Some(text) = &args.repository else { return repositories_at(args, args.remote.address()?) };
    if let Some(host) = text.strip_suffix('/') {
        return repositories_at(args, args.remote.address_of_host(host)?);
    }
    let (address, name) = args.remote.image(text)?;
    let ImageName { repository, tag: None, digest: None, .. } = name else {
        return Err(Ending::Usage(format!(
            "{text:?} is one image: see it with `holdfast inspect {text}`. (A registry has a slash behind its name: \
             `holdfast ls {text}/`)"
        )));
    };
    Ok((address, Listed::Tags(repository)))
}

fn repositories_at(args: &Ls, address: Address) -> Result<(Address, Listed), Ending> {
    match args.sort {
        None | Some(Sort::Name) => Ok((address, Listed::Repositories)),
        Some(_) => Err(Ending::Usage(
            "repositories have no age or size to be sorted by: sort the tags of one".into(),
        )),
    }
}

async fn list_repositories(args: &Ls, client: &Client, progress: &Progress) -> Result<(), Ending> {
    let page_size = args.lists.page_size as usize;
    let mut names = repositories::list(client, page_size).await.map_err(|error| hinted(args, error))?;
    if names.is_empty() && client.is_nobody().await {
        // Not an empty list: scripts would take it for an empty registry.
        return Err(Ending::Failed(format!(
            "there are no repositories that one may see without a login, and none is known for {at}: \
             `docker login {at}`, or say --user",
            at = client.address()
        )));
    }
    keep(args, &mut names);
    if args.sort == Some(Sort::Name) {
        names.sort_unstable();
    }
    if args.reverse {
        names.reverse();
    }
    if args.level == 0 {
        progress.end();
        return print_names(args, "repositories", &names, &Repositories { repositories: &names });
    }
    let asked = names.into_iter().map(|name| async move {
        let listed = match name.parse::<Repository>() {
            // A repository that has no tags any more is still in the catalog of registry:2, and not found in it.
            Ok(repository) => tags::list(client, &repository, page_size).await.map(Option::unwrap_or_default),
            Err(error) => Err(Error::Given(error.to_string())),
        };
        let error = listed.as_ref().err().map(ToString::to_string);
        RepositoryRow { repository: name, tags: listed.unwrap_or_default(), error }
    });
    let rows: Vec<RepositoryRow> =
        futures_util::stream::iter(asked).buffered(args.remote.max_requests.into()).collect().await;
    progress.end();
    if args.lists.json {
        say_json(&Repositories { repositories: &rows })?;
    } else {
        say(&listed::repositories_table(&rows));
    }
    told(rows.iter().filter_map(|row| Some((row.repository.as_str(), row.error.as_deref()?))))
}

async fn list_tags(
    args: &Ls,
    client: &Client,
    repository: &Repository,
    progress: &Progress,
) -> Result<(), Ending> {
    let names = tags::list(client, repository, args.lists.page_size as usize)
        .await
        .map_err(|error| hinted(args, error))?;
    let mut names =
        names.ok_or_else(|| format!("there is no repository {repository} at {}", client.address()))?;
    keep(args, &mut names);
    let detailed = args.level == 1 || matches!(args.sort, Some(Sort::Created | Sort::Size));
    let mut rows = if detailed {
        rows(args, client, repository, names).await
    } else {
        names.into_iter().map(|tag| TagRow { tag, image: None, error: None }).collect()
    };
    if let Some(by) = args.sort {
        listed::sort(&mut rows, by);
    }
    if args.reverse {
        rows.reverse();
    }
    progress.end();
    if args.level == 0 {
        let names: Vec<String> = rows.iter().map(|row| row.tag.clone()).collect();
        print_names(args, "tags", &names, &Tags { repository, tags: &names })?;
    } else if args.lists.json {
        say_json(&Tags { repository, tags: &rows })?;
    } else {
        say(&listed::tags_table(&rows));
    }
    told(rows.iter().filter_map(|row| Some((row.tag.as_str(), row.error.as_deref()?))))
}

/// What each tag means. Several tags often mean the same: it is looked into once.
async fn rows(args: &Ls, client: &Client, repository: &Repository, names: Vec<String>) -> Vec<TagRow> {
    let known = Mutex::new(HashMap::new());
    let known = &known;
    let asked = names.into_iter().map(|name| async move {
        let looked = async {
            let tag: Tag = name.parse().map_err(|error| Error::Given(format!("{error}")))?;
            let Some(fetched) = manifests::fetch(client, repository, &Reference::Tag(tag)).await? else {
                return Err(Error::Here(
                    "it means nothing: it was just removed, or its manifest is lost".into(),
                ));
            };
            let seen = known.lock().unwrap_or_else(PoisonError::into_inner).get(&fetched.digest).cloned();
            if let Some(summary) = seen {
                return Ok::<Summary, Error>(summary);
            }
            let look = look::into(client, repository, fetched, Depth::Summary).await?;
            let summary = Summary::of(&look);
            known.lock().unwrap_or_else(PoisonError::into_inner).insert(summary.digest, summary.clone());
            Ok(summary)
        };
        let (image, error) = match looked.await {
            Ok(summary) => (Some(summary), None),
            Err(error) => (None, Some(error.to_string())),
        };
        TagRow { tag: name, image, error }
    });
    futures_util::stream::iter(asked).buffered(args.remote.max_requests.into()).collect().await
}

fn keep(args: &Ls, names: &mut Vec<String>) {
    if let Some(filter) = args.filter.as_deref().map(Filter::new) {
        names.retain(|name| filter.shows(name));
    }
}

/// Names one a line, so that they can be piped; nothing at all if there is none.
fn print_names(args: &Ls, what: &str, names: &[String], json: &impl Serialize) -> Result<(), Ending> {
    if args.lists.json {
        return Ok(say_json(json)?);
    }
    if names.is_empty() {
        complain(&format!("there are no {what}"));
    } else {
        say(&names.iter().map(|name| printable(name)).collect::<Vec<_>>().join("\n"));
    }
    Ok(())
}

fn hinted(args: &Ls, error: Error) -> Ending {
    let too_many = matches!(&error, Error::Answer { status: 400, told, .. } if !told.code.is_empty());
    match Ending::from(error) {
        Ending::Failed(told) if too_many => Ending::Failed(format!(
            "{told}. It may not give {} names at once: try --page-size 100",
            args.lists.page_size
        )),
        other => other,
    }
}

fn told<'a>(errors: impl Iterator<Item = (&'a str, &'a str)>) -> Result<(), Ending> {
    let mut done = Ok(());
    for (name, error) in errors {
        complain(&format!("{}: {error}", printable(name)));
        done = Err(Ending::Told);
    }
    done
}
