//! News from other replicas, off the paper of this one.

use crate::metadata::error::Result;
use crate::metadata::news::{News, Newspaper};
use crate::metadata::postgres::database::Database;
use crate::metadata::postgres::paper::Paper;
use std::sync::atomic::Ordering;

#[async_trait::async_trait]
impl Newspaper for Database {
    async fn next(&self) -> Result<News> {
        let mut paper = self.paper.lock().await;
        // Whoever asks for more has taken up what came before.
        self.taken_up.store(paper.last(), Ordering::Release);
        loop {
            if let Some(news) = paper.read(&self.own, self.process).await? {
                return Ok(news);
            }
            paper.wait(&self.own).await;
        }
    }

    async fn unread(&self) -> Result<News> {
        let mut paper = Paper::from(self.taken_up.load(Ordering::Acquire));
        let mut unread = Vec::new();
        loop {
            let before = paper.last();
            match paper.read(&self.connections, self.process).await? {
                Some(News::Records(records)) => unread.extend(records),
                Some(News::Anything) => return Ok(News::Anything),
                None if paper.last() == before => return Ok(News::Records(unread)),
                None => {}
            }
        }
    }
}
