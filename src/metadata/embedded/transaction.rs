//! What one queued operation sees and writes: the database, under the rows of the operations before it in the same
//! group, under its own. Nothing of it reaches the engine before the group is committed.

use crate::metadata::embedded::engine::{Batch, Engine};
use crate::metadata::embedded::keys;
use crate::metadata::error::Result;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// One operation under way.
pub struct Transaction<'a> {
    engine: &'a dyn Engine,
    group: &'a Batch,
    own: Batch,
}

impl<'a> Transaction<'a> {
    /// An operation that has written nothing yet, after those that wrote `group`.
    pub fn new(engine: &'a dyn Engine, group: &'a Batch) -> Self {
        Self { engine, group, own: Batch::new() }
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        match self.own.get(key).or_else(|| self.group.get(key)) {
            Some(written) => Ok(written.clone()),
            None => self.engine.get(key),
        }
    }

    /// All rows whose keys begin with `prefix`, in byte order.
    pub fn rows(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Bytes)>> {
        let until = keys::after(prefix);
        let mut rows = BTreeMap::new();
        self.engine.scan(prefix, &until, &mut |key, value| {
            rows.insert(key.to_vec(), Some(Bytes::copy_from_slice(value)));
            ControlFlow::Continue(())
        })?;
        for written in [self.group, &self.own] {
            let here = written.range(prefix.to_vec()..until.clone());
            rows.extend(here.map(|(key, value)| (key.clone(), value.clone())));
        }
        Ok(rows.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    }

    /// Writes a row.
    pub fn put(&mut self, key: Vec<u8>, value: impl Into<Bytes>) {
        self.own.insert(key, Some(value.into()));
    }

    /// Removes a row, if it is there.
    pub fn remove(&mut self, key: Vec<u8>) {
        self.own.insert(key, None);
    }

    /// What it wrote.
    pub fn into_written(self) -> Batch {
        self.own
    }
}
