//! The environment: every key has a variable made of its path with single underscores, as registry:2's users
//! know it. `server.listen` is `HOLDFAST_SERVER_LISTEN`.

use crate::app::config::tree::{self, Mistake, leaves, nearest};
use toml::{Table, Value};

/// Variables of ours that are no keys: the configuration file, and what the project's own scripts read.
const NOT_KEYS: [&str; 4] =
    ["HOLDFAST_CONFIG", "HOLDFAST_BIN", "HOLDFAST_KILL_ROUNDS", "HOLDFAST_TEST_POSTGRES"];

/// What variables begin with that are for the target of a move.
const TARGET_PREFIX: &str = "HOLDFAST_TO_";

/// The variables for the target of a move, by their names as everywhere else. All others are for its source.
pub fn of_target(variables: Vec<(String, String)>) -> Vec<(String, String)> {
    let renamed = |(name, value): (String, String)| {
        Some((format!("HOLDFAST_{}", name.strip_prefix(TARGET_PREFIX)?), value))
    };
    variables.into_iter().filter_map(renamed).collect()
}

/// A mistake in them, by the name that somebody has set.
pub fn told_of_target(mistake: &str) -> Mistake {
    ["the environment's ", "did you mean "].iter().fold(mistake.to_owned(), |told, before| {
        told.replace(&format!("{before}HOLDFAST_"), &format!("{before}{TARGET_PREFIX}"))
    })
}

/// Keys that are secrets: each may also be given as the name of a file, in its variable with `_FILE` behind it.
pub const SECRETS: [&str; 6] = [
    "admin.password",
    "auth.ldap.bind_password",
    "metadata.postgres.url",
    "storage.azure.access_key",
    "storage.s3.secret_access_key",
    "storage.s3.session_token",
];

/// The variable of a key.
pub fn variable(key: &str) -> String {
    format!("HOLDFAST_{}", key.replace('.', "_").to_uppercase())
}

/// Lays the variables that begin with `HOLDFAST_` over the known keys.
pub fn lay_over(known: &mut Table, variables: &[(String, String)], mistakes: &mut Vec<Mistake>) {
    let keys: Vec<(String, String, Value)> =
        leaves(known).into_iter().map(|(key, value)| (variable(&key), key, value)).collect();
    for (name, text) in variables {
        if !name.starts_with("HOLDFAST_")
            || name.starts_with(TARGET_PREFIX)
            || NOT_KEYS.contains(&name.as_str())
        {
            continue;
        }
        if let Some(key) = secret_in_file(name) {
            match std::fs::read_to_string(text) {
                Ok(secret) => {
                    tree::set(known, key, Value::String(secret.trim_end_matches(['\r', '\n']).into()));
                }
                Err(error) => mistakes.push(format!("the environment's {name}: {text}: {error}")),
            }
            continue;
        }
        let Some((_, key, old)) = keys.iter().find(|(known, _, _)| known == name) else {
            let near = nearest(name, keys.iter().map(|(known, _, _)| known.as_str()));
            mistakes.push(match near {
                Some(near) => format!("the environment's {name} is not a key; did you mean {near}?"),
                None => format!("the environment's {name} is not a key"),
            });
            continue;
        };
        match read(text, old) {
            Some(value) => tree::set(known, key, value),
            None => mistakes.push(format!("the environment's {name} does not read as {}", old.type_str())),
        }
    }
}

/// The key of a secret whose file a variable names.
fn secret_in_file(name: &str) -> Option<&'static str> {
    let base = name.strip_suffix("_FILE")?;
    SECRETS.into_iter().find(|key| variable(key) == base)
}

fn read(text: &str, like: &Value) -> Option<Value> {
    match like {
        Value::String(_) => Some(Value::String(text.to_owned())),
        Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
        Value::Array(_) => Some(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|t| !t.is_empty())
                .map(|t| Value::String(t.into()))
                .collect(),
        )),
        _ => None,
    }
}
