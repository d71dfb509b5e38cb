//! News from other replicas, off the paper of this one.

use crate::metadata::error::Result;
use crate::metadata::news::{News, Newspaper};
use crate::metadata::postgres::accounts::{find, list};
use crate::metadata::postgres::database::Database;
use crate::metadata::postgres::paper::Paper;
use crate::oci::page::{Listed, Page};
use crate::record::{Record, Shelf};
use std::sync::atomic::Ordering;

#[async_trait::async_trait]
impl Newspaper for Database {
    async fn next(&self) -> Result<News> {
        let mut paper = self.paper.lock().await;
        // Whoever asks for more has taken up what came before.
        self.taken_up.store(paper.last(), Ordering::Release);
        paper.next(&self.own, self.process).await
    }

    async fn look_up(&self, shelf: Shelf, name: &str) -> Result<Option<Record>> {
        find(&self.own, shelf, name).await
    }

    async fn leaf_through(&self, shelf: Shelf, page: &Page) -> Result<Listed<(String, Record)>> {
        list(&self.own, shelf, page).await
    }

    async fn unread(&self) -> Result<News> {
        let mut paper = Paper::from(self.taken_up.load(Ordering::Acquire));
        let mut unread = Vec::new();
        loop {
            let before = paper.last();
            match paper.read(&self.connections, self.process).await? {
                News::Records(records) => unread.extend(records),
                News::Anything => return Ok(News::Anything),
                News::Nothing if paper.last() == before => return Ok(News::Records(unread)),
                News::Nothing => {}
            }
        }
    }
}
