//! Follows what other processes change of the accounts, so that whoever is disabled there is disabled here within a
//! second. Where there is no other process it waits for ever.

use crate::auth::accounts::{directory::Directory, follow};
use crate::auth::error::Result;
use crate::auth::gate::Gate;
use crate::metadata::news::{News, Newspaper};
use crate::registry::parts::Registry;
use std::sync::Arc;
use std::time::Duration;

/// How long the metadata is left alone after it did not answer.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often it is looked whether the accounts are read for the first time.
const READY_EVERY: Duration = Duration::from_millis(100);

/// Follows for as long as it is polled.
pub async fn run(gate: Arc<Gate>, registry: Arc<Registry>) {
    while !registry.readiness.is_ready() {
        tokio::time::sleep(READY_EVERY).await;
    }
    follow(&gate.directory, registry.metadata.newspaper.as_ref()).await;
}

async fn follow(directory: &Directory, newspaper: &dyn Newspaper) {
    let (mut missed, mut pause) = (false, PAUSE);
    loop {
        match step(directory, newspaper, missed).await {
            Ok(()) => {
                if missed {
                    tracing::info!("changes of accounts by other replicas are seen again");
                }
                (missed, pause) = (false, PAUSE);
            }
            Err(error) => {
                if !missed {
                    tracing::error!(%error, "changes of accounts by other replicas cannot be seen");
                }
                missed = true;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

/// One piece of news. After an outage everything is read again: what was told, and could not be looked up, is not told
/// twice.
async fn step(directory: &Directory, newspaper: &dyn Newspaper, missed: bool) -> Result<()> {
    if missed {
        return follow::all(directory).await;
    }
    match newspaper.next().await? {
        News::Anything => follow::all(directory).await?,
        News::Records(records) => {
            for (shelf, name) in records {
                follow::one(directory, shelf, &name).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::identity::AccountKind;
    use crate::auth::accounts::fakes::World;
    use crate::auth::accounts::form::{NewToken, NewUser};
    use crate::auth::accounts::identity::identity;
    use crate::auth::accounts::mint::{self, Remembered};
    use crate::auth::accounts::owner::Owner;
    use crate::auth::accounts::token::Minted;
    use crate::auth::accounts::{tokens, users};
    use crate::metadata::error::Error;
    use crate::record::Shelf;
    use tokio::sync::Mutex;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    /// News as a test tells them.
    struct Told(Mutex<UnboundedReceiver<crate::metadata::error::Result<News>>>);

    #[async_trait::async_trait]
    impl Newspaper for Told {
        async fn next(&self) -> crate::metadata::error::Result<News> {
            match self.0.lock().await.recv().await {
                Some(news) => news,
                None => std::future::pending().await,
            }
        }

        async fn unread(&self) -> crate::metadata::error::Result<News> {
            Ok(News::Records(vec![]))
        }
    }

    fn newspaper() -> (UnboundedSender<crate::metadata::error::Result<News>>, Told) {
        let (tell, told) = unbounded_channel();
        (tell, Told(Mutex::new(told)))
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
        let (tell, told) = newspaper();
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
        let (tell, told) = newspaper();
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
}
