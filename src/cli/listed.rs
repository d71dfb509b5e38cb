//! What `holdfast ls` prints: the rows, and their forms in JSON, which scripts rely on.

use crate::cli::table::{moment, size, table, time};
use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::upstream::document::Descriptor;
use crate::upstream::look::Look;
use clap::ValueEnum;
use serde::Serialize;
use std::cmp::Reverse;

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// By name, in the order of its bytes.
    Name,
    /// Newest first.
    Created,
    /// Largest first.
    Size,
}

/// The answer about a registry: names, or rows.
#[derive(Debug, Serialize)]
pub struct Repositories<'a, T> {
    /// The repositories.
    pub repositories: &'a [T],
}

/// The answer about a repository: tags, or rows.
#[derive(Debug, Serialize)]
pub struct Tags<'a, T> {
    /// The repository.
    pub repository: &'a Repository,
    /// Its tags.
    pub tags: &'a [T],
}

/// A repository with its tags.
#[derive(Debug, Clone, Serialize)]
pub struct RepositoryRow {
    /// Its name.
    pub repository: String,
    /// Its tags, in the registry's order.
    pub tags: Vec<String>,
    /// Why they cannot be told, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A tag and what it means.
#[derive(Debug, Clone, Serialize)]
pub struct TagRow {
    /// The tag.
    pub tag: String,
    /// What it means; absent if there is an error.
    #[serde(flatten)]
    pub image: Option<Summary>,
    /// Why that cannot be told, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What is told of an image in a list.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Digest of its manifest.
    pub digest: Digest,
    /// Type of its manifest.
    pub media_type: String,
    /// `image`, `index`, `artifact` or `unknown`.
    pub kind: &'static str,
    /// Type of an artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What it runs on.
    pub platforms: Vec<String>,
    /// Bytes of all that it leads to, each thing once.
    pub size_bytes: u64,
    /// When it was made, as it says.
    pub created: Option<String>,
    /// The layers of an image; none of an index.
    pub layers: Vec<Part>,
}

/// A layer, a configuration, or a manifest of an index.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    /// Its digest.
    pub digest: Digest,
    /// Its type.
    pub media_type: String,
    /// Its size.
    pub size_bytes: u64,
}

impl Part {
    /// What a descriptor says.
    pub fn of(descriptor: &Descriptor) -> Self {
        Self {
            digest: descriptor.digest,
            media_type: descriptor.media_type.clone(),
            size_bytes: descriptor.size,
        }
    }
}

impl Summary {
    /// What is seen of an image.
    pub fn of(look: &Look) -> Self {
        let document = look.document.as_ref().ok();
        Self {
            digest: look.fetched.digest,
            media_type: look.media_type().to_owned(),
            kind: look.kind(),
            artifact_type: document.and_then(|document| document.artifact_type()).map(str::to_owned),
            platforms: look.platforms(),
            size_bytes: look.bytes(),
            created: look.created().map(str::to_owned),
            layers: document
                .map(|document| document.layers.iter().map(Part::of).collect())
                .unwrap_or_default(),
        }
    }
}

/// Sorts tags. Those of which nothing is known come last.
pub fn sort(rows: &mut [TagRow], by: Sort) {
    match by {
        Sort::Name => rows.sort_by(|a, b| a.tag.cmp(&b.tag)),
        Sort::Created => rows.sort_by_key(|row| {
            Reverse(row.image.as_ref().map_or(i64::MIN, |image| moment(image.created.as_deref())))
        }),
        Sort::Size => rows.sort_by_key(|row| Reverse(row.image.as_ref().map(|image| image.size_bytes))),
    }
}

/// Tags as a table.
pub fn tags_table(rows: &[TagRow]) -> String {
    let cells = rows.iter().map(|row| {
        let Some(image) = &row.image else {
            return [row.tag.clone(), "?".into(), String::new(), String::new(), String::new(), String::new()];
        };
        let created = image.created.as_deref().map(time).unwrap_or_default();
        let digest = image.digest.to_string();
        [
            row.tag.clone(),
            image.kind.into(),
            image.platforms.join(","),
            size(image.size_bytes),
            created,
            digest,
        ]
    });
    table(["TAG", "KIND", "PLATFORMS", "SIZE", "CREATED", "DIGEST"], &cells.collect::<Vec<_>>())
}

/// Repositories as a table.
pub fn repositories_table(rows: &[RepositoryRow]) -> String {
    let cells = rows.iter().map(|row| {
        let count = if row.error.is_some() { "?".to_owned() } else { row.tags.len().to_string() };
        [row.repository.clone(), count, row.tags.join(" ")]
    });
    table(["REPOSITORY", "COUNT", "TAGS"], &cells.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tag: &str, size_bytes: u64, created: &str) -> TagRow {
        let image = Summary {
            digest: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
            media_type: String::new(),
            kind: "image",
            artifact_type: None,
            platforms: vec!["linux/amd64".into()],
            size_bytes,
            created: Some(created.to_owned()),
            layers: vec![],
        };
        TagRow { tag: tag.into(), image: Some(image), error: None }
    }

    #[test]
    fn tags_are_sorted_by_what_was_asked() {
        let unknown = TagRow { tag: "0".into(), image: None, error: Some("x".into()) };
        let mut rows = vec![
            row("b", 1, "2026-01-01T00:00:00Z"),
            unknown,
            row("a", 2, "2026-01-01T12:00:00+13:00"),
            row("c", 2, "soon"),
        ];
        let mut order = |by| {
            sort(&mut rows, by);
            rows.iter().map(|row| row.tag.as_str()).collect::<String>()
        };
        assert_eq!(order(Sort::Name), "0abc");
        assert_eq!(order(Sort::Created), "ba0c");
        assert_eq!(order(Sort::Size), "acb0");
    }

    #[test]
    fn a_row_in_json_is_flat() {
        let json = serde_json::to_value(row("b", 1, "x")).unwrap();
        assert_eq!((json["tag"].as_str(), json["size_bytes"].as_u64()), (Some("b"), Some(1)));
        assert!(json.get("error").is_none() && json.get("artifact_type").is_none());
        let broken = TagRow { tag: "b".into(), image: None, error: Some("x".into()) };
        assert_eq!(serde_json::to_value(broken).unwrap(), serde_json::json!({"tag": "b", "error": "x"}));
    }
}
