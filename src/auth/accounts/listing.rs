//! Pages of documents. A page looks at a bounded number of them, so a filter that matches little costs no more than one
//! that matches all: it answers what it found, and where to go on.

use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::document::{self, Document};
use crate::auth::accounts::name;
use crate::auth::error::Result;
use crate::oci::page::Page;
use serde::Serialize;

/// Most entries of a page.
pub const ENTRIES_MAX: usize = 1000;
/// Most documents that are looked at for a page.
pub const SCANNED_MAX: usize = 5000;
/// Longest text to filter by, in bytes.
pub const FILTER_BYTES_MAX: usize = 256;

/// A page of documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing<T> {
    /// The entries, in byte order of their names.
    pub entries: Vec<T>,
    /// `last` of the page that follows; none follows if `None`. May be there although there are few entries or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A part of a text, however it is written.
pub struct Filter(Option<String>);

impl Filter {
    /// Lets through what holds this text; everything if there is none.
    pub fn new(text: Option<&str>) -> Result<Self> {
        name::line("a filter", text.unwrap_or_default(), FILTER_BYTES_MAX)?;
        Ok(Self(text.filter(|text| !text.is_empty()).map(name::folded)))
    }

    /// Whether one of these texts holds it.
    pub fn passes(&self, texts: &[&str]) -> bool {
        self.0.as_ref().is_none_or(|wanted| texts.iter().any(|text| name::folded(text).contains(wanted)))
    }
}

/// The page of the documents that `pick` makes something of. One that does not read hides no other.
pub async fn scan<D: Document, T>(
    directory: &Directory,
    page: &Page,
    pick: impl Fn(D) -> Option<T> + Send,
) -> Result<Listing<T>> {
    let wanted = page.entries_max.min(ENTRIES_MAX);
    let mut entries = Vec::new();
    if wanted == 0 {
        return Ok(Listing { entries, next: None });
    }
    let mut last = page.last.clone();
    let (mut batch, mut scanned) = (wanted.min(D::BATCH), 0);
    loop {
        let entries_max = batch.min(SCANNED_MAX - scanned);
        let listed = directory.accounts.list(D::SHELF, &Page { entries_max, last: last.clone() }).await?;
        let count = listed.entries.len();
        for (at, (name, record)) in listed.entries.into_iter().enumerate() {
            match document::read::<D>(&name, &record) {
                Ok(document) => entries.extend(pick(document)),
                Err(error) => tracing::error!(%error, "a document does not read, and is not listed"),
            }
            last = Some(name);
            if entries.len() == wanted {
                let more = listed.more || at + 1 < count;
                return Ok(Listing { entries, next: last.filter(|_| more) });
            }
        }
        scanned += count;
        if !listed.more || count == 0 {
            return Ok(Listing { entries, next: None });
        }
        if scanned >= SCANNED_MAX {
            return Ok(Listing { entries, next: last });
        }
        // What was read did not suffice, so most is filtered away.
        batch = D::BATCH;
    }
}
