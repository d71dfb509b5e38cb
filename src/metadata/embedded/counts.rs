//! What a repository holds, in numbers: the row that says that it is known, and its place in the catalog.

use crate::metadata::embedded::keys;
use crate::metadata::embedded::rows::{self, Counts};
use crate::metadata::embedded::transaction::Transaction;
use crate::metadata::error::Result;
use crate::oci::repository::Repository;

/// Changes the numbers of a repository, and lists it in the catalog as long as it holds a manifest.
pub fn change(
    transaction: &mut Transaction<'_>,
    repository: &Repository,
    change: impl FnOnce(Counts) -> Counts,
) -> Result<()> {
    let key = keys::counts(repository);
    let before = match transaction.get(&key)? {
        Some(row) => rows::read(&key, &row, Counts::read)?,
        None => Counts::default(),
    };
    let after = change(before);
    match (before.manifests, after.manifests) {
        (0, 1..) => transaction.put(keys::catalog(repository), Vec::new()),
        (1.., 0) => transaction.remove(keys::catalog(repository)),
        _ => (),
    }
    if after == Counts::default() {
        transaction.remove(key);
    } else {
        transaction.put(key, after.write());
    }
    Ok(())
}
