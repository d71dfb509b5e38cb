//! The contracts of blobs, links and records.

use crate::storage::object::tests::server::Server;
use crate::storage::{contract, records_contract};

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
    puts_are_read(blobs);
    links_come_and_go(links);
    tags_move_whole(links);
}

macro_rules! keep_the_contract {
    ($($rule:ident,)*) => { $(
        #[tokio::test]
        async fn $rule() {
            let server = Server::start().await;
            records_contract::$rule(&*server.storage().records).await;
        }
    )* };
}
records_contract::every_rule!(keep_the_contract);
