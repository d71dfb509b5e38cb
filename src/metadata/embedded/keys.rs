//! Every key of the embedded metadata, in one place. The first byte is the table.
//!
//! A repository's name is followed by a zero byte, which no name holds, so that no name's rows lie among another's.
//! A digest is one byte for its algorithm and then its raw hash, so it tells its own length and keeps the order of
//! its text. Tests below hold both.

use crate::metadata::intents::IntentId;
use crate::oci::digest::{Algorithm, Digest};
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::oci::upload::UploadId;
use crate::record::{NAME_BYTES_MAX, Shelf};
use uuid::Uuid;

/// The version of the form of all rows. A database of another version is set aside and made again.
pub const FORMAT: &[u8] = b"v";
/// The mark that the metadata tells all that storage holds.
pub const COMPLETE: &[u8] = b"k";
/// Open uploads: the prefix of `upload`.
pub const UPLOADS: &[u8] = b"u";
/// Intents: the prefix of `intent`.
pub const INTENTS: &[u8] = b"i";
/// Repositories that hold a manifest: the prefix of `catalog`.
pub const CATALOG: &[u8] = b"c";

/// Records that are about to change in storage: the prefix of `pending`.
pub const PENDING: &[u8] = b"p";
/// Keys that sign access tokens: the prefix of `signing_key`.
pub const SIGNING_KEYS: &[u8] = b"g";
/// The audit trail: the prefix of `event`.
pub const EVENTS: &[u8] = b"e";
/// Which events there are: the first one's number, and that of the next.
pub const EVENTS_ENDS: &[u8] = b"n";

/// The tables of what storage tells, and of what is under way there: accounts, images, intents.
pub const TOLD_BY_STORAGE: &[u8] = b"abcdhilmprstw";

/// How many manifests and blobs a repository holds; there is no such row if it holds none.
pub fn counts(repository: &Repository) -> Vec<u8> {
    join(b'r', &[repository.as_str().as_bytes()])
}

/// There if the repository holds a manifest.
pub fn catalog(repository: &Repository) -> Vec<u8> {
    join(b'c', &[repository.as_str().as_bytes()])
}

/// A manifest's kind, size, time of push and subject.
pub fn manifest(repository: &Repository, digest: &Digest) -> Vec<u8> {
    held(b'm', repository, digest)
}

/// A manifest's bytes.
pub fn body(repository: &Repository, digest: &Digest) -> Vec<u8> {
    held(b'b', repository, digest)
}

/// What a tag means, with the kind and size of the manifest.
pub fn tag(repository: &Repository, tag: &Tag) -> Vec<u8> {
    join(b't', &[repository.as_str().as_bytes(), &[0], tag.as_str().as_bytes()])
}

/// The prefix of the tags of a repository; the tag follows.
pub fn tags(repository: &Repository) -> Vec<u8> {
    join(b't', &[repository.as_str().as_bytes(), &[0]])
}

/// There if the tag means the manifest.
pub fn tag_of(repository: &Repository, digest: &Digest, tag: &Tag) -> Vec<u8> {
    let mut key = tags_of(repository, digest);
    key.extend(tag.as_str().as_bytes());
    key
}

/// The prefix of the tags that mean a manifest; the tag follows.
pub fn tags_of(repository: &Repository, digest: &Digest) -> Vec<u8> {
    held(b'd', repository, digest)
}

/// How a manifest that refers to `subject` is listed.
pub fn referrer(repository: &Repository, subject: &Digest, digest: &Digest) -> Vec<u8> {
    let mut key = referrers(repository, subject);
    key.push(algorithm_code(digest.algorithm()));
    key.extend(digest.hash());
    key
}

/// The prefix of the manifests that refer to `subject`; the referring digest follows.
pub fn referrers(repository: &Repository, subject: &Digest) -> Vec<u8> {
    held(b's', repository, subject)
}

/// The size of a blob that the repository holds.
pub fn link(repository: &Repository, digest: &Digest) -> Vec<u8> {
    held(b'l', repository, digest)
}

/// The size of a blob, once for each repository that holds it.
pub fn holder(digest: &Digest, repository: &Repository) -> Vec<u8> {
    let mut key = holders(digest);
    key.extend(repository.as_str().as_bytes());
    key
}

/// The prefix of the repositories that hold a blob; the name follows.
pub fn holders(digest: &Digest) -> Vec<u8> {
    join(b'h', &[&[algorithm_code(digest.algorithm())], digest.hash()])
}

/// An open upload.
pub fn upload(id: UploadId) -> Vec<u8> {
    join(b'u', &[id.as_bytes()])
}

/// An intent.
pub fn intent(id: IntentId) -> Vec<u8> {
    join(b'i', &[id.0.as_bytes()])
}

/// A record.
pub fn record(shelf: Shelf, name: &str) -> Vec<u8> {
    join(b'a', &[&[shelf_code(shelf)], name.as_bytes()])
}

/// The prefix of the records of a shelf; the name follows.
pub fn records(shelf: Shelf) -> Vec<u8> {
    join(b'a', &[&[shelf_code(shelf)]])
}

/// There if a record is about to change in storage.
pub fn pending(shelf: Shelf, name: &str) -> Vec<u8> {
    join(b'p', &[&[shelf_code(shelf)], name.as_bytes()])
}

/// When a secret was last used.
pub fn used(token: &str) -> Vec<u8> {
    join(b'w', &[token.as_bytes()])
}

/// A key that signs access tokens.
pub fn signing_key(id: &str) -> Vec<u8> {
    join(b'g', &[id.as_bytes()])
}

/// An event of the audit trail.
pub fn event(number: u64) -> Vec<u8> {
    join(b'e', &[&number.to_be_bytes()])
}

/// The piece of that number after the first row of a long value.
pub fn piece(key: &[u8], number: u8) -> Vec<u8> {
    join(b'x', &[key, &[number]])
}

/// The prefix of all pieces of the long values of a table.
pub fn pieces(table: u8) -> Vec<u8> {
    vec![b'x', table]
}

/// The smallest key after all keys that begin with `prefix`.
pub fn after(prefix: &[u8]) -> Vec<u8> {
    let mut key = prefix.to_vec();
    while let Some(last) = key.pop() {
        if last < u8::MAX {
            key.push(last + 1);
            break;
        }
    }
    key
}

/// The smallest key that is greater than `key`.
pub fn next(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// Reads a digest from the beginning of `bytes`, and what follows it.
pub fn split_digest(bytes: &[u8]) -> Option<(Digest, &[u8])> {
    let (&code, rest) = bytes.split_first()?;
    let algorithm = algorithm_of(code)?;
    let (hash, rest) = rest.split_at_checked(algorithm.size())?;
    Some((Digest::new(algorithm, hash)?, rest))
}

/// Reads the digest that `bytes` are.
pub fn digest(bytes: &[u8]) -> Option<Digest> {
    split_digest(bytes).and_then(|(digest, rest)| rest.is_empty().then_some(digest))
}

/// Reads text that follows a prefix.
pub fn parsed<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Reads the id that follows the prefix of intents.
pub fn intent_id(bytes: &[u8]) -> Option<IntentId> {
    Some(IntentId(Uuid::from_slice(bytes).ok()?))
}

/// Reads the id that follows the prefix of uploads.
pub fn upload_id(bytes: &[u8]) -> Option<UploadId> {
    Uuid::from_slice(bytes).ok()?.to_string().parse().ok()
}

/// Reads the number that follows the prefix of events.
pub fn event_number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// Whether a record can have this name.
pub fn is_record_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
}

/// Reads the shelf and the name that follow the prefix of what is pending.
pub fn shelf_and_name(bytes: &[u8]) -> Option<(Shelf, String)> {
    let (&code, name) = bytes.split_first()?;
    let shelf = Shelf::ALL.into_iter().find(|&shelf| shelf_code(shelf) == code)?;
    Some((shelf, parsed(name)?))
}

fn shelf_code(shelf: Shelf) -> u8 {
    match shelf {
        Shelf::Users => 1,
        Shelf::Groups => 2,
        Shelf::ServiceAccounts => 3,
        Shelf::Tokens => 4,
        Shelf::Grants => 5,
        Shelf::Marks => 6,
    }
}

/// The byte that stands for an algorithm.
pub fn algorithm_code(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Sha256 => 1,
        Algorithm::Sha512 => 2,
    }
}

/// The algorithm that a byte stands for.
pub fn algorithm_of(code: u8) -> Option<Algorithm> {
    Algorithm::ALL.into_iter().find(|&algorithm| algorithm_code(algorithm) == code)
}

fn held(table: u8, repository: &Repository, digest: &Digest) -> Vec<u8> {
    join(table, &[repository.as_str().as_bytes(), &[0, algorithm_code(digest.algorithm())], digest.hash()])
}

fn join(table: u8, parts: &[&[u8]]) -> Vec<u8> {
    // Room for a digest and a tag more, which some callers append.
    let mut key = Vec::with_capacity(parts.iter().map(|part| part.len()).sum::<usize>() + 48);
    key.push(table);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn repository() -> impl Strategy<Value = Repository> {
        "[a-z0-9]{1,3}([._/-][a-z0-9]{1,2}){0,3}".prop_map(|name| name.parse().unwrap())
    }

    fn any_digest() -> impl Strategy<Value = Digest> {
        // Bytes of both ends, so that many share a beginning.
        let hash = |size| proptest::collection::vec(prop_oneof![Just(0u8), Just(255u8), any::<u8>()], size);
        prop_oneof![
            hash(32).prop_map(|hash| Digest::new(Algorithm::Sha256, &hash).unwrap()),
            hash(64).prop_map(|hash| Digest::new(Algorithm::Sha512, &hash).unwrap()),
        ]
    }

    fn any_tag() -> impl Strategy<Value = Tag> {
        "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,3}".prop_map(|tag| tag.parse().unwrap())
    }

    proptest! {
        #[test]
        fn no_prefix_takes_in_rows_of_another(
            a in repository(), b in repository(), one in any_digest(), other in any_digest(), name in any_tag(),
        ) {
            prop_assert_eq!(tag(&a, &name).starts_with(&tags(&b)), a == b);
            let same = a == b && one == other;
            prop_assert_eq!(tag_of(&a, &one, &name).starts_with(&tags_of(&b, &other)), same);
            prop_assert_eq!(referrer(&a, &one, &other).starts_with(&referrers(&b, &other)), same);
            prop_assert_eq!(holder(&one, &a).starts_with(&holders(&other)), one == other);
        }

        #[test]
        fn keys_keep_the_order_of_what_they_name(
            a in repository(), b in repository(), one in any_digest(), other in any_digest(), s in any_tag(), t in any_tag(),
        ) {
            prop_assert_eq!(catalog(&a).cmp(&catalog(&b)), a.as_str().cmp(b.as_str()));
            prop_assert_eq!(tag(&a, &s).cmp(&tag(&a, &t)), s.as_str().cmp(t.as_str()));
            let order = one.to_string().cmp(&other.to_string());
            prop_assert_eq!(referrer(&a, &one, &one).cmp(&referrer(&a, &one, &other)), order);
        }

        #[test]
        fn what_follows_a_prefix_reads_back(a in repository(), one in any_digest(), other in any_digest(), t in any_tag()) {
            let rest = |key: Vec<u8>, prefix: Vec<u8>| key.strip_prefix(prefix.as_slice()).unwrap().to_vec();
            prop_assert_eq!(parsed(&rest(tag(&a, &t), tags(&a))), Some(t.clone()));
            prop_assert_eq!(parsed(&rest(tag_of(&a, &one, &t), tags_of(&a, &one))), Some(t));
            prop_assert_eq!(digest(&rest(referrer(&a, &one, &other), referrers(&a, &one))), Some(other));
            prop_assert_eq!(parsed(&rest(holder(&one, &a), holders(&one))), Some(a.clone()));
            prop_assert_eq!(parsed(&rest(catalog(&a), CATALOG.to_vec())), Some(a));
        }

        #[test]
        fn names_of_records_keep_their_order_and_read_back(
            a in ".{0,9}", b in ".{0,9}", one in proptest::sample::select(Shelf::ALL.to_vec()),
            other in proptest::sample::select(Shelf::ALL.to_vec()), number: u64, next: u64,
        ) {
            prop_assert_eq!(record(one, &a).cmp(&record(one, &b)), a.cmp(&b));
            prop_assert_eq!(record(one, &a).starts_with(&records(other)), one == other);
            prop_assert_eq!(shelf_and_name(&pending(one, &a)[PENDING.len()..]), Some((one, a)));
            prop_assert_eq!(event(number).cmp(&event(next)), number.cmp(&next));
            prop_assert_eq!(event_number(&event(number)[EVENTS.len()..]), Some(number));
        }

        #[test]
        fn after_is_the_end_of_a_prefix(prefix in proptest::collection::vec(any::<u8>(), 1..5), key in proptest::collection::vec(any::<u8>(), 0..8)) {
            prop_assume!(prefix != [255; 1] && prefix.iter().any(|&byte| byte < 255));
            let inside = prefix <= key && key < after(&prefix);
            prop_assert_eq!(inside, key.starts_with(&prefix));
        }

        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
            let _ = (digest(&bytes), parsed::<Tag>(&bytes), intent_id(&bytes), upload_id(&bytes));
            let _ = (shelf_and_name(&bytes), event_number(&bytes));
        }
    }

    #[test]
    fn ids_read_back() {
        let (one, other) = (UploadId::random(), IntentId::random());
        assert_eq!(upload_id(&upload(one)[UPLOADS.len()..]), Some(one));
        assert_eq!(intent_id(&intent(other)[INTENTS.len()..]), Some(other));
    }
}
