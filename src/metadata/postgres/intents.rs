//! Intents in PostgreSQL: what each replica has under its hands, and so what keeps the others from it.

use crate::metadata::error::{Error, Result};
use crate::metadata::intents::{Begun, Intent, IntentId, Intents, Settling};
use crate::metadata::postgres::columns::{answer, column, count, digest, hashes, number, parsed, shelves};
use crate::metadata::postgres::database::Database;
use crate::metadata::postgres::statement::Statement;
use crate::oci::digest::Digest;
use crate::oci::tag::Tag;
use sqlx::postgres::PgRow;
use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use uuid::Uuid;

/// What came of a beginning.
pub enum Beginning {
    /// It stands.
    Stands,
    /// Another replica's is in its way.
    InTheWay,
    /// No replica begins anything.
    Held,
    /// The lease of this replica has ended.
    Lapsed,
}

impl Beginning {
    /// In the words of the functions `begin_intent` and `begin_record`.
    pub fn read(rows: &[PgRow]) -> Result<Self> {
        match answer::<String>(rows)?.as_str() {
            "stands" => Ok(Self::Stands),
            "in the way" => Ok(Self::InTheWay),
            "held" => Ok(Self::Held),
            "lapsed" => Ok(Self::Lapsed),
            other => Err(Error::Fault(format!("a beginning that is {other:?}"))),
        }
    }
}

#[async_trait::async_trait]
impl Intents for Database {
    async fn begin(&self, id: IntentId, intent: &Intent) -> Result<Begun> {
        self.begin_past(id, intent, None).await
    }

    async fn begin_settling(&self, id: IntentId, intent: &Intent, what: Settling) -> Result<Begun> {
        self.begin_past(id, intent, Some(what)).await
    }

    async fn regain(&self, id: IntentId) -> Result<bool> {
        if !self.replica.is_alive() {
            self.replica.beat().await?;
        }
        let me = self.replica.id();
        let asked = Statement::new("SELECT true FROM holdfast.intents WHERE id = $1 AND replica = $2");
        let stands = !self.read(asked.bind(id.0).bind(me)).await?.is_empty();
        if stands {
            self.held().insert(id, me);
        } else {
            self.release(Some(id));
        }
        Ok(stands)
    }

    async fn end(&self, id: IntentId) -> Result<()> {
        let end = Statement::new("DELETE FROM holdfast.intents WHERE id = $1 AND replica = $2");
        self.write(end.bind(id.0).bind(self.replica.id())).await?;
        // Not before it is gone: one that stands and is not held would be a lock without a holder.
        self.release(Some(id));
        Ok(())
    }

    fn leave(&self, id: IntentId) {
        self.release(Some(id));
    }

    async fn pending(&self, count_max: usize) -> Result<Vec<(IntentId, Intent)>> {
        let me = self.replica.id();
        let held: Vec<Uuid> = self.held().keys().map(|id| id.0).collect();
        let asked = Statement::new("SELECT * FROM holdfast.pending_intents($1, $2, $3, $4, $5)")
            .bind(me)
            .bind(shelves())
            .bind(held)
            .bind(number(self.stray_secs))
            .bind(count(count_max));
        let pending: Vec<_> = self.write(asked).await?.iter().map(read).collect::<Result<_>>()?;
        self.held().extend(pending.iter().map(|(id, _)| (*id, me)));
        Ok(pending)
    }

    fn holds(&self, id: IntentId) -> bool {
        self.replica.is_alive() && self.held().get(&id) == Some(&self.replica.id())
    }
}

impl Database {
    /// Intents that this process has begun or was handed, and as whom.
    fn held(&self) -> MutexGuard<'_, HashMap<IntentId, Uuid>> {
        self.holding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An intent was fulfilled, or is lost: it is not held any more.
    pub fn release(&self, id: Option<IntentId>) {
        if let Some(id) = id {
            self.held().remove(&id);
        }
    }

    async fn begin_past(&self, id: IntentId, intent: &Intent, what: Option<Settling>) -> Result<Begun> {
        const TRIES: usize = 3;
        for _ in 0..TRIES {
            let me = self.replica.id();
            match self.begin_as(id, intent, what, me).await? {
                Beginning::Stands => {
                    self.held().insert(id, me);
                    return Ok(Begun::Stands);
                }
                Beginning::InTheWay => return Ok(Begun::InTheWay),
                Beginning::Held => return Ok(Begun::Held),
                Beginning::Lapsed => self.replica.beat().await?,
            }
        }
        Err(Error::Unreachable("the lease of this replica ends as soon as it is renewed".into()))
    }

    async fn begin_as(
        &self,
        id: IntentId,
        intent: &Intent,
        what: Option<Settling>,
        me: Uuid,
    ) -> Result<Beginning> {
        let tags: Vec<&str> = intent.tags.iter().map(Tag::as_str).collect();
        let begin = Statement::new("SELECT holdfast.begin_intent($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(id.0)
            .bind(me)
            .bind(what != Some(Settling::Handed))
            .bind(what.is_some())
            .bind(intent.repository.as_str())
            .bind(intent.removing)
            .bind(hashes(&intent.blobs))
            .bind(hashes(&intent.manifests))
            .bind(tags);
        Beginning::read(&self.write(begin).await?)
    }
}

/// An intent from its row.
pub fn read(row: &PgRow) -> Result<(IntentId, Intent)> {
    let digests = |name| -> Result<Vec<Digest>> {
        column::<Vec<Vec<u8>>>(row, name)?.iter().map(|hash| digest(name, hash)).collect()
    };
    let tags: Vec<String> = column(row, "tags")?;
    let intent = Intent {
        repository: parsed("repository", column(row, "repository")?)?,
        blobs: digests("blobs")?,
        manifests: digests("manifests")?,
        tags: tags.iter().map(|tag| parsed("tags", tag)).collect::<Result<_>>()?,
        removing: column(row, "removing")?,
    };
    Ok((IntentId(column(row, "id")?), intent))
}
