//! What the tests of both engines stand on: a folder that is opened, or filled, with one of them.

use crate::metadata::config::{Config, Engine};
use crate::metadata::contract::{manifest, put};
use crate::metadata::error::Error;
use crate::metadata::open::{self, Metadata};
use std::path::{Path, PathBuf};

/// Runs each of the functions with either engine.
macro_rules! for_each_engine {
    ($($name:ident,)*) => {
        mod on_sled {
            use crate::metadata::config::Engine;
            $(#[tokio::test] async fn $name() { super::$name(Engine::Sled).await; })*
        }
        mod on_redb {
            use crate::metadata::config::Engine;
            $(#[tokio::test] async fn $name() { super::$name(Engine::Redb).await; })*
        }
    };
}
pub(crate) use for_each_engine;

pub async fn opened(engine: Engine, folder: &Path) -> Result<(Metadata, Option<PathBuf>), Error> {
    let opened = open::open(&Config { engine, ..Config::default() }, folder, 7).await?;
    Ok((opened.metadata, opened.moved_aside))
}

pub fn file(engine: Engine, folder: &Path) -> PathBuf {
    folder.join(match engine {
        Engine::Sled => crate::metadata::embedded::sled::FILE,
        Engine::Redb => crate::metadata::embedded::redb::FILE,
    })
}

pub async fn filled(engine: Engine, folder: &Path) {
    let (metadata, _) = opened(engine, folder).await.unwrap();
    for round in 0..50 {
        let name = round.to_string();
        put(&metadata, "app", [manifest(&name, &[&name])]).await;
    }
    metadata.completeness.set_complete().await.unwrap();
}
