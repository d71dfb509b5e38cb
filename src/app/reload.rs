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

/// The configuration file as it was before it was read.
#[derive(Debug, Clone, Copy)]
pub struct Seen(Option<Mark>);

impl Seen {
    /// As it is now. To be taken before the file is read: what is changed later is then another file, also if that
    /// happens while the registry starts.
    pub fn now(flags: &Flags) -> Self {
        Self(flags.config.as_deref().and_then(mark))
    }
}

/// Watches the file for as long as it is polled; `read`: as it was when the rules that count now were read.
pub async fn run(gate: Arc<Gate>, flags: Flags, read: Seen) {
    let Some(file) = flags.config.clone() else { return };
    let Seen(mut read) = read;
    let mut seen = mark(&file);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{accounts, build};
    use crate::events::sink::Nobody;

    fn rule(name: &str) -> String {
        format!("[[acl]]\nmatch = {{ name = \"{name}\" }}\nactions = [\"pull\"]\n")
    }

    #[tokio::test]
    async fn a_change_while_the_registry_starts_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs::write(&file, rule("one")).unwrap();
        let data = folder.path().join("data");
        let flags = Flags { config: Some(file.clone()), data: Some(data), ..Flags::default() };
        let read = Seen::now(&flags);
        let settings = load(&flags).unwrap();
        fs::write(&file, rule("another")).unwrap();
        let built = build::build(&settings, None).await.unwrap();
        let gate = Arc::new(accounts::build(&settings, &built.registry, Arc::new(Nobody)).await.unwrap());
        let counts = async {
            while gate.rules.load()[0].when.name.as_deref() != Some("another") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = run(Arc::clone(&gate), flags, read) => panic!("it watches for ever"),
            counted = tokio::time::timeout(Duration::from_secs(30), counts) => counted.unwrap(),
        }
    }
}
