//! Who was here a moment ago, and with which access token: they pass for the price of a look, as long as no account
//! has changed since. Whoever is not found here is checked in full.

use crate::auth::session::Session;
use moka::sync::Cache;
use std::sync::Arc;
use std::time::Duration;

/// After so many seconds an account is looked at again, even if nobody said that anything changed: that is how a
/// change of an htpasswd file, or on another replica, is seen.
const LIVE_SECS: u64 = 1;
/// Memory for them.
const LIVE_BYTES: u64 = 32 << 20;
/// What one takes, beside its token and its texts.
const SESSION_BYTES: usize = 1 << 10;
const TEXT_BYTES: usize = 128;
/// The end of a token is the end of its signature: no two have the same by chance. Who makes one that has is told
/// apart by the rest.
const END_BYTES: usize = 32;

type End = [u8; END_BYTES];

/// A session that was let in with an access token.
struct Live {
    token: Box<[u8]>,
    session: Arc<Session>,
    generation: u64,
    seen: u64,
    until: u64,
    texts: usize,
}

/// The moment at which somebody asks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// `Directory::generation`.
    pub generation: u64,
    /// Seconds since the Unix epoch.
    pub now: u64,
}

/// Sessions by their access tokens.
pub struct Here(Cache<End, Arc<Live>>);

impl Default for Here {
    fn default() -> Self {
        let bytes = |_: &End, live: &Arc<Live>| {
            let bytes = SESSION_BYTES + live.token.len() + live.texts * TEXT_BYTES;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let lifetime = Duration::from_secs(LIVE_SECS + 1);
        Self(Cache::builder().max_capacity(LIVE_BYTES).weigher(bytes).time_to_live(lifetime).build())
    }
}

impl Here {
    /// The session of a token that was checked in this generation, a moment ago.
    pub fn find(&self, token: &[u8], at: Moment) -> Option<Arc<Session>> {
        let live = self.0.get(token.last_chunk::<END_BYTES>()?)?;
        let holds = live.generation == at.generation && at.now < live.until && at.now < live.seen + LIVE_SECS;
        (holds && *live.token == *token).then(|| Arc::clone(&live.session))
    }

    /// Remembers the session of a token that holds until then, in seconds since the Unix epoch; `texts`: how many names
    /// are in it.
    pub fn remember(&self, token: &[u8], session: &Arc<Session>, at: Moment, until: u64, texts: usize) {
        let Some(end) = token.last_chunk::<END_BYTES>() else { return };
        let Moment { generation, now } = at;
        let live =
            Live { token: token.into(), session: Arc::clone(session), generation, seen: now, until, texts };
        self.0.insert(*end, Arc::new(live));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_token_at_the_same_moment_is_known() {
        let here = Here::default();
        let session = Arc::new(Session::anonymous());
        let token = [b"header.payload.".as_slice(), &[b's'; 86]].concat();
        let at = Moment { generation: 3, now: 100 };
        here.remember(&token, &session, at, 1000, 0);
        assert!(here.find(&token, at).is_some());
        let other = [b"header.another.".as_slice(), &[b's'; 86]].concat();
        for unknown in [&other[..], &token[1..], &token[..token.len() - 1], b"", b"short"] {
            assert!(here.find(unknown, at).is_none());
        }
        for later in [Moment { generation: 4, ..at }, Moment { now: 101, ..at }, Moment { now: 1000, ..at }] {
            assert!(here.find(&token, later).is_none(), "{later:?}");
        }
    }
}
