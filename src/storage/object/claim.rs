//! The claim on a bucket: one object, written only over what was seen. Whoever wants it watches whether it is renewed,
//! by a clock that nobody sets: two machines need not agree on the time.

use crate::clock::Clock;
use crate::storage::claim::{Claim, Claimed, Holder, Kind, TERM, Written};
use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::object::bucket::{Bucket, PutIf};
use bytes::Bytes;
use object_store::UpdateVersion;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Largest object that is read as a claim.
const CLAIM_BYTES_MAX: usize = 64 << 10;
/// How often somebody else's claim is looked at while it is watched.
const LOOK: Duration = Duration::from_secs(3);

/// The claim on a bucket.
pub struct BucketClaim {
    bucket: Bucket,
    clock: Arc<dyn Clock>,
    term: Duration,
    /// What stands in all that is written here: a claim that bears it is ours, also if nobody has told us that it landed.
    mark: String,
    held: Mutex<Option<Held>>,
}

/// A claim that is ours.
#[derive(Clone)]
struct Held {
    written: Written,
    version: UpdateVersion,
    /// When it was begun to be written: it cannot have been taken from us for `TERM` after that.
    since: Instant,
}

impl BucketClaim {
    /// A claim that is nobody's yet, as far as we know.
    pub fn new(bucket: Bucket, clock: Arc<dyn Clock>) -> Self {
        let mark = uuid::Uuid::new_v4().simple().to_string();
        Self { bucket, clock, term: TERM, mark, held: Mutex::default() }
    }

    /// The same with another term, for tests that would rather not wait.
    #[cfg(test)]
    pub fn with_term(bucket: Bucket, clock: Arc<dyn Clock>, term: Duration) -> Self {
        Self { term, ..Self::new(bucket, clock) }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(&self) -> Result<Option<(Written, UpdateVersion)>> {
        let Some(there) = self.bucket.small(layout::CLAIM, CLAIM_BYTES_MAX).await? else { return Ok(None) };
        let written = Written::read(&there.bytes).map_err(|error| Error::at(layout::CLAIM, error))?;
        Ok(Some((written, there.version)))
    }

    /// A claim of ours.
    fn of(&self, holder: &Holder) -> Written {
        Written { mark: self.mark.clone(), ..Written::by(holder, self.clock.unix_secs()) }
    }

    /// Writes the claim over what was seen; whether that was still there.
    async fn write(&self, written: Written, seen: Option<&UpdateVersion>) -> Result<bool> {
        let since = Instant::now();
        let text = Bytes::from(written.text().map_err(|error| Error::at(layout::CLAIM, error))?);
        match self.bucket.put_if(layout::CLAIM, &text, seen).await? {
            PutIf::Done(version) => {
                *self.held() = Some(Held { written, version, since });
                Ok(true)
            }
            PutIf::Lost => Ok(false),
        }
    }

    /// Renews over what another process of the same database has written. Where that has just been done again, the next
    /// try finds it.
    async fn renew_shared(&self, holder: &Holder) -> Result<Claimed> {
        loop {
            let there = self.look().await?;
            if let Some((other, _)) = &there
                && (other.released || !other.is_of(holder))
            {
                *self.held() = None;
                return Ok(Claimed::Theirs(other.holder.clone()));
            }
            let mut next = self.of(holder);
            next.renewals = there.as_ref().map_or(0, |(written, _)| written.renewals + 1);
            if self.write(next, there.as_ref().map(|(_, version)| version)).await? {
                return Ok(Claimed::Ours);
            }
        }
    }

    /// Watches somebody's claim. `None`: nobody renewed it for all of its term, and it still is of this version.
    async fn watch(&self, of: &Written, version: &UpdateVersion) -> Result<Option<Holder>> {
        tracing::warn!(
            holder = %of.holder,
            secs = self.term.as_secs(),
            "the bucket is claimed by another database, which may be dead: waiting whether it renews its claim"
        );
        let begun = Instant::now();
        while begun.elapsed() < self.term {
            tokio::time::sleep(LOOK.min(self.term / 8)).await;
            match self.look().await? {
                Some((_, now)) if now == *version => {}
                Some((now, _)) if now.released => return Ok(None),
                Some((now, _)) => return Ok(Some(now.holder)),
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}

#[async_trait::async_trait]
impl Claim for BucketClaim {
    async fn take(&self, holder: &Holder, whole: bool) -> Result<Claimed> {
        loop {
            let claim = self.of(holder);
            let seen = match self.look().await? {
                Some((there, version)) if !there.is_free_for(holder) => {
                    if let Some(alive) = self.watch(&there, &version).await? {
                        return Ok(Claimed::Theirs(alive));
                    }
                    self.look().await?.filter(|(now, of)| *of == version || now.released)
                }
                seen => seen,
            };
            if let Some((last, _)) = &seen
                && whole
                && !last.is_of(holder)
            {
                return Ok(Claimed::Outdated(last.holder.clone()));
            }
            if self.write(claim, seen.as_ref().map(|(_, version)| version)).await? {
                return Ok(Claimed::Ours);
            }
        }
    }

    async fn last(&self) -> Result<Option<Holder>> {
        Ok(self.look().await?.map(|(there, _)| there.holder))
    }

    async fn hand_over(&self, to: &Holder) -> Result<()> {
        loop {
            let there = self.look().await?;
            let done =
                self.write(Written::free_after(to), there.as_ref().map(|(_, version)| version)).await?;
            *self.held() = None;
            if done {
                return Ok(());
            }
        }
    }

    async fn renew(&self) -> Result<Claimed> {
        let Some(held) = self.held().clone() else {
            return Err(Error::at(layout::CLAIM, std::io::Error::other("it was never taken")));
        };
        if held.written.holder.kind == Kind::Shared {
            return self.renew_shared(&held.written.holder).await;
        }
        let renewed = |of: &Written| Written { renewals: of.renewals + 1, ..self.of(&held.written.holder) };
        if self.write(renewed(&held.written), Some(&held.version)).await? {
            return Ok(Claimed::Ours);
        }
        // Lost, but perhaps to a renewal of ours: it has landed, and no answer that said so has come.
        if let Some((there, version)) = self.look().await?
            && there.mark == self.mark
            && !there.released
            && self.write(renewed(&there), Some(&version)).await?
        {
            return Ok(Claimed::Ours);
        }
        *self.held() = None;
        Ok(Claimed::Theirs(self.look().await?.map_or(held.written.holder, |(there, _)| there.holder)))
    }

    fn stands(&self) -> bool {
        self.held().as_ref().is_some_and(|held| held.since.elapsed() < self.term)
    }

    async fn release(&self) -> Result<()> {
        let Some(held) = self.held().take() else { return Ok(()) };
        let gone = Written { released: true, until: None, ..held.written };
        let text = Bytes::from(gone.text().map_err(|error| Error::at(layout::CLAIM, error))?);
        // Lost: somebody else has it already.
        self.bucket.put_if(layout::CLAIM, &text, Some(&held.version)).await.map(drop)
    }
}
