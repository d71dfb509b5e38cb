//! Lists that come in pages (distribution-spec, "Listing Tags"): each page says in `Link` where the next one is. A
//! registry that says so for ever, or sends us elsewhere, is not followed.

use crate::upstream::client::Client;
use crate::upstream::error::Error;
use crate::upstream::wire::Reply;
use http::header::LINK;
use serde_json::Value;
use std::collections::HashSet;

/// Largest page.
const PAGE_BYTES_MAX: u64 = 8 << 20;
/// Most pages of one list.
const PAGES_MAX: usize = 10_000;
/// Most entries of one list.
pub const ENTRIES_MAX: usize = 1_000_000;

/// What list is read.
#[derive(Debug, Clone)]
pub struct List<'a> {
    /// The path of its first page.
    pub path: String,
    /// What rights it needs.
    pub scope: &'a str,
    /// What kinds of answer are taken.
    pub accept: &'a str,
    /// The member of the JSON document that holds the entries.
    pub member: &'a str,
}

/// All entries of a list, in the registry's order; `None` if there is no such list. An absent or `null` member is an
/// empty page, as registry:2 writes it.
pub async fn all(client: &Client, list: &List<'_>) -> Result<Option<Vec<Value>>, Error> {
    let mut entries = Vec::new();
    let mut seen = HashSet::new();
    let mut next = Some(list.path.clone());
    while let Some(path) = next.take() {
        let page = client.get(&path, list.scope, list.accept, PAGE_BYTES_MAX).await?;
        let Some(reply) = page else {
            // A list that ends in the middle is not a short list.
            return if seen.is_empty() { Ok(None) } else { Err(gone(client, &path)) };
        };
        entries.extend(entries_of(&reply, list.member).map_err(|why| client.unusable(&reply, why.into()))?);
        seen.insert(path);
        next = following(client, &reply)?;
        if let Some(path) = &next
            && (seen.contains(path) || seen.len() >= PAGES_MAX || entries.len() > ENTRIES_MAX)
        {
            let why =
                if seen.contains(path) { "its pages lead in a circle" } else { "its list does not end" };
            return Err(client.unusable(&reply, why.into()));
        }
    }
    Ok(Some(entries))
}

/// The texts of a list. What is no text is a mistake.
pub async fn texts(client: &Client, list: &List<'_>) -> Result<Option<Vec<String>>, Error> {
    let Some(entries) = all(client, list).await? else { return Ok(None) };
    let text = |entry| match entry {
        Value::String(text) => Ok(text),
        _ => Err(Error::Unusable {
            at: client.address().to_string(),
            why: format!("`{}` holds something that is no text", list.member),
        }),
    };
    entries.into_iter().map(text).collect::<Result<Vec<_>, _>>().map(Some)
}

fn entries_of(reply: &Reply, member: &str) -> Result<Vec<Value>, &'static str> {
    let mut document: Value = serde_json::from_slice(&reply.body).map_err(|_| "it is not JSON")?;
    match document.get_mut(member).map(Value::take) {
        Some(Value::Array(entries)) => Ok(entries),
        None if !document.is_object() => Err("it is not a list"),
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(_) => Err("it is not a list"),
    }
}

fn gone(client: &Client, path: &str) -> Error {
    let why = format!("the next page of its list, {path}, does not exist");
    Error::Unusable { at: client.address().to_string(), why }
}

/// The path of the next page.
fn following(client: &Client, reply: &Reply) -> Result<Option<String>, Error> {
    let lines = reply.headers.get_all(LINK).iter().filter_map(|line| line.to_str().ok());
    let Some(target) = lines.flat_map(links).find(|(_, rel)| is_next(rel)).map(|(target, _)| target) else {
        return Ok(None);
    };
    let url = reply.url.join(target).ok().filter(|url| client.address().owns(url));
    let Some(url) = url else {
        let why = "it says that the next page of its list is at another address".to_owned();
        return Err(client.unusable(reply, why));
    };
    Ok(Some(url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))))
}

fn is_next(rel: &str) -> bool {
    rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
}

/// The targets of a `Link` header with their `rel` (RFC 8288, section 3). What does not read ends the reading.
fn links(line: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((target, after)) = rest.split_once('<').and_then(|(_, after)| after.split_once('>')) {
        let end = unquoted(after, ',');
        let (parameters, further) = after.split_at(end);
        found.push((target, rel(parameters)));
        rest = further;
    }
    found
}

fn rel(mut parameters: &str) -> &str {
    while let Some(rest) = parameters.get(unquoted(parameters, ';')..).and_then(|rest| rest.strip_prefix(';'))
    {
        let one = rest.get(..unquoted(rest, ';')).unwrap_or_default();
        if let Some((name, value)) = one.split_once('=')
            && name.trim().eq_ignore_ascii_case("rel")
        {
            return value.trim().trim_matches('"');
        }
        parameters = rest;
    }
    ""
}

/// Where `wanted` stands outside quotes, or the end.
fn unquoted(text: &str, wanted: char) -> usize {
    let mut quoted = false;
    let found = text.char_indices().find(|&(_, c)| {
        quoted ^= c == '"';
        c == wanted && !quoted
    });
    found.map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn links_are_read_in_every_form() {
        assert_eq!(links(r#"</v2/_catalog?n=1&last=a>; rel="next""#), [("/v2/_catalog?n=1&last=a", "next")]);
        assert_eq!(
            links(r#"<a>; title="x, y; rel=\"no\""; rel=prev, <b> ;REL = "last next""#),
            [("a", "prev"), ("b", "last next")]
        );
        assert_eq!(links("<a>"), [("a", "")]);
        assert_eq!(links(""), []);
        assert_eq!(links("<a"), []);
        assert!(is_next("last NEXT") && !is_next("nextish") && !is_next(""));
    }

    #[test]
    fn a_page_may_be_empty_but_must_be_a_list() {
        let reply = |body: &str| Reply {
            status: http::StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: body.to_owned().into(),
            url: reqwest::Url::parse("http://r").unwrap(),
        };
        for empty in [r#"{"tags":null}"#, r#"{"tags":[]}"#, "{}"] {
            assert_eq!(entries_of(&reply(empty), "tags"), Ok(vec![]), "{empty}");
        }
        for wrong in ["", "[]", "null", "\"x\"", r#"{"tags":{}}"#, r#"{"tags":["a""#] {
            assert!(entries_of(&reply(wrong), "tags").is_err(), "{wrong}");
        }
        assert_eq!(entries_of(&reply(r#"{"tags":["a",1]}"#), "tags").unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn reads_what_is_written(targets in proptest::collection::vec(("[!-;=?-~]{0,20}", "[a-z ]{0,10}"), 0..4)) {
            let line = targets.iter().map(|(t, r)| format!("<{t}>; x=\"a,b;c\"; rel=\"{r}\"")).collect::<Vec<_>>().join(", ");
            let expected: Vec<(&str, &str)> = targets.iter().map(|(t, r)| (t.as_str(), r.as_str())).collect();
            prop_assert_eq!(links(&line), expected);
        }

        #[test]
        fn never_panics(line in "[<>;,=\"a-zé ]{0,60}") {
            let _ = links(&line);
        }
    }
}
