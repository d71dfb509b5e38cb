//! What stands in the file or object of a record: the same text in every backend, so that one may be copied to the
//! other. What does not read is an error that never repeats what it read: it may be the hash of a password.

use crate::record::{RECORD_BYTES_MAX, Record};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Greatest version: what every reader of JSON can read.
pub const VERSION_MAX: u64 = 1 << 53;
/// Largest file: the record, and room for how it is wrapped, also if somebody has written that by hand.
pub const FILE_BYTES_MAX: usize = RECORD_BYTES_MAX + 4096;

/// Longest text that says that a record was removed.
pub const REMOVAL_BYTES_MAX: usize = 64;

/// A file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped<'a> {
    version: u64,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// The text of a file; `None` if the record is not JSON.
pub fn text(version: u64, json: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec(&Wrapped { version, record: serde_json::from_slice(json).ok()? }).ok()
}

/// Reads a file's text, or tells why it is none.
pub fn parse(text: &Bytes) -> Result<Record, String> {
    // The error itself is not told: it may quote the text.
    let wrapped: Wrapped<'_> = serde_json::from_slice(text)
        .map_err(|e| format!("it is no record (line {}, column {})", e.line(), e.column()))?;
    if wrapped.version == 0 || wrapped.version > VERSION_MAX {
        return Err("its version is no version".into());
    }
    let json = wrapped.record.get().as_bytes();
    if json.len() > RECORD_BYTES_MAX {
        return Err("it is too large".into());
    }
    Ok(Record { version: wrapped.version, json: text.slice_ref(json) })
}

/// What is left of a record in a bucket, in place of its text: that it was removed, and which version it had.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Removal {
    #[serde(rename = "removed")]
    _removed: u64,
}

/// The text that says that the record of a version was removed.
pub fn removal(version: u64) -> Vec<u8> {
    format!("{{\"removed\":{version}}}").into_bytes()
}

/// Whether a text says that its record was removed. Who meets it meets no record, in whatever backend it has come to.
pub fn is_removal(text: &[u8]) -> bool {
    text.len() <= REMOVAL_BYTES_MAX && serde_json::from_slice::<Removal>(text).is_ok()
}

/// Reads the highest version of all records that were removed from a shelf, or tells why it is none.
pub fn parse_removed(text: &[u8]) -> Result<u64, String> {
    let version = std::str::from_utf8(text).ok().and_then(|text| text.trim_end().parse().ok());
    version.filter(|&version| version <= VERSION_MAX).ok_or_else(|| "it is no version".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Result<Record, String> {
        parse(&Bytes::copy_from_slice(text.as_bytes()))
    }

    proptest! {
        #[test]
        fn a_file_reads_as_it_was_written(version in 1..=VERSION_MAX, field in ".*", number: f64) {
            let json = serde_json::json!({ "z": field, "a": [number, null] }).to_string();
            let record = parse(&text(version, json.as_bytes()).unwrap().into()).unwrap();
            prop_assert_eq!(record, Record { version, json: json.into() });
        }

        #[test]
        fn a_file_that_was_cut_does_not_read(version in 1..=VERSION_MAX, field in ".*", cut in 1_usize..40) {
            let json = serde_json::json!({ "field": field }).to_string();
            let text = text(version, json.as_bytes()).unwrap();
            let left = text.len() - cut.min(text.len());
            prop_assert!(parse(&Bytes::copy_from_slice(&text[..left])).is_err());
        }

        #[test]
        fn reading_never_panics(text in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&text.into());
        }
    }

    #[test]
    fn a_file_may_be_written_by_hand() {
        let record = parsed("{\n  \"record\": {\"a\": 1},\n  \"version\": 7\n}\n").unwrap();
        assert_eq!((record.version, &record.json[..]), (7, b"{\"a\": 1}".as_slice()));
    }

    #[test]
    fn a_removal_is_no_record_and_no_record_is_a_removal() {
        for version in [1, VERSION_MAX] {
            let text = removal(version);
            assert!(is_removal(&text) && parse(&text.into()).is_err());
        }
        assert!(!is_removal(&text(1, b"{}").unwrap()));
        for foreign in ["", "{}", r#"{"removed":-1}"#, r#"{"removed":1,"more":1}"#, r#"{"removed":1} {}"#] {
            assert!(!is_removal(foreign.as_bytes()), "{foreign}");
        }
    }

    #[test]
    fn what_is_foreign_does_not_read() {
        let foreign = [
            "",
            "{}",
            "null",
            r#"{"version":1}"#,
            r#"{"record":{}}"#,
            r#"{"version":0,"record":{}}"#,
            r#"{"version":-1,"record":{}}"#,
            r#"{"version":1.5,"record":{}}"#,
            r#"{"version":9007199254740993,"record":{}}"#,
            r#"{"version":1,"version":2,"record":{}}"#,
            r#"{"version":1,"record":{},"record":{}}"#,
            r#"{"version":1,"record":{},"more":1}"#,
            r#"{"version":1,"record":{}} {}"#,
            r#"{"version":1,"record":{"a"}}"#,
            "{\"version\":1,\"record\":\"\u{0}\"}",
        ];
        for text in foreign {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_does_not_read_is_not_repeated() {
        for text in [r#"{"version":"$argon2id$canary"}"#, r#"{"$argon2id$canary":1}"#, "$argon2id$canary"] {
            assert!(!parsed(text).unwrap_err().contains("canary"));
        }
    }

    #[test]
    fn what_is_no_json_is_not_wrapped() {
        for json in ["", "{", "{} {}", "\u{feff}{}", "{\"a\":1,}", "}, \"version\": 9, \"x\": {"] {
            assert_eq!(text(1, json.as_bytes()), None, "{json}");
        }
        assert_eq!(text(1, b"\xff"), None);
        assert_eq!(text(7, b" {\"a\": 1}\n").unwrap(), br#"{"version":7,"record":{"a": 1}}"#);
    }
}
