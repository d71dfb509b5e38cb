//! Where everything stands: the paths of registry:2's layout, and of our own objects beside it. Spelled here
//! and nowhere else.

use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::oci::upload::UploadId;
use crate::record::{NAME_BYTES_MAX, Shelf};
use crate::storage::links::{Link, Name};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The folder of all repositories.
pub const REPOSITORIES: &str = "docker/registry/v2/repositories";
/// The folder of all blobs.
pub const BLOBS: &str = "docker/registry/v2/blobs";
/// The folder of uploads that are not finished.
pub const STAGING: &str = "holdfast/staging";
/// The folder of records. They hold hashes of passwords: it is for the owner alone.
pub const RECORDS: &str = "holdfast/records";
/// What tells who has metadata of their own of this storage.
pub const CLAIM: &str = "holdfast/claim.json";
/// The file whose lock says that somebody is at work in a folder.
pub const CLAIM_LOCK: &str = "holdfast/claim";
/// What a record's file ends with.
const RECORD: &str = ".json";
/// What stands in the name of a record's file as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');
/// The folder inside a repository with registry:2's own uploads, which are left alone.
pub const UPLOADS: &str = "_uploads";
/// Names of folders inside a repository that are no path component of another one.
pub const RESERVED: [&str; 3] = ["_layers", "_manifests", UPLOADS];

/// The file with the bytes of a blob or manifest.
pub fn blob(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("{BLOBS}/{}/{}/{hex}/data", digest.algorithm().as_str(), hex.get(..2).unwrap_or_default())
}

/// The file with the bytes of an upload.
pub fn staged(upload: UploadId) -> String {
    format!("{STAGING}/{upload}")
}

/// An object of an upload, where uploads have several: in a bucket.
pub fn staged_object(upload: UploadId, name: &str) -> String {
    format!("{STAGING}/{upload}/{name}")
}

/// What the names of files in `STAGING` begin with that are no upload, but half of a write in progress.
pub const TEMPORARY: &str = "tmp-";

/// A file for bytes that are about to be renamed to their place. Each call names another one.
pub fn temporary() -> String {
    format!("{STAGING}/{TEMPORARY}{}", UploadId::random())
}

/// The folder of the records of a shelf.
pub fn shelf(shelf: Shelf) -> String {
    format!("{RECORDS}/{}", shelf.as_str())
}

/// The file that tells the highest version of all records that were removed from a shelf.
pub fn removed(shelf: Shelf) -> String {
    format!("{RECORDS}/{}.removed", shelf.as_str())
}

/// The file of a record. `None`: no record can have this name.
pub fn record(shelf: Shelf, name: &str) -> Option<String> {
    Some(format!("{RECORDS}/{}/{}", shelf.as_str(), record_file(name)?))
}

/// The name of the record that is in a file of this name, if it can hold one.
pub fn record_name(file: &str) -> Option<String> {
    let name = percent_decode_str(file.strip_suffix(RECORD)?).decode_utf8().ok()?.into_owned();
    // Only as it is spelled here: two files must not mean one name.
    (record_file(&name).as_deref() == Some(file)).then_some(name)
}

fn record_file(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return None;
    }
    let plain = utf8_percent_encode(name, PLAIN);
    // No hidden files, and none that is its own folder or the one above.
    Some(match name.strip_prefix('.') {
        Some(rest) => format!("%2E{}{RECORD}", utf8_percent_encode(rest, PLAIN)),
        None => format!("{plain}{RECORD}"),
    })
}

/// The folder of a repository.
pub fn repository(repository: &Repository) -> String {
    format!("{REPOSITORIES}/{repository}")
}

/// The link files to write for a link, the most important last.
pub fn link_files(repository: &Repository, link: &Link) -> Vec<String> {
    let at = |folder: &str, digest: &Digest| {
        format!("{REPOSITORIES}/{repository}/{folder}/{}/{}/link", digest.algorithm().as_str(), digest.hex())
    };
    match link {
        Link::Layer(digest) => vec![at("_layers", digest)],
        Link::Revision(digest) => vec![at("_manifests/revisions", digest)],
        Link::Tag(tag, digest) => vec![
            at(&format!("_manifests/tags/{tag}/index"), digest),
            format!("{REPOSITORIES}/{repository}/_manifests/tags/{tag}/current/link"),
        ],
    }
}

/// The file that says what a name means.
pub fn name_file(repository: &Repository, name: &Name) -> String {
    match name {
        Name::Layer(digest) => {
            format!(
                "{REPOSITORIES}/{repository}/_layers/{}/{}/link",
                digest.algorithm().as_str(),
                digest.hex()
            )
        }
        Name::Revision(digest) => format!(
            "{REPOSITORIES}/{repository}/_manifests/revisions/{}/{}/link",
            digest.algorithm().as_str(),
            digest.hex()
        ),
        Name::Tag(tag) => format!("{REPOSITORIES}/{repository}/_manifests/tags/{tag}/current/link"),
    }
}

/// The folder that goes away with a name.
pub fn name_folder(repository: &Repository, name: &Name) -> String {
    match name {
        Name::Layer(_) | Name::Revision(_) => {
            let mut file = name_file(repository, name);
            file.truncate(file.len() - "/link".len());
            file
        }
        Name::Tag(tag) => format!("{REPOSITORIES}/{repository}/_manifests/tags/{tag}"),
    }
}

/// What stands in a link file: the digest, without a line end.
pub fn link_text(digest: &Digest) -> String {
    digest.to_string()
}

/// The digest in a link file's bytes, if it is one and nothing else.
pub fn linked(text: &[u8]) -> Option<Digest> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_of_records_read_back(name in ".{0,70}") {
            let file = record_file(&name);
            prop_assert_eq!(file.is_some(), (1..=64).contains(&name.len()));
            if let Some(file) = file {
                let safe = |c: char| c.is_ascii_alphanumeric() || "._-%".contains(c);
                prop_assert!(file.chars().all(safe) && !file.starts_with('.') && file.len() < 200);
                prop_assert_eq!(record_name(&file), Some(name));
            }
        }

        #[test]
        fn each_record_has_one_file(file in "[a-zA-Z0-9._%/-]{0,12}(\\.json)?") {
            if let Some(name) = record_name(&file) {
                prop_assert_eq!(record_file(&name), Some(file));
            }
        }
    }

    #[test]
    fn records_are_spelled_safely() {
        let file = |name: &str| record(Shelf::Users, name).unwrap();
        let at = |file: &str| format!("holdfast/records/users/{file}.json");
        assert_eq!(file("alice"), at("alice"));
        assert_eq!(file("a.b_c-D9"), at("a.b_c-D9"));
        assert_eq!(file(".."), at("%2E."));
        assert_eq!(file("../../x"), at("%2E.%2F..%2Fx"));
        assert_eq!(file("m\u{fc}@x y%"), at("m%C3%BC%40x%20y%25"));
        for file in ["a", "a.JSON", ".json", "..json", "%61.json", "%2e.json", "a%2Fb%.json", "a b.json"] {
            assert_eq!(record_name(file), None, "{file}");
        }
        assert_eq!(removed(Shelf::ServiceAccounts), "holdfast/records/service-accounts.removed");
    }

    #[test]
    fn the_paths_are_those_of_registry_2() {
        let digest: Digest = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
        let hex = "ab".repeat(32);
        let app: Repository = "team/app".parse().unwrap();
        let base = "docker/registry/v2/repositories/team/app";
        assert_eq!(blob(&digest), format!("docker/registry/v2/blobs/sha256/ab/{hex}/data"));
        assert_eq!(link_files(&app, &Link::Layer(digest)), [format!("{base}/_layers/sha256/{hex}/link")]);
        assert_eq!(
            link_files(&app, &Link::Tag("v1".parse().unwrap(), digest)),
            [
                format!("{base}/_manifests/tags/v1/index/sha256/{hex}/link"),
                format!("{base}/_manifests/tags/v1/current/link")
            ]
        );
        assert_eq!(
            name_folder(&app, &Name::Revision(digest)),
            format!("{base}/_manifests/revisions/sha256/{hex}")
        );
    }
}
