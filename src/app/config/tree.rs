//! The configuration as a tree of keys: what is known, what is near to what is not, what type each key has.

use toml::{Table, Value};

/// A mistake in the configuration, in a sentence.
pub type Mistake = String;

/// Sections whose keys are names that the operator chooses. Their values are read by their own types.
const FREE: [&str; 1] = ["auth.ldap.labels"];

/// Lays `given` over `known`, key by key. What is not known, or of another type, is a mistake and left out.
pub fn lay_over(known: &mut Table, given: Table, path: &str, mistakes: &mut Vec<Mistake>) {
    for (key, value) in given {
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let near = nearest(&key, known.keys().map(String::as_str)).map(ToOwned::to_owned);
        match (known.get_mut(&key), value) {
            (None, _) => mistakes.push(unknown(&full, near.map(|near| full.replace(&key, &near)))),
            (Some(Value::Table(below)), Value::Table(given)) if FREE.contains(&full.as_str()) => {
                *below = given;
            }
            (Some(Value::Table(below)), Value::Table(given)) => lay_over(below, given, &full, mistakes),
            (Some(Value::Table(_)), _) => mistakes.push(format!("`{full}` is a section: write [{full}]")),
            (Some(old), new) if old.same_type(&new) => *old = new,
            (Some(old), new) => {
                mistakes.push(format!("`{full}` is {}, not {}", article(old), article(&new)));
            }
        }
    }
}

/// Every key with its value, as `section.key`.
pub fn leaves(table: &Table) -> Vec<(String, Value)> {
    fn walk(table: &Table, path: &str, into: &mut Vec<(String, Value)>) {
        for (key, value) in table {
            let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match value {
                Value::Table(below) => walk(below, &full, into),
                leaf => into.push((full, leaf.clone())),
            }
        }
    }
    let mut into = Vec::new();
    walk(table, "", &mut into);
    into
}

/// Sets a key that is known to exist.
pub fn set(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            if let Some(Value::Table(below)) = table.get_mut(section) {
                set(below, rest, value);
            }
        }
    }
}

/// The sentence about a key that is not known.
pub fn unknown(key: &str, near: Option<String>) -> Mistake {
    match near {
        Some(near) => format!("`{key}` is not a key; did you mean `{near}`?"),
        None => format!("`{key}` is not a key"),
    }
}

/// The known word that is nearest to a given one, if any is near.
pub fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|word| (strsim::jaro_winkler(given, word), word))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

fn article(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text in quotes",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}
