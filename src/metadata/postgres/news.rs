//! News from other replicas, off the paper of this one.

use crate::metadata::error::Result;
use crate::metadata::news::{News, Newspaper};
use crate::metadata::postgres::database::Database;

#[async_trait::async_trait]
impl Newspaper for Database {
    async fn next(&self) -> Result<News> {
        let mut paper = self.paper.lock().await;
        loop {
            if let Some(news) = paper.read(&self.own, self.process).await? {
                return Ok(news);
            }
            paper.wait(&self.own).await;
        }
    }
}
