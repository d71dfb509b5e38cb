//! What a checkpoint says, and how it is spelled: a mark, the length of a JSON document, that document, and then bytes of
//! the upload that do not fill a part yet. A checkpoint is written once and never changed.

use crate::oci::digest::{Algorithm, Digest};
use crate::oci::hasher::Hasher;
use crate::oci::upload::UploadId;
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::io;

/// What every checkpoint begins with. The number is that of the form.
const MARK: &[u8; 8] = b"HFCHKPT1";
/// Mark and length.
const LEAD: usize = MARK.len() + 4;

/// An upload as it stands.
pub struct State {
    /// Bytes that were taken.
    pub offset: u64,
    /// The hash of them.
    pub hasher: Hasher,
    /// The hash of those that are in parts.
    pub aligned: Hasher,
    /// Where the parts are, if there are any.
    pub multipart: Option<Multipart>,
    /// Where the bytes behind the parts are, in order.
    pub pieces: Vec<Piece>,
    /// Objects that nobody needs any more once this is recorded.
    pub spent: Vec<String>,
}

/// A multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Multipart {
    /// Its random name, for our own objects that belong to it.
    pub name: String,
    /// What the bucket calls it.
    pub id: String,
    /// Bytes of each part but the last.
    pub part_bytes: u64,
    /// The blob whose place it was begun at; none: it becomes an object of the upload.
    pub known: Option<Digest>,
    /// What the bucket calls the parts.
    pub parts: Vec<String>,
}

/// Bytes in an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The object.
    pub name: String,
    /// Where in it they begin.
    pub from: u64,
    /// How many there are.
    pub bytes: u64,
    /// No checkpoint speaks of it yet.
    #[serde(skip)]
    pub fresh: bool,
}

#[derive(Serialize, Deserialize)]
struct Document {
    offset: u64,
    hash: String,
    aligned: String,
    multipart: Option<Multipart>,
    pieces: Vec<Piece>,
    own_bytes: u64,
    spent: Vec<String>,
}

impl Multipart {
    /// The path where it becomes an object.
    pub fn place(&self, upload: UploadId) -> String {
        match &self.known {
            Some(digest) => layout::blob(digest),
            None => layout::staged_object(upload, &self.data()),
        }
    }

    /// The name of the object that it becomes, unless its blob was known.
    pub fn data(&self) -> String {
        format!("{}.data", self.name)
    }

    /// The name of the object that tells of it to whoever has no checkpoint.
    pub fn marker(&self) -> String {
        format!("{}{MARKER}", self.name)
    }

    /// The same without what is known of its parts.
    #[must_use]
    pub fn without_parts(&self) -> Self {
        let Self { name, id, part_bytes, known, .. } = self;
        Self { name: name.clone(), id: id.clone(), part_bytes: *part_bytes, known: *known, parts: vec![] }
    }

    /// Bytes in its parts, of which all are full.
    pub fn bytes(&self) -> u64 {
        self.part_bytes * self.parts.len() as u64
    }
}

/// What names of markers end with.
pub const MARKER: &str = ".multipart";

impl State {
    /// An upload without bytes.
    pub fn empty(algorithm: Algorithm) -> Self {
        let hasher = Hasher::new(algorithm);
        Self { offset: 0, aligned: hasher.clone(), hasher, multipart: None, pieces: vec![], spent: vec![] }
    }

    /// Bytes in pieces.
    pub fn pieces_bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.bytes).sum()
    }

    /// Bytes in parts.
    pub fn parts_bytes(&self) -> u64 {
        self.multipart.as_ref().map_or(0, Multipart::bytes)
    }

    /// The beginning of a checkpoint that says this; `own_bytes` bytes of the upload follow it.
    pub fn encode(&self, own_bytes: u64) -> Result<Bytes> {
        let document = Document {
            offset: self.offset,
            hash: STANDARD.encode(self.hasher.save()),
            aligned: STANDARD.encode(self.aligned.save()),
            multipart: self.multipart.clone(),
            pieces: self.pieces.clone(),
            own_bytes,
            spent: self.spent.clone(),
        };
        let unwritten = |e: serde_json::Error| Error::at("a checkpoint", io::Error::other(e));
        let json = serde_json::to_vec(&document).map_err(unwritten)?;
        let length = u32::try_from(json.len());
        let length = length.map_err(|e| Error::at("a checkpoint", io::Error::other(e)))?;
        Ok([MARK, &length.to_le_bytes()[..], &json].concat().into())
    }

    /// What the checkpoint of this name says; `None`: nothing that can be understood.
    pub fn decode(name: &str, head: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(head.get(LEAD..)?).ok()?;
        let restored = |text: &str| Hasher::restore(&STANDARD.decode(text).ok()?);
        let mut state = Self {
            offset: document.offset,
            hasher: restored(&document.hash)?,
            aligned: restored(&document.aligned)?,
            multipart: document.multipart,
            pieces: document.pieces,
            spent: document.spent,
        };
        if document.own_bytes > 0 {
            let (name, from) = (name.to_owned(), head.len() as u64);
            state.pieces.push(Piece { name, from, bytes: document.own_bytes, fresh: false });
        }
        let whole = state.parts_bytes().checked_add(state.pieces_bytes())? == state.offset;
        (whole && state.multipart.as_ref().is_none_or(|multipart| multipart.part_bytes > 0)).then_some(state)
    }
}

/// How many bytes of a checkpoint are not bytes of the upload; `None`: it is no checkpoint.
pub fn head_bytes(beginning: &[u8]) -> Option<usize> {
    let (mark, rest) = beginning.split_first_chunk::<8>()?;
    let (length, _) = rest.split_first_chunk::<4>()?;
    (mark == MARK).then(|| LEAD + u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(parts in 0..40_u64, pieces in 0..20_u64, own in 0..3_u64, known in any::<bool>()) {
            let mut state = State::empty(Algorithm::Sha512);
            let parts = (0..parts).map(|nth| format!("\"etag {nth}\"")).collect();
            let known = known.then(|| crate::storage::contract::sha256(b"known"));
            state.multipart = Some(Multipart { name: "m".into(), id: "i&<d".into(), part_bytes: 5 << 20, known, parts });
            state.pieces = (0..pieces).map(|n| Piece { name: n.to_string(), from: n, bytes: n + 1, fresh: false }).collect();
            state.hasher.update(b"some");
            state.spent = vec!["gone".into()];
            state.offset = state.parts_bytes() + state.pieces_bytes() + own;
            let head = state.encode(own).unwrap();
            prop_assert_eq!(head_bytes(&head), Some(head.len()));
            prop_assert_eq!(head_bytes(&[&head[..], b"own"].concat()), Some(head.len()));
            let read = State::decode("me", &head).unwrap();
            if own > 0 {
                state.pieces.push(Piece { name: "me".into(), from: head.len() as u64, bytes: own, fresh: false });
            }
            prop_assert_eq!((read.offset, &read.multipart, &read.pieces, &read.spent), (state.offset, &state.multipart, &state.pieces, &state.spent));
            prop_assert_eq!(read.hasher.finish(), state.hasher.finish());
            prop_assert_eq!(read.aligned.finish(), state.aligned.finish());
        }

        #[test]
        fn what_is_no_checkpoint_is_none(bytes in prop::collection::vec(any::<u8>(), 0..80), cut in 0..400_usize) {
            prop_assert!(State::decode("me", &bytes).is_none());
            let head = State::empty(Algorithm::Sha256).encode(0).unwrap();
            prop_assert!(State::decode("me", &head[..cut.min(head.len() - 1)]).is_none());
        }
    }
}
