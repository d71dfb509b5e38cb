//! No secret is told: canaries are planted, and looked for in all that others may see.

use super::draw::{admin, login, personal, refresh, service, user};
use crate::auth::accounts::fakes::World;
use crate::auth::accounts::form::NewToken;
use crate::auth::accounts::owner::Owner;
use crate::auth::accounts::token::{Minted, Token};
use crate::auth::accounts::{services, tokens, users};
use crate::oci::page::Page;
use crate::record::Shelf;
use crate::secret::Secret;
use std::fmt::Debug;

const CANARY: &str = "CANARY-5f1c";

#[tokio::test]
async fn secrets_are_seen_by_nobody() {
    let world = World::default();
    let directory = world.start().await;
    admin(&directory, "root").await;
    user(&directory, "alice").await;
    service(&directory, "ci").await;
    users::set_password_hash(&directory, "alice", Secret::new(CANARY), false).await.unwrap();
    let alice = login(&directory, "alice").await;
    let minted: Vec<Minted> = vec![
        personal(&directory, &alice, "mine").await.unwrap(),
        refresh(&directory, &alice, "docker").await.unwrap(),
        services::add_secret(&directory, "ci", NewToken::default(), None).await.unwrap(),
    ];
    let mut canaries = vec![CANARY.to_owned()];
    for token in &minted {
        canaries.push(token.secret.expose()[21..].to_owned());
        let stored: Token = directory.current(&token.token.id).await.unwrap().unwrap().0;
        canaries.push(stored.hash.expose().to_owned());
    }

    let mut seen = Vec::new();
    let mut debug = |value: &dyn Debug| seen.push(format!("{value:?} {value:#?}"));
    debug(&users::with_password(&directory, "alice").await.unwrap());
    debug(&directory.current::<Token>(&minted[0].token.id).await.unwrap());
    debug(&minted);
    debug(&tokens::check(&directory, minted[0].secret.expose()).await.unwrap());
    debug(&*directory.memory());
    debug(&alice);
    let mut json = |value: serde_json::Result<String>| seen.push(value.unwrap());
    json(serde_json::to_string(&users::find(&directory, "alice").await.unwrap()));
    json(serde_json::to_string(&users::list(&directory, &Page::first(9), None).await.unwrap()));
    json(serde_json::to_string(&services::list(&directory, &Page::first(9), None).await.unwrap()));
    json(serde_json::to_string(&services::secrets(&directory, "ci").await.unwrap()));
    json(serde_json::to_string(&tokens::list(&directory, &Owner::of(&alice), None).await.unwrap()));
    assert!(seen.iter().all(|text| text.len() > 10));
    for canary in &canaries {
        assert!(!seen.iter().any(|text| text.contains(canary.as_str())), "{canary} was told: {seen:#?}");
    }

    // The search does find what is there: storage holds the hashes, and the texts are nowhere.
    let all = world.records.all();
    let stored: Vec<&[u8]> = all.values().map(|record| &record.json[..]).collect();
    let holds = |text: &str| stored.iter().any(|json| String::from_utf8_lossy(json).contains(text));
    assert!(holds(CANARY));
    for token in &minted {
        assert!(!holds(token.secret.expose()) && !holds(&token.secret.expose()[21..]));
    }
}

#[tokio::test]
async fn a_document_that_does_not_read_tells_nothing_of_what_stands_in_it() {
    let world = World::default();
    let json = format!(r#"{{"name":"alice","password":"{CANARY}","epoch":"{CANARY}"}}"#);
    world.records.plant(Shelf::Users, "alice", &json);
    let directory = world.unloaded();
    crate::auth::accounts::fakes::rebuild(&directory).await.unwrap();
    crate::auth::accounts::load::load(&directory).await.unwrap();
    let errors = [
        users::find(&directory, "alice").await.map(drop),
        users::log_out_everywhere(&directory, "alice").await,
        users::create(&directory, super::draw::new_user("alice"), None).await.map(drop),
    ];
    for error in errors {
        let error = error.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
    }
    assert!(users::list(&directory, &Page::first(9), None).await.unwrap().entries.is_empty());
}
