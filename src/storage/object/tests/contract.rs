//! The contracts of blobs, links and records: on a server, and on a bucket in memory. The server keeps files that are
//! named for objects, and cannot name one for a long name: what needs those is shown in memory, and on real servers.

use crate::storage::object::bucket::Bucket;
use crate::storage::object::tests::server::Server;
use crate::storage::open::{self, Storage};
use crate::storage::{contract, records_contract};
use object_store::memory::InMemory;
use std::sync::Arc;

fn in_memory() -> Storage {
    let objects = Arc::new(InMemory::new());
    let bucket = Bucket {
        objects: Arc::clone(&objects) as _,
        parts: objects,
        part_copies: None,
        pages: None,
        signer: None,
        prefix: "some".into(),
    };
    open::storage(bucket, open::settings(5 << 20, 32 << 20))
}

macro_rules! contract {
    ($($name:ident($($part:ident),+);)+) => { $(
        #[tokio::test]
        async fn $name() {
            let server = Server::start().await;
            let storage = server.storage();
            $(let $part = &*storage.$part;)+
            contract::$name($($part),+).await;
        }
    )+ };
}

contract! {
    blobs_are_read_as_they_were_staged(blobs);
    uploads_come_in_pieces(blobs);
    a_wrong_digest_is_told(blobs);
    the_empty_blob(blobs);
    equal_pushes_meet(blobs, links);
    puts_are_read(blobs);
    uploads_are_swept(blobs);
    tags_move_whole(links);
}

#[tokio::test]
async fn another_algorithm_seals_too() {
    contract::another_algorithm_seals_too(&*in_memory().blobs).await;
}

#[tokio::test]
async fn links_come_and_go() {
    contract::links_come_and_go(&*in_memory().links).await;
}

#[tokio::test]
async fn names_of_all_kinds() {
    records_contract::names_of_all_kinds(&*in_memory().records).await;
}

macro_rules! keep_the_contract {
    ($($rule:ident,)*) => {
        mod records_in_memory { $(keep_the_contract!(one $rule);)* }
    };
    (one names_of_all_kinds) => {};
    (one $rule:ident) => {
        #[tokio::test]
        async fn $rule() {
            super::records_contract::$rule(&*super::in_memory().records).await;
        }
    };
}
records_contract::every_rule!(keep_the_contract);

macro_rules! keep_the_contract_on_a_server {
    ($($rule:ident,)*) => {
        mod records_on_a_server { $(keep_the_contract_on_a_server!(one $rule);)* }
    };
    (one names_of_all_kinds) => {};
    (one $rule:ident) => {
        #[tokio::test]
        async fn $rule() {
            let server = super::Server::start().await;
            super::records_contract::$rule(&*server.storage().records).await;
        }
    };
}
records_contract::every_rule!(keep_the_contract_on_a_server);
