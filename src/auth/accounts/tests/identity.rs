//! What an account is now: new after each change, and free of any read as long as there was none.

use super::draw::{admin, group, login, personal, service, user};
use crate::acl::identity::AccountKind;
use crate::auth::accounts::fakes::World;
use crate::auth::accounts::form::{NewToken, UserChange};
use crate::auth::accounts::identity::identity;
use crate::auth::accounts::owner::SOURCE;
use crate::auth::accounts::{services, tokens, users};
use crate::record::Shelf;

#[tokio::test]
async fn an_identity_tells_the_account() {
    let world = World::default();
    let directory = world.start().await;
    admin(&directory, "root").await;
    service(&directory, "ci").await;
    group(&directory, "devs", &["ci"]).await;
    let root = login(&directory, "root").await;
    assert!(root.identity.admin && root.source == SOURCE && root.token.is_none());
    let ci = identity(&directory, AccountKind::ServiceAccount, "ci").await.unwrap().unwrap();
    assert!(!ci.identity.admin && ci.identity.kind == AccountKind::ServiceAccount);
    assert_eq!(ci.identity.groups, ["devs"]);
    for (kind, name) in [
        (AccountKind::User, "ci"),
        (AccountKind::ServiceAccount, "root"),
        (AccountKind::Anonymous, ""),
        (AccountKind::Anonymous, "root"),
        (AccountKind::User, "Root"),
        (AccountKind::User, "../users/root"),
    ] {
        assert!(identity(&directory, kind, name).await.unwrap().is_none(), "{kind:?} {name}");
    }
}

#[tokio::test]
async fn who_is_disabled_or_gone_is_nobody() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    let is_nobody = async || identity(&directory, AccountKind::User, "alice").await.unwrap().is_none();
    assert!(!is_nobody().await);
    users::set_disabled(&directory, "alice", true).await.unwrap();
    assert!(is_nobody().await && is_nobody().await);
    users::set_disabled(&directory, "alice", false).await.unwrap();
    assert!(!is_nobody().await);
    users::remove(&directory, "alice").await.unwrap();
    assert!(is_nobody().await);
}

#[tokio::test]
async fn nothing_is_read_as_long_as_nothing_changed() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    service(&directory, "ci").await;
    let alice = login(&directory, "alice").await;
    let mine = personal(&directory, &alice, "").await.unwrap().secret;
    let secret = services::add_secret(&directory, "ci", NewToken::default(), None).await.unwrap().secret;
    let ask = async || {
        login(&directory, "alice").await;
        identity(&directory, AccountKind::ServiceAccount, "ci").await.unwrap().unwrap();
        assert!(tokens::check(&directory, mine.expose()).await.unwrap().is_some());
        assert!(tokens::check(&directory, secret.expose()).await.unwrap().is_some());
    };
    ask().await;
    let calls = world.faults.calls();
    for _ in 0..1000 {
        ask().await;
    }
    assert_eq!(world.faults.calls(), calls);
    // Another token outdates nothing; another user may.
    personal(&directory, &alice, "").await.unwrap();
    let calls = world.faults.calls();
    ask().await;
    assert_eq!(world.faults.calls(), calls);
    user(&directory, "bob").await;
    let calls = world.faults.calls();
    ask().await;
    assert!(world.faults.calls() > calls);
}

#[tokio::test]
async fn whoever_asks_during_a_change_never_keeps_the_old_answer() {
    let world = World::default();
    let directory = world.start().await;
    admin(&directory, "root").await;
    user(&directory, "alice").await;
    let flip = async {
        for round in 0..50 {
            let form = UserChange { admin: Some(round % 2 == 0), ..UserChange::default() };
            let now = users::change(&directory, "alice", form).await.unwrap().admin;
            assert_eq!(login(&directory, "alice").await.identity.admin, now);
        }
    };
    let ask = async {
        for _ in 0..600 {
            login(&directory, "alice").await;
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(flip, ask);
}

#[tokio::test]
async fn documents_of_a_newer_version_are_read() {
    let world = World::default();
    let json = r#"{"name":"alice","epoch":3,"admin":true,"second_factor":{"kind":"totp"},"since":"2031"}"#;
    world.records.plant(Shelf::Users, "alice", json);
    let json = r#"{"name":"ci","epoch":4,"network":["10.0.0.0/8"]}"#;
    world.records.plant(Shelf::ServiceAccounts, "ci", json);
    world.records.plant(Shelf::Groups, "g", r#"{"name":"g","members":["user:alice"],"nested":["h"]}"#);
    let directory = world.unloaded();
    crate::auth::accounts::fakes::rebuild(&directory).await.unwrap();
    crate::auth::accounts::load::load(&directory).await.unwrap();
    let alice = login(&directory, "alice").await;
    assert!(alice.identity.admin && alice.epoch == 3 && alice.identity.groups == ["g"]);
    let ci = identity(&directory, AccountKind::ServiceAccount, "ci").await.unwrap();
    assert_eq!(ci.map(|login| login.epoch), Some(4));
}
