//! News from other replicas, off the paper of this one.

use crate::metadata::error::Result;
use crate::metadata::news::{News, Newspaper};
use crate::metadata::postgres::accounts::{find, list};
use crate::metadata::postgres::database::Database;
use crate::oci::page::{Listed, Page};
use crate::record::{Record, Shelf};

#[async_trait::async_trait]
impl Newspaper for Database {
    async fn next(&self) -> Result<News> {
        self.paper.lock().await.next(&self.own, self.process).await
    }

    async fn look_up(&self, shelf: Shelf, name: &str) -> Result<Option<Record>> {
        find(&self.own, shelf, name).await
    }

    async fn leaf_through(&self, shelf: Shelf, page: &Page) -> Result<Listed<(String, Record)>> {
        list(&self.own, shelf, page).await
    }
}
