//! The rules of the configuration file, read again when the file changes. Everything else of the file waits for a
//! restart. Rules that do not read leave the old ones in force, and a loud line in the log.

use crate::acl::rules::Rules;
use crate::app::config::load::{Flags, load};
use crate::auth::gate::Gate;
use crate::events::event::{Event, What};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// What tells that a file is another one: device, inode, size and time.
type Mark = (u64, u64, u64, i64, i64);

/// Watches the file for as long as it is polled.
pub async fn run(gate: Arc<Gate>, flags: Flags) {
    let Some(file) = flags.config.clone() else { return };
    let mut read = mark(&file);
    let mut seen = read;
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        let now = mark(&file);
        // Once it stands still: half a file may be good TOML, and would open what its other half forbids.
        if now.is_some() && now == seen && now != read {
            read = now;
            reload(&gate, &flags);
        }
        seen = now;
    }
}

fn reload(gate: &Gate, flags: &Flags) {
    let read =
        load(flags).and_then(|settings| Rules::compile(&settings.acl).map(|rules| (settings.acl, rules)));
    match read {
        Ok((texts, _)) if **gate.rules.load() == texts => {
            tracing::warn!(
                "the configuration file has changed, its rules have not; the rest waits for a restart"
            );
        }
        Ok((texts, rules)) => {
            let count = texts.len();
            gate.authority.set_rules(rules);
            gate.rules.store(Arc::new(texts));
            tracing::info!(count, "the rules were read again");
            gate.events.emit(Event {
                what: What::Change,
                who: String::new(),
                object: "rules".into(),
                detail: format!("{count} rules read from the configuration file"),
                address: None,
            });
        }
        Err(mistakes) => {
            for mistake in mistakes {
                tracing::error!(
                    mistake,
                    "the changed configuration does not read; the old rules stay in force"
                );
            }
        }
    }
}

fn mark(file: &Path) -> Option<Mark> {
    let told = fs::metadata(file).ok()?;
    Some((told.dev(), told.ino(), told.size(), told.mtime(), told.mtime_nsec()))
}
