//! What all our documents have in common: a shelf, a name, and a form in JSON. What a newer version wrote into one
//! beside what we know is passed over, so that an older version still reads it. Knows no place where they stand.

use crate::auth::error::{Error, Result};
use crate::metadata;
use crate::record::{RECORD_BYTES_MAX, Record, Shelf};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A document that stands on a shelf.
pub trait Document: Serialize + DeserializeOwned + Send + Sync {
    /// Where it stands.
    const SHELF: Shelf;
    /// How many are read at once, so that a batch stays within a few MiB.
    const BATCH: usize;

    /// Its name on the shelf.
    fn key(&self) -> &str;

    /// Whether a name can be one of this shelf at all. What strangers send is asked for only if it can.
    fn may_be(name: &str) -> bool;
}

/// Reads the document of a name. The error names the record and nothing of what stands in it.
pub fn read<D: Document>(name: &str, record: &Record) -> Result<D> {
    match serde_json::from_slice::<D>(&record.json) {
        Ok(document) if document.key() == name => Ok(document),
        _ => {
            let row = format!("{}/{name}", D::SHELF.as_str());
            Err(Error::Metadata(metadata::error::Error::Damaged(row)))
        }
    }
}

/// Its JSON.
pub fn write<D: Document>(document: &D) -> Result<Bytes> {
    match serde_json::to_vec(document) {
        Ok(json) if json.len() <= RECORD_BYTES_MAX => Ok(json.into()),
        Ok(_) => Err(Error::Invalid(format!("this would be larger than {RECORD_BYTES_MAX} bytes"))),
        Err(_) => Err(Error::Invalid("this cannot be written as JSON".into())),
    }
}
