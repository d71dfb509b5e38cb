//! Between our values and those of columns.

use crate::metadata::error::{Error, Result};
use crate::metadata::postgres::faults;
use crate::oci::digest::{Algorithm, Digest};
use crate::oci::media_type::Kind;
use crate::record::Shelf;
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, Type};

/// A column of a row. One that does not read is damaged.
pub fn column<'r, T: Decode<'r, Postgres> + Type<Postgres>>(row: &'r PgRow, name: &str) -> Result<T> {
    row.try_get(name).map_err(faults::told)
}

/// The only column of the only row: what a function answers.
pub fn answer<T: for<'r> Decode<'r, Postgres> + Type<Postgres>>(rows: &[PgRow]) -> Result<T> {
    let row = rows.first().ok_or_else(|| Error::Fault("no row where there is always one".into()))?;
    row.try_get(0).map_err(faults::told)
}

/// The error for a column that does not read.
pub fn damaged(name: &str) -> Error {
    Error::Damaged(format!("of column {name}"))
}

/// A digest from the bytes of its hash, whose number tells the algorithm.
pub fn digest(name: &str, hash: &[u8]) -> Result<Digest> {
    let read = Algorithm::ALL.into_iter().find_map(|algorithm| Digest::new(algorithm, hash));
    read.ok_or_else(|| damaged(name))
}

/// The bytes of many digests.
pub fn hashes(digests: &[Digest]) -> Vec<&[u8]> {
    digests.iter().map(Digest::hash).collect()
}

/// A text that names something.
pub fn parsed<T: std::str::FromStr>(name: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| damaged(name))
}

/// A kind of manifest, as its column has it.
pub fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::OciImage => "oci-image",
        Kind::OciIndex => "oci-index",
        Kind::DockerImage => "docker-image",
        Kind::DockerList => "docker-list",
    }
}

/// A kind of manifest.
pub fn kind(text: &str) -> Result<Kind> {
    Kind::ALL.into_iter().find(|kind| kind_text(*kind) == text).ok_or_else(|| damaged("kind"))
}

/// A time, a number or a limit that is only compared: what is too large for a column is as good as the largest.
pub fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The same, for a number of entries.
pub fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// What such a column holds.
pub fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A text before its first NUL, which no column takes. No name has one, so what sorts after the whole text is what sorts
/// after this.
pub fn before_nul(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

/// Where a page begins: what sorts after this text.
pub fn last(last: Option<&str>) -> &str {
    before_nul(last.unwrap_or_default())
}

/// The shelves that this program knows. A newer one, which works with the same tables, may have others.
pub fn shelves() -> Vec<&'static str> {
    Shelf::ALL.map(Shelf::as_str).to_vec()
}

/// The record that a row names. `None`: it is on a shelf of a newer program.
pub fn shelf_and_name(row: &PgRow) -> Result<Option<(Shelf, String)>> {
    let text: &str = column(row, "shelf")?;
    let shelf = Shelf::ALL.into_iter().find(|shelf| shelf.as_str() == text);
    shelf.map(|shelf| Ok((shelf, column(row, "name")?))).transpose()
}
