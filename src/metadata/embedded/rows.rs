//! How the values of rows are written and read: by hand, since a HEAD of a manifest reads one.
//!
//! A row that does not read is `Error::Damaged`, never a panic: a disk may have changed it.

use crate::metadata::embedded::keys;
use crate::metadata::error::{Error, Result};
use crate::metadata::manifests::{Referrer, Resolved};
use crate::metadata::uploads::Upload;
use crate::oci::digest::Digest;
use crate::oci::media_type::Kind;
use crate::oci::upload::{Checkpoint, UploadId};
use uuid::Uuid;

/// A row of the table of manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its kind.
    pub kind: Kind,
    /// Its size in bytes.
    pub size: u64,
    /// When it was pushed last, in seconds since the Unix epoch.
    pub pushed: u64,
    /// What it refers to.
    pub subject: Option<Digest>,
}

/// A row of the table of tags. With the kind and the size, one row answers a HEAD by tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// The manifest that the tag means.
    pub resolved: Resolved,
    /// When the tag was pushed last, in seconds since the Unix epoch.
    pub pushed: u64,
}

/// What a repository holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Manifests.
    pub manifests: u64,
    /// Blobs.
    pub blobs: u64,
}

/// The error for a row that does not read.
pub fn damaged(key: &[u8], why: &str) -> Error {
    Error::Damaged(format!("{} ({why})", key.escape_ascii()))
}

/// Reads a row, or tells its key.
pub fn read<T>(key: &[u8], value: &[u8], read: impl FnOnce(&[u8]) -> Option<T>) -> Result<T> {
    read(value).ok_or_else(|| damaged(key, "its value does not read"))
}

impl Manifest {
    /// The row's value.
    pub fn write(&self) -> Vec<u8> {
        let mut row = stated(self.kind, self.size, self.pushed);
        if let Some(subject) = &self.subject {
            push_digest(&mut row, subject);
        }
        row
    }

    /// Reads a row's value.
    pub fn read(row: &[u8]) -> Option<Self> {
        let (kind, size, pushed, rest) = split_stated(row)?;
        let subject = if rest.is_empty() { None } else { Some(keys::digest(rest)?) };
        Some(Self { kind, size, pushed, subject })
    }
}

impl Tagged {
    /// The row's value.
    pub fn write(&self) -> Vec<u8> {
        let mut row = stated(self.resolved.kind, self.resolved.size, self.pushed);
        push_digest(&mut row, &self.resolved.digest);
        row
    }

    /// Reads a row's value.
    pub fn read(row: &[u8]) -> Option<Self> {
        let (kind, size, pushed, rest) = split_stated(row)?;
        Some(Self { resolved: Resolved { digest: keys::digest(rest)?, kind, size }, pushed })
    }
}

impl Counts {
    /// The row's value.
    pub fn write(self) -> Vec<u8> {
        [self.manifests.to_le_bytes(), self.blobs.to_le_bytes()].concat()
    }

    /// Reads a row's value.
    pub fn read(row: &[u8]) -> Option<Self> {
        let (manifests, rest) = split_number(row)?;
        Some(Self { manifests, blobs: number(rest)? })
    }
}

/// The value of a referrer's row.
pub fn write_referrer(referrer: &Referrer) -> Vec<u8> {
    let artifact_type = referrer.artifact_type.as_deref().unwrap_or_default();
    let descriptor = referrer.descriptor.as_deref().unwrap_or_default();
    let mut row = Vec::with_capacity(9 + artifact_type.len() + descriptor.len());
    row.push(u8::from(referrer.artifact_type.is_some()) | u8::from(referrer.descriptor.is_some()) << 1);
    row.extend((artifact_type.len() as u64).to_le_bytes());
    row.extend(artifact_type.as_bytes());
    row.extend(descriptor.as_bytes());
    row
}

/// Reads the value of a referrer's row.
pub fn read_referrer(digest: Digest, row: &[u8]) -> Option<Referrer> {
    let (&flags, rest) = row.split_first()?;
    let (length, rest) = split_number(rest)?;
    let (artifact_type, descriptor) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    Some(Referrer {
        digest,
        artifact_type: if flags & 1 == 0 { None } else { Some(text(artifact_type)?) },
        descriptor: if flags & 2 == 0 { None } else { Some(text(descriptor)?) },
    })
}

/// The value of an upload's row.
pub fn write_upload(upload: &Upload) -> Vec<u8> {
    let (name, owner) = (upload.repository.as_str(), upload.owner.as_str());
    let mut row = Vec::with_capacity(18 + name.len() + owner.len());
    row.push(keys::algorithm_code(upload.algorithm));
    row.extend(upload.offset.to_le_bytes());
    row.extend(upload.touched.to_le_bytes());
    row.extend(name.as_bytes());
    if !owner.is_empty() || upload.checkpoint.is_some() {
        row.push(0); // which no name of a repository holds
        row.extend(owner.as_bytes());
    }
    if let Some(Checkpoint(id)) = upload.checkpoint {
        row.push(u8::MAX); // which no UTF-8 holds
        row.extend(id.as_bytes());
    }
    row
}

/// Reads the value of an upload's row. One that was written before there were accounts has no owner, and one of before
/// there were checkpoints has none.
pub fn read_upload(id: UploadId, row: &[u8]) -> Option<Upload> {
    let (&code, rest) = row.split_first()?;
    let (offset, rest) = split_number(rest)?;
    let (touched, rest) = split_number(rest)?;
    let (name, owner) = match rest.iter().position(|&byte| byte == 0) {
        Some(end) => (rest.get(..end)?, rest.get(end + 1..)?),
        None => (rest, [].as_slice()),
    };
    let (owner, checkpoint) = match owner.iter().position(|&byte| byte == u8::MAX) {
        Some(end) => (owner.get(..end)?, Some(Checkpoint(Uuid::from_slice(owner.get(end + 1..)?).ok()?))),
        None => (owner, None),
    };
    let (algorithm, repository) = (keys::algorithm_of(code)?, keys::parsed(name)?);
    Some(Upload { id, repository, algorithm, offset, checkpoint, touched, owner: keys::parsed(owner)? })
}

/// Reads the value of a row that is one number.
pub fn number(row: &[u8]) -> Option<u64> {
    split_number(row).and_then(|(number, rest)| rest.is_empty().then_some(number))
}

fn split_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*number), rest))
}

fn stated(kind: Kind, size: u64, pushed: u64) -> Vec<u8> {
    let mut row = Vec::with_capacity(17 + 65);
    row.push(kind_code(kind));
    row.extend(size.to_le_bytes());
    row.extend(pushed.to_le_bytes());
    row
}

fn split_stated(row: &[u8]) -> Option<(Kind, u64, u64, &[u8])> {
    let (&code, rest) = row.split_first()?;
    let kind = Kind::ALL.into_iter().find(|&kind| kind_code(kind) == code)?;
    let (size, rest) = split_number(rest)?;
    let (pushed, rest) = split_number(rest)?;
    Some((kind, size, pushed, rest))
}

fn push_digest(row: &mut Vec<u8>, digest: &Digest) {
    row.push(keys::algorithm_code(digest.algorithm()));
    row.extend(digest.hash());
}

fn kind_code(kind: Kind) -> u8 {
    match kind {
        Kind::OciImage => 1,
        Kind::OciIndex => 2,
        Kind::DockerImage => 3,
        Kind::DockerList => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::digest::Algorithm;
    use proptest::prelude::*;

    fn digest() -> impl Strategy<Value = Digest> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 32)
                .prop_map(|h| Digest::new(Algorithm::Sha256, &h).unwrap()),
            proptest::collection::vec(any::<u8>(), 64)
                .prop_map(|h| Digest::new(Algorithm::Sha512, &h).unwrap()),
        ]
    }

    proptest! {
        #[test]
        fn rows_read_as_they_were_written(
            kind in proptest::sample::select(Kind::ALL.to_vec()), digest in digest(), subject in proptest::option::of(digest()),
            size: u64, pushed: u64, artifact_type: Option<String>, descriptor: Option<String>, blobs: u64,
            owner: String, checkpoint: Option<u128>,
        ) {
            let manifest = Manifest { kind, size, pushed, subject };
            prop_assert_eq!(Manifest::read(&manifest.write()), Some(manifest));
            let tagged = Tagged { resolved: Resolved { digest, kind, size }, pushed };
            prop_assert_eq!(Tagged::read(&tagged.write()), Some(tagged));
            let counts = Counts { manifests: size, blobs };
            prop_assert_eq!(Counts::read(&counts.write()), Some(counts));
            let referrer = Referrer { digest, artifact_type, descriptor };
            prop_assert_eq!(read_referrer(digest, &write_referrer(&referrer)), Some(referrer));
            let upload = Upload {
                id: UploadId::random(), repository: "team/app".parse().unwrap(), algorithm: digest.algorithm(),
                offset: size, touched: pushed, owner: owner.replace('\0', ""),
                checkpoint: checkpoint.map(|id| Checkpoint(Uuid::from_u128(id))),
            };
            prop_assert_eq!(read_upload(upload.id, &write_upload(&upload)), Some(upload));
        }

        #[test]
        fn an_upload_of_before_there_were_accounts_has_no_owner(size: u64, touched: u64) {
            let row = [&[1], size.to_le_bytes().as_slice(), &touched.to_le_bytes(), b"team/app"].concat();
            let upload = read_upload(UploadId::random(), &row).unwrap();
            prop_assert_eq!((upload.repository.as_str(), upload.owner.as_str()), ("team/app", ""));
            prop_assert_eq!(write_upload(&upload), row);
        }

        #[test]
        fn a_row_that_was_cut_does_not_read(digest in digest(), size: u64, cut in 0usize..40) {
            let row = Tagged { resolved: Resolved { digest, kind: Kind::OciIndex, size }, pushed: 0 }.write();
            prop_assert_eq!(Tagged::read(&row[..row.len() - 1 - cut]), None);
        }

        #[test]
        fn reading_never_panics(row in proptest::collection::vec(any::<u8>(), 0..100)) {
            let digest = Digest::new(Algorithm::Sha256, &[7; 32]).unwrap();
            let _ = (Manifest::read(&row), Tagged::read(&row), Counts::read(&row), number(&row));
            let _ = (read_referrer(digest, &row), read_upload(UploadId::random(), &row));
        }
    }
}
