//! Service accounts: their names, and two secrets that overlap.

use super::draw::{admin, ceiling, login, named, personal, service, with_token};
use crate::acl::identity::AccountKind;
use crate::auth::accounts::fakes::{NOW, World};
use crate::auth::accounts::form::{NewToken, ServiceChange};
use crate::auth::accounts::identity::identity;
use crate::auth::accounts::{services, tokens};
use crate::auth::error::Error;
use crate::oci::page::Page;

async fn good(
    directory: &crate::auth::accounts::directory::Directory,
    secret: &crate::secret::Secret,
) -> bool {
    tokens::check(directory, secret.expose()).await.unwrap().is_some()
}

#[tokio::test]
async fn two_secrets_overlap_and_no_third() {
    let world = World::default();
    let directory = world.start().await;
    service(&directory, "ci").await;
    let add = async || services::add_secret(&directory, "ci", NewToken::default(), None).await;
    let (old, new) = (add().await.unwrap(), add().await.unwrap());
    assert!(matches!(add().await, Err(Error::Refused(_))));
    assert!(good(&directory, &old.secret).await && good(&directory, &new.secret).await);
    assert!(old.secret.expose().starts_with("hfs_"));
    assert_eq!(services::secrets(&directory, "ci").await.unwrap().len(), 2);
    services::revoke_secret(&directory, "ci", &old.token.id).await.unwrap();
    assert!(!good(&directory, &old.secret).await && good(&directory, &new.secret).await);
    let again = services::revoke_secret(&directory, "ci", &old.token.id).await;
    assert!(matches!(again, Err(Error::Absent("token"))));
    add().await.unwrap();
    assert!(matches!(
        services::add_secret(&directory, "cd", NewToken::default(), None).await,
        Err(Error::Absent(_))
    ));
    assert!(matches!(services::secrets(&directory, "cd").await, Err(Error::Absent(_))));
}

#[tokio::test]
async fn of_many_secrets_at_once_two_are_made() {
    let world = World::default();
    let directory = world.start().await;
    service(&directory, "ci").await;
    let all = (0..6).map(|_| services::add_secret(&directory, "ci", NewToken::default(), None));
    let made = futures_util::future::join_all(all).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 2);
}

#[tokio::test]
async fn an_expired_secret_makes_room() {
    let world = World::default();
    let directory = world.start().await;
    service(&directory, "ci").await;
    let form = || NewToken { lifetime_secs: Some(100), ..NewToken::default() };
    let short = services::add_secret(&directory, "ci", form(), None).await.unwrap();
    services::add_secret(&directory, "ci", NewToken::default(), None).await.unwrap();
    assert_eq!(short.token.expires, Some(NOW + 100));
    world.clock.advance(100);
    assert!(!good(&directory, &short.secret).await);
    services::add_secret(&directory, "ci", form(), None).await.unwrap();
    let forever = NewToken { lifetime_secs: Some(u64::MAX), ..NewToken::default() };
    assert!(matches!(services::add_secret(&directory, "ci", forever, None).await, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn a_disabled_service_account_is_nobody_and_its_secrets_stay_dead() {
    let world = World::default();
    let directory = world.start().await;
    service(&directory, "ci").await;
    let secret = services::add_secret(&directory, "ci", NewToken::default(), None).await.unwrap().secret;
    let disable = |disabled| ServiceChange { disabled: Some(disabled), description: None };
    services::change(&directory, "ci", disable(true)).await.unwrap();
    assert!(!good(&directory, &secret).await);
    assert!(identity(&directory, AccountKind::ServiceAccount, "ci").await.unwrap().is_none());
    assert!(services::add_secret(&directory, "ci", NewToken::default(), None).await.is_err());
    services::change(&directory, "ci", disable(false)).await.unwrap();
    assert!(!good(&directory, &secret).await);
    let again = services::add_secret(&directory, "ci", NewToken::default(), None).await.unwrap().secret;
    assert!(good(&directory, &again).await);
    services::remove(&directory, "ci").await.unwrap();
    assert!(!good(&directory, &again).await && services::find(&directory, "ci").await.unwrap().is_none());
}

#[tokio::test]
async fn a_bounded_token_makes_no_secret() {
    let world = World::default();
    let directory = world.start().await;
    service(&directory, "ci").await;
    admin(&directory, "root").await;
    let root = login(&directory, "root").await;
    let mut token = personal(&directory, &root, "").await.unwrap();
    for (api, ceiling, may) in [(false, None, false), (true, Some(ceiling()), false), (true, None, true)] {
        (token.token.api, token.token.ceiling) = (api, ceiling);
        let by = with_token(&root, &token).token;
        let made = services::add_secret(&directory, "ci", NewToken::default(), by.as_ref()).await;
        assert_eq!(made.is_ok(), may, "{made:?}");
    }
}

#[tokio::test]
async fn service_accounts_are_changed_and_listed() {
    let world = World::default();
    let directory = world.start().await;
    for name in ["a", "b.c", "d-e"] {
        service(&directory, name).await;
    }
    assert!(matches!(services::create(&directory, named("B.c")).await, Err(Error::Invalid(_))));
    let form = ServiceChange { description: Some("Builds".into()), disabled: None };
    assert_eq!(services::change(&directory, "b.c", form).await.unwrap().description, "Builds");
    let listing = services::list(&directory, &Page::first(2), None).await.unwrap();
    assert_eq!((listing.entries.len(), listing.next.as_deref()), (2, Some("b.c")));
    let found = services::list(&directory, &Page::first(2), Some("build")).await.unwrap().entries;
    assert_eq!(found.iter().map(|account| &*account.name).collect::<Vec<_>>(), ["b.c"]);
}
