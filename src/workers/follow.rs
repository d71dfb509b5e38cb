//! Follows what other processes change of the accounts, so that whoever is disabled there is disabled here within a
//! second, and says up to when all of it is known.

use crate::auth::accounts::{directory::Directory, follow};
use crate::auth::error::Result;
use crate::auth::gate::Gate;
use crate::metadata::news::{News, Newspaper};
use crate::record::Shelf;
use crate::registry::parts::Registry;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long the metadata is left alone after it did not answer.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often it is looked whether the accounts are read for the first time.
const READY_EVERY: Duration = Duration::from_millis(100);

/// Follows for as long as it is polled.
pub async fn run(gate: Arc<Gate>, registry: Arc<Registry>) {
    if registry.metadata.shared.is_none() {
        return; // there is no other process
    }
    while !registry.readiness.is_ready() {
        tokio::time::sleep(READY_EVERY).await;
    }
    follow(&gate.directory, registry.metadata.newspaper.as_ref()).await;
}

async fn follow(directory: &Directory, newspaper: &dyn Newspaper) {
    let (mut following, mut pause) = (Following::default(), PAUSE);
    directory.freshness.known(Instant::now());
    loop {
        let missed = following.missed;
        match step(directory, newspaper, &mut following).await {
            Ok(()) => {
                if missed {
                    tracing::info!("changes of accounts by other replicas are seen again");
                }
                pause = PAUSE;
            }
            Err(error) => {
                if !missed {
                    tracing::error!(%error, "changes of accounts by other replicas cannot be seen");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

#[derive(Default)]
struct Following {
    /// There was an outage: what was told, and could not be looked up, is not told twice.
    missed: bool,
    /// Records that are being changed here, and are to be read when that is over. They do not keep the others waiting.
    later: Vec<(Shelf, String)>,
}

/// One piece of news. After an outage everything is read again.
async fn step(directory: &Directory, newspaper: &dyn Newspaper, following: &mut Following) -> Result<()> {
    // Before anything is asked: what comes meanwhile may or may not be seen.
    let asked = Instant::now();
    let mut records = std::mem::take(&mut following.later);
    // What is not read now, because something fails, is read with all the rest.
    let missed = std::mem::replace(&mut following.missed, true);
    if missed {
        records.extend(follow::all(directory, newspaper).await?);
    } else {
        match newspaper.next().await? {
            News::Nothing => {}
            News::Anything => records.extend(follow::all(directory, newspaper).await?),
            News::Records(told) => records.extend(told),
        }
    }
    for (shelf, name) in records {
        if !follow::one(directory, newspaper, shelf, &name).await? {
            following.later.push((shelf, name));
        }
    }
    if following.later.is_empty() {
        directory.freshness.known(asked);
    }
    following.missed = false;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::identity::AccountKind;
    use crate::auth::accounts::fakes::World;
    use crate::auth::accounts::form::{NewToken, NewUser};
    use crate::auth::accounts::freshness::STALE_AFTER;
    use crate::auth::accounts::identity::identity;
    use crate::auth::accounts::mint::{self, Remembered};
    use crate::auth::accounts::owner::Owner;
    use crate::auth::accounts::token::Minted;
    use crate::auth::accounts::{tokens, users};
    use crate::metadata::accounts::Accounts;
    use crate::metadata::error::Error;
    use crate::oci::page::{Listed, Page};
    use crate::record::Record;
    use tokio::sync::Mutex;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    /// News as a test tells them.
    struct Told {
        news: Mutex<UnboundedReceiver<crate::metadata::error::Result<News>>>,
        accounts: Arc<dyn Accounts>,
    }

    #[async_trait::async_trait]
    impl Newspaper for Told {
        async fn next(&self) -> crate::metadata::error::Result<News> {
            match self.news.lock().await.recv().await {
                Some(news) => news,
                None => std::future::pending().await,
            }
        }

        async fn look_up(&self, shelf: Shelf, name: &str) -> crate::metadata::error::Result<Option<Record>> {
            self.accounts.find(shelf, name).await
        }

        async fn leaf_through(
            &self,
            shelf: Shelf,
            page: &Page,
        ) -> crate::metadata::error::Result<Listed<(String, Record)>> {
            self.accounts.list(shelf, page).await
        }

        async fn unread(&self) -> crate::metadata::error::Result<News> {
            Ok(News::Nothing)
        }
    }

    fn newspaper(of: &Directory) -> (UnboundedSender<crate::metadata::error::Result<News>>, Told) {
        let (tell, told) = unbounded_channel();
        (tell, Told { news: Mutex::new(told), accounts: Arc::clone(&of.accounts) })
    }

    /// Waits until `done`, while `directory` follows.
    async fn until(directory: &Directory, newspaper: &Told, done: impl Fn(&Directory) -> bool) {
        let reached = async {
            while !done(directory) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = follow(directory, newspaper) => {}
            reached = tokio::time::timeout(Duration::from_secs(10), reached) => reached.unwrap(),
        }
    }

    fn user(name: &str) -> NewUser {
        NewUser { name: name.into(), ..NewUser::default() }
    }

    #[tokio::test]
    async fn whoever_is_disabled_elsewhere_is_disabled_here() {
        let world = World::default();
        let there = world.start().await;
        users::create(&there, user("alice"), None).await.unwrap();
        let login = identity(&there, AccountKind::User, "alice").await.unwrap().unwrap();
        let token = mint::personal(&there, &login, NewToken::default(), Remembered::default()).await.unwrap();
        let revoked =
            mint::personal(&there, &login, NewToken::default(), Remembered::default()).await.unwrap();
        let here = world.start().await;
        // Looked at and remembered here.
        let checked =
            async |minted: &Minted| tokens::check(&here, minted.secret.expose()).await.unwrap().is_some();
        assert!(checked(&token).await && checked(&revoked).await);
        let (tell, told) = newspaper(&here);
        let changed = async |shelf, name: &str| {
            let generation = here.generation();
            tell.send(Ok(News::Records(vec![(shelf, name.into())]))).unwrap();
            until(&here, &told, |here| here.generation() > generation).await;
        };
        tokens::revoke(&there, &Owner::of(&login), &revoked.token.id).await.unwrap();
        changed(Shelf::Tokens, &revoked.token.id).await;
        assert!(!checked(&revoked).await && checked(&token).await);
        users::set_disabled(&there, "alice", true).await.unwrap();
        changed(Shelf::Users, "alice").await;
        assert!(!checked(&token).await);
        assert!(identity(&here, AccountKind::User, "alice").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn after_an_outage_everything_is_read_again() {
        let world = World::default();
        let (there, here) = (world.start().await, world.start().await);
        users::create(&there, user("alice"), None).await.unwrap();
        users::create(&there, user("bob"), None).await.unwrap();
        let known = |here: &Directory, name| here.knows_account(name);
        let (tell, told) = newspaper(&here);
        tell.send(Ok(News::Records(vec![(Shelf::Users, "alice".into())]))).unwrap();
        until(&here, &told, |here| known(here, "alice")).await;
        assert!(!known(&here, "bob"), "nobody has told of bob");
        tell.send(Err(Error::Unreachable("made up".into()))).unwrap();
        until(&here, &told, |here| known(here, "bob")).await;
        users::remove(&there, "bob").await.unwrap();
        tell.send(Ok(News::Anything)).unwrap();
        until(&here, &told, |here| !known(here, "bob")).await;
        assert!(known(&here, "alice"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_heard_nothing_for_long_is_stale() {
        let world = World::default();
        let here = world.start().await;
        let (tell, told) = newspaper(&here);
        assert!(!here.freshness.is_stale(), "nobody else changes anything");
        let silence = STALE_AFTER + Duration::from_secs(1);
        let heard = async {
            tokio::time::sleep(silence).await;
            assert!(here.freshness.is_stale());
            tell.send(Ok(News::Nothing)).unwrap();
            tell.send(Ok(News::Nothing)).unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(!here.freshness.is_stale());
        };
        tokio::select! {
            () = follow(&here, &told) => {}
            () = heard => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_that_is_being_changed_keeps_no_other_news_waiting() {
        let world = World::default();
        let (there, here) = (world.start().await, world.start().await);
        users::create(&there, user("alice"), None).await.unwrap();
        users::create(&there, user("bob"), None).await.unwrap();
        let (tell, told) = newspaper(&here);
        let held = here.locks.record(Shelf::Users, "alice").await;
        for name in ["alice", "bob"] {
            tell.send(Ok(News::Records(vec![(Shelf::Users, name.into())]))).unwrap();
        }
        let quiet = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(here.knows_account("bob") && !here.knows_account("alice"));
            for _ in 0..=STALE_AFTER.as_secs() {
                tell.send(Ok(News::Nothing)).unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            assert!(here.freshness.is_stale(), "one is not known");
            drop(held);
            tell.send(Ok(News::Nothing)).unwrap();
            tell.send(Ok(News::Nothing)).unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(here.knows_account("alice") && !here.freshness.is_stale());
        };
        tokio::select! {
            () = follow(&here, &told) => {}
            () = quiet => {}
        }
    }
}
