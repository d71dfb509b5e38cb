//! The bucket: where its objects are, and what its failures mean to us. The files beside it say what stands in it.

use crate::storage::error::Error;
use object_store::ObjectStore;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::Signer;
use std::sync::Arc;

/// An open bucket.
#[derive(Clone)]
pub struct Bucket {
    /// Its objects.
    pub objects: Arc<dyn ObjectStore>,
    /// Its objects in the making, part by part.
    pub parts: Arc<dyn MultipartStore>,
    /// Who signs URLs of it for clients, if anybody may be sent there.
    pub signer: Option<Arc<dyn Signer>>,
    /// What all paths of ours begin with; empty, or without a slash at its end.
    pub prefix: String,
}

impl Bucket {
    /// The object of a path of `layout.rs`.
    pub fn at(&self, path: &str) -> Result<Path, Error> {
        let whole = if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) };
        // As it is: the layout has spelled it, and to encode it again would name another object.
        Path::parse(&whole).map_err(|error| Error::at(path, std::io::Error::other(error)))
    }
}

/// What a failure means; `None`: the object is not there.
pub fn failed(what: &str, error: object_store::Error) -> Option<Error> {
    match error {
        object_store::Error::NotFound { .. } => None,
        // After the retries of the library, whatever is left may pass: nobody is told that something is absent.
        error => Some(Error::Unreachable { what: what.to_owned(), why: error.to_string() }),
    }
}
