//! A server's admin API from the command line: which server, one request, and the answer as a table or as JSON.

use crate::cli::prepare::runtime;
use crate::cli::remote::Remote;
use crate::cli::table::table;
use crate::cli::terminal::{Ending, complain, say, say_json};
use crate::secret::Secret;
use crate::upstream::address::Address;
use crate::upstream::client::Client;
use crate::upstream::error::Told;
use chrono::{DateTime, SecondsFormat};
use clap::Args;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::runtime::Runtime;

/// What is escaped in a segment: all but what never needs it (RFC 3986, section 2.3). A dot is, as `..` would mean
/// something.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// Where, and how the answer looks.
#[derive(Debug, Args)]
pub struct To {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Which server.
    #[command(flatten)]
    pub remote: Remote,
}

/// Columns: the head of each, and the field that stands below it, as `a.b`.
pub struct Shape<const N: usize>(pub [(&'static str, &'static str); N]);

/// A server.
pub struct Api {
    runtime: Runtime,
    client: Client,
    /// Answers are printed as JSON.
    pub json: bool,
}

impl Api {
    /// The server that the flags name; that of this machine if they name none.
    pub fn open(to: &To) -> Result<Self, Ending> {
        let runtime = runtime()?;
        let address = to.remote.address()?;
        let client = runtime.block_on(to.remote.client(&address, None))?;
        Ok(Self { runtime, client, json: to.json })
    }

    /// A server, as somebody whose password is known already.
    pub fn open_as(to: &To, address: &Address, user: &str, password: Secret) -> Result<Self, Ending> {
        let runtime = runtime()?;
        let client = runtime.block_on(to.remote.client_of(address, Remote::given(user, password), None))?;
        Ok(Self { runtime, client, json: to.json })
    }

    /// One request; the answer's body, `null` if there is none.
    pub fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Ending> {
        let path = format!("/api/v1{path}");
        let reply = self.runtime.block_on(self.client.send(method, &path, body))?;
        if !reply.status.is_success() {
            let told = Told::read(&reply.body);
            return Err(Ending::Failed(match told.message {
                message if message.is_empty() => format!("the server answered {}", reply.status),
                message => message,
            }));
        }
        if reply.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&reply.body)
            .map_err(|e| Ending::Failed(format!("the server's answer does not read as JSON: {e}")))
    }

    /// Asks for something and shows it.
    pub fn get<const N: usize>(&self, path: &str, shape: &Shape<N>) -> Result<(), Ending> {
        let answer = self.send(Method::GET, path, None)?;
        self.show(&answer, shape)
    }

    /// Asks for all pages of a list and shows them as one.
    pub fn list<const N: usize>(
        &self,
        path: &str,
        search: Option<&str>,
        shape: &Shape<N>,
    ) -> Result<(), Ending> {
        let mut entries = Vec::new();
        let mut last: Option<String> = None;
        loop {
            let mut at = format!("{path}?n=1000");
            for (name, value) in [("search", search), ("last", last.as_deref())] {
                if let Some(value) = value {
                    at.extend(["&", name, "=", &encoded(value)]);
                }
            }
            let mut page = self.send(Method::GET, &at, None)?;
            if let Some(Value::Array(more)) = page.get_mut("entries").map(Value::take) {
                entries.extend(more);
            }
            let next = page["next"].as_str().map(ToOwned::to_owned);
            if next.is_none() || next == last {
                return self.show(&serde_json::json!({ "entries": entries }), shape);
            }
            last = next;
        }
    }

    /// Shows an answer: one thing, or a list of them.
    pub fn show<const N: usize>(&self, answer: &Value, shape: &Shape<N>) -> Result<(), Ending> {
        if self.json {
            return Ok(say_json(answer)?);
        }
        let one = std::slice::from_ref(answer);
        let entries = answer["entries"].as_array().map_or(one, Vec::as_slice);
        let rows: Vec<[String; N]> =
            entries.iter().map(|entry| shape.0.map(|(_, field)| cell(entry, field))).collect();
        say(&table(shape.0.map(|(head, _)| head), &rows));
        Ok(())
    }

    /// Tells that something without an answer is done.
    pub fn done(&self, text: &str) -> Result<(), Ending> {
        if self.json {
            return Ok(say_json(&serde_json::json!({ "done": text }))?);
        }
        say(text);
        Ok(())
    }

    /// Tells something beside the answer.
    pub fn tell(&self, text: &str) {
        complain(text);
    }
}

/// What stands in a field, for people.
fn cell(entry: &Value, field: &str) -> String {
    let value = field.split('.').fold(entry, |value, part| &value[part]);
    match value {
        Value::Null => String::new(),
        Value::Bool(is) => if *is { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list
            .iter()
            .map(|one| one.as_str().map_or_else(|| one.to_string(), Into::into))
            .collect::<Vec<_>>()
            .join(","),
        Value::Number(number) => {
            let millis = match (field, number.as_i64()) {
                ("created" | "changed" | "expires" | "last_used", Some(secs)) => {
                    Some(secs.saturating_mul(1000))
                }
                ("at_millis", millis) => millis,
                _ => None,
            };
            let time = millis.and_then(DateTime::from_timestamp_millis);
            time.map_or_else(|| number.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
        }
        Value::Object(_) => value.to_string(),
    }
}

/// A path of these segments, each whole whatever stands in it.
pub fn path(segments: &[&str]) -> String {
    segments.iter().flat_map(|segment| ["/".to_owned(), encoded(segment)]).collect()
}

/// Where accounts of a sort are made; `take_over`: of a name that another source of users may know.
pub fn made_at(path: &'static str, take_over: bool) -> String {
    format!("{path}{}", if take_over { "?take_over=true" } else { "" })
}

/// A text as a part of a URL.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_calls_its_pages_stays_as_it_is_and_no_name_can_leave_its_segment() {
        assert_eq!(path(&["service-accounts", "ci_1~a", "secrets"]), "/service-accounts/ci_1~a/secrets");
        assert_eq!(path(&["users", "..", "a/b?c#d%e ü"]), "/users/%2E%2E/a%2Fb%3Fc%23d%25e%20%C3%BC");
    }
}
