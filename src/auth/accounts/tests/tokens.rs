//! Tokens: what is good, what ends them, who may make them, and how many there are.

use super::draw::{admin, ceiling, hash, login, of_ldap, personal, refresh, service, user, with_token};
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::fakes::{Fault, NOW, World};
use crate::auth::accounts::form::NewToken;
use crate::auth::accounts::mint::{
    self, NewRefresh, PERSONAL_LIFETIME_SECS, PERSONAL_LIFETIME_SECS_MAX, PERSONAL_MAX, REFRESH_MAX,
    Remembered,
};
use crate::auth::accounts::owner::Owner;
use crate::auth::accounts::sweep::{flush_uses, sweep};
use crate::auth::accounts::token::{Minted, TokenKind};
use crate::auth::accounts::{services, tokens, users};
use crate::auth::error::Error;
use crate::record::Shelf;

async fn good(directory: &Directory, minted: &Minted) -> bool {
    tokens::check(directory, minted.secret.expose()).await.unwrap().is_some()
}

async fn form(directory: &Directory, name: &str, form: NewToken) -> crate::auth::error::Result<Minted> {
    mint::personal(directory, &login(directory, name).await, form, Remembered::default()).await
}

fn living(secs: u64) -> NewToken {
    NewToken { lifetime_secs: Some(secs), ..NewToken::default() }
}

#[tokio::test]
async fn a_token_speaks_for_its_owner_until_it_is_over() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    let made = NewToken { description: "ci".into(), ceiling: Some(ceiling()), ..living(100) };
    let minted = form(&directory, "alice", made).await.unwrap();
    for directory in [&directory, &world.start().await] {
        let token = tokens::check(directory, minted.secret.expose()).await.unwrap().unwrap();
        assert!(token.id == minted.token.id && token.owner.name == "alice" && !token.api);
        assert_eq!(token.ceiling, Some(ceiling()));
        assert!(directory.has_token(&token.id) && !directory.has_token("aaaaaaaaaaaaaaaa"));
    }
    world.clock.advance(99);
    assert!(good(&directory, &minted).await);
    world.clock.advance(1);
    assert!(!good(&directory, &minted).await && !directory.has_token(&minted.token.id));
}

#[tokio::test]
async fn another_text_is_no_token() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    let alice = login(&directory, "alice").await;
    let (one, two) =
        (personal(&directory, &alice, "").await.unwrap(), personal(&directory, &alice, "").await.unwrap());
    let (one, two) = (one.secret.expose(), two.secret.expose());
    let crossed = format!("{}{}", &one[..20], &two[20..]);
    let as_refresh = one.replacen("hfp_", "hfr_", 1);
    for text in
        [&crossed, &as_refresh, &one[..63], "", "hunter2", &"x".repeat(1 << 20), &one.replace('_', "-")]
    {
        assert!(tokens::check(&directory, text).await.unwrap().is_none());
    }
    // What storage holds does not open anything.
    let stored = world.records.all();
    let stored = stored.iter().find(|((shelf, _), _)| *shelf == Shelf::Tokens).unwrap();
    let kept: serde_json::Value = serde_json::from_slice(&stored.1.json).unwrap();
    let text = format!("{}{}", &one[..21], &kept["hash"].as_str().unwrap()[..43]);
    assert!(tokens::check(&directory, &text).await.unwrap().is_none());
}

#[tokio::test]
async fn whatever_moves_the_epoch_ends_all_tokens() {
    let world = World::default();
    let directory = world.start().await;
    admin(&directory, "root").await;
    user(&directory, "alice").await;
    for way in 0..4 {
        let alice = login(&directory, "alice").await;
        let mine = personal(&directory, &alice, "").await.unwrap();
        let docker = refresh(&directory, &alice, "docker").await.unwrap();
        users::rehash(&directory, "alice", &hash("alice"), hash("alice")).await.unwrap();
        assert!(good(&directory, &mine).await && good(&directory, &docker).await);
        match way {
            0 => drop(users::set_password_hash(&directory, "alice", hash("new"), false).await.unwrap()),
            1 => users::log_out_everywhere(&directory, "alice").await.unwrap(),
            2 => drop(users::set_disabled(&directory, "alice", true).await.unwrap()),
            _ => users::remove(&directory, "alice").await.unwrap(),
        }
        assert!(!good(&directory, &mine).await && !good(&directory, &docker).await, "way {way}");
        if way == 2 {
            users::set_disabled(&directory, "alice", false).await.unwrap();
            assert!(!good(&directory, &mine).await && !good(&directory, &docker).await);
        }
        assert!(tokens::list(&directory, &Owner::of(&alice), None).await.unwrap().is_empty());
        // Whoever logged in before gets none afterwards.
        assert!(matches!(refresh(&directory, &alice, "docker").await, Err(Error::Refused(_))));
    }
}

#[tokio::test]
async fn the_life_of_a_personal_token_is_bounded() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    for secs in [0, PERSONAL_LIFETIME_SECS_MAX + 1, u64::MAX] {
        assert!(matches!(form(&directory, "alice", living(secs)).await, Err(Error::Invalid(_))), "{secs}");
    }
    let minted = form(&directory, "alice", NewToken::default()).await.unwrap();
    assert_eq!(minted.token.expires, Some(NOW + PERSONAL_LIFETIME_SECS));
    let long = NewToken { description: "x".repeat(513), ..NewToken::default() };
    assert!(matches!(form(&directory, "alice", long).await, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn a_token_makes_nothing_that_is_more_than_itself() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    let alice = login(&directory, "alice").await;
    let bounded = NewToken { ceiling: Some(ceiling()), api: true, ..NewToken::default() };
    let bounded = form(&directory, "alice", bounded).await.unwrap();
    let plain = personal(&directory, &alice, "no api").await.unwrap();
    let free = form(&directory, "alice", NewToken { api: true, ..living(100) }).await.unwrap();
    let docker = refresh(&directory, &alice, "docker").await.unwrap();
    for maker in [&bounded, &plain, &free, &docker] {
        let refused = refresh(&directory, &with_token(&alice, maker), "docker").await;
        assert!(matches!(refused, Err(Error::Refused(_))));
    }
    let with = async |maker: &Minted, form: NewToken| {
        mint::personal(&directory, &with_token(&alice, maker), form, Remembered::default()).await
    };
    assert!(matches!(with(&bounded, living(10)).await, Err(Error::Refused(_))));
    assert!(matches!(with(&plain, living(10)).await, Err(Error::Refused(_))));
    assert!(matches!(with(&free, living(101)).await, Err(Error::Refused(_))));
    assert_eq!(with(&free, NewToken::default()).await.unwrap().token.expires, free.token.expires);
    assert!(with(&free, living(100)).await.is_ok());
    assert!(with(&docker, living(1000)).await.is_ok());
    tokens::revoke(&directory, &Owner::of(&alice), &free.token.id).await.unwrap();
    assert!(matches!(with(&free, living(10)).await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn tokens_are_listed_and_revoked_by_their_owner_only() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    user(&directory, "mallory").await;
    service(&directory, "ci").await;
    let alice = login(&directory, "alice").await;
    let mine = personal(&directory, &alice, "mine").await.unwrap();
    let docker = refresh(&directory, &alice, "docker\r\nX-Evil: 1").await.unwrap();
    assert_eq!(docker.token.client, "dockerX-Evil: 1");
    let short = form(&directory, "alice", living(10)).await.unwrap();
    let machine = services::add_secret(&directory, "ci", NewToken::default(), None).await.unwrap();
    // Of the same name, but known elsewhere.
    let other = personal(&directory, &of_ldap(&alice), "other").await.unwrap();
    world.clock.advance(10);

    let owner = Owner::of(&alice);
    let ids = async |kind| {
        let mut ids: Vec<String> =
            tokens::list(&directory, &owner, kind).await.unwrap().into_iter().map(|view| view.id).collect();
        ids.sort();
        ids
    };
    let mut expected = vec![mine.token.id.clone(), docker.token.id.clone()];
    expected.sort();
    assert_eq!(ids(None).await, expected);
    assert_eq!(ids(Some(TokenKind::Refresh)).await, std::slice::from_ref(&docker.token.id));
    let mallory = Owner::of(&login(&directory, "mallory").await);
    for id in [&*mine.token.id, &*machine.token.id, "aaaaaaaaaaaaaaaa", "", "../users/alice"] {
        assert!(matches!(tokens::revoke(&directory, &mallory, id).await, Err(Error::Absent("token"))));
    }
    assert!(matches!(tokens::revoke(&directory, &owner, &other.token.id).await, Err(Error::Absent("token"))));
    assert!(
        good(&directory, &mine).await && good(&directory, &machine).await && !good(&directory, &short).await
    );
    tokens::revoke(&directory, &owner, &mine.token.id).await.unwrap();
    assert!(!good(&directory, &mine).await && good(&directory, &docker).await);
    assert!(!directory.has_token(&mine.token.id));
    tokens::revoke_all(&directory, &owner).await.unwrap();
    assert!(ids(None).await.is_empty() && good(&directory, &other).await);
}

#[tokio::test]
async fn a_login_of_another_source_is_remembered_with_its_token() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    let ldap = of_ldap(&login(&directory, "alice").await);
    let labels = [("team".to_owned(), vec!["a".to_owned()])].into();
    let remembered = Remembered { groups: vec!["staff".into()], labels };
    let new = NewRefresh { remembered: remembered.clone(), ..NewRefresh::default() };
    let minted = mint::refresh(&directory, &ldap, new).await.unwrap();
    let token = tokens::check(&directory, minted.secret.expose()).await.unwrap().unwrap();
    assert_eq!((token.owner.source.as_str(), token.epoch), ("ldap", 7));
    assert_eq!((&token.groups, &token.labels), (&remembered.groups, &remembered.labels));
    let much = Remembered { groups: vec!["g".repeat(1000); 100], ..Remembered::default() };
    let new = NewRefresh { remembered: much, ..NewRefresh::default() };
    assert!(matches!(mint::refresh(&directory, &ldap, new).await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn the_refresh_token_that_was_idle_for_longest_makes_room() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    let alice = login(&directory, "alice").await;
    let mut all = Vec::new();
    for _ in 0..REFRESH_MAX {
        all.push(refresh(&directory, &alice, "docker").await.unwrap());
        world.clock.advance(1);
    }
    // The oldest was used, and that is told; the next was used, and that is not told yet. To be made counts as a use.
    assert!(good(&directory, &all[0]).await);
    assert_eq!(flush_uses(&directory).await.unwrap(), REFRESH_MAX);
    assert!(good(&directory, &all[1]).await);
    let newest = refresh(&directory, &alice, "docker").await.unwrap();
    assert!(!good(&directory, &all[2]).await);
    for kept in [&all[0], &all[1], &all[3], &newest] {
        assert!(good(&directory, kept).await);
    }
    let owner = Owner::of(&alice);
    assert_eq!(tokens::list(&directory, &owner, None).await.unwrap().len(), REFRESH_MAX);
}

#[tokio::test]
async fn personal_tokens_are_bounded_in_number() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    let alice = login(&directory, "alice").await;
    let all = (0..PERSONAL_MAX + 5).map(|_| personal(&directory, &alice, ""));
    let made = futures_util::future::join_all(all).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), PERSONAL_MAX);
}

#[tokio::test]
async fn uses_are_told_in_batches_and_kept_if_they_cannot_be() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    let minted = personal(&directory, &login(&directory, "alice").await, "").await.unwrap();
    let id = &minted.token.id;
    let last = async |directory: &Directory| tokens::find(directory, id).await.unwrap().unwrap().last_used;
    assert_eq!(last(&directory).await, None);
    world.clock.advance(5);
    assert!(
        good(&directory, &minted).await
            && !good(&directory, &Minted { secret: hash("x"), ..minted.clone() }).await
    );
    assert_eq!(last(&directory).await, Some(NOW + 5));
    world.faults.arm(Fault { after: 0, calls: 1, done: false });
    assert!(flush_uses(&directory).await.is_err());
    assert!(world.faults.disarm());
    assert_eq!(last(&world.start().await).await, None);
    assert_eq!(flush_uses(&directory).await.unwrap(), 1);
    assert_eq!(flush_uses(&directory).await.unwrap(), 0);
    assert_eq!(last(&world.start().await).await, Some(NOW + 5));
}

#[tokio::test]
async fn the_sweep_clears_what_is_dead_in_bounded_steps() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    user(&directory, "bob").await;
    for _ in 0..10 {
        form(&directory, "alice", living(10)).await.unwrap();
        personal(&directory, &login(&directory, "bob").await, "").await.unwrap();
    }
    let kept = personal(&directory, &login(&directory, "alice").await, "").await.unwrap();
    let foreign = personal(&directory, &of_ldap(&login(&directory, "bob").await), "").await.unwrap();
    assert_eq!(sweep(&directory, 100).await.unwrap(), 0);
    world.clock.advance(10);
    users::log_out_everywhere(&directory, "bob").await.unwrap();
    let mut swept = 0;
    for _ in 0..8 {
        let now = sweep(&directory, 3).await.unwrap();
        assert!(now <= 3);
        swept += now;
    }
    assert_eq!(swept, 20);
    assert!(good(&directory, &kept).await && good(&directory, &foreign).await);
    let left = world.records.all().into_keys().filter(|(shelf, _)| *shelf == Shelf::Tokens).count();
    assert_eq!(left, 2);
}
