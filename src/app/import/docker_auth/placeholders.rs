//! The placeholders of docker_auth's patterns: which of them docker_auth fills in, and which stand there as letters and
//! keep their rule from ever matching.

use crate::app::import::docker_auth::regexes;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The expression with which docker_auth itself looks for `${field:1}`. It reaches over other placeholders before
/// the number: that is a fault of docker_auth, and such a pattern never matched.
static CAPTURES: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\{(.+?):(\d+)\}").ok());
/// Anything that looks like a placeholder.
static ANY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\{[A-Za-z][^{}]*\}?").ok());
/// A placeholder whose `$` was forgotten.
static BARE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:^|[^$\\])(\{(?:labels:[^{}]*|(?:account|type|name|service)(?::\d+)?)\})").ok()
});

/// The four fields of a match that may have placeholders and lend their groups: `account`, `type`, `name`, `service`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patterns<'a> {
    /// Field and pattern.
    pub given: [(&'static str, Option<&'a str>); 4],
}

impl Patterns<'_> {
    /// The `${field:N}` that docker_auth fills in.
    pub fn captures(&self) -> BTreeSet<String> {
        let mut filled = BTreeSet::new();
        let texts = self.given.iter().filter_map(|(_, pattern)| *pattern);
        for found in texts.flat_map(|text| CAPTURES.iter().flat_map(|regex| regex.captures_iter(text))) {
            let (Some(whole), Some(field), Some(number)) = (found.get(0), found.get(1), found.get(2)) else {
                continue;
            };
            let lender = self.given.iter().find(|(name, _)| *name == title_off(field.as_str()));
            let Some((_, Some(pattern))) = lender else { continue };
            let expression = pattern.strip_prefix('/').and_then(|inner| inner.strip_suffix('/'));
            let groups = expression.map_or(0, regexes::groups);
            if number.as_str().parse().is_ok_and(|n: usize| n >= 1 && n <= groups) {
                filled.insert(whole.as_str().to_owned());
            }
        }
        filled
    }
}

/// docker_auth writes the first letter of the field large before it looks it up.
fn title_off(field: &str) -> String {
    let mut chars = field.chars();
    chars.next().map(|first| first.to_ascii_lowercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// The first placeholder that docker_auth does not fill in.
pub fn unfilled<'t>(text: &'t str, captures: &BTreeSet<String>, labels: bool) -> Option<&'t str> {
    ANY.iter().flat_map(|regex| regex.find_iter(text)).map(|found| found.as_str()).find(|placeholder| {
        let plain = matches!(*placeholder, "${account}" | "${type}" | "${name}" | "${service}");
        let label = placeholder.strip_prefix("${labels:").and_then(|label| label.strip_suffix('}'));
        let label = labels && label.is_some_and(|label| !label.is_empty());
        !plain && !label && !captures.contains(*placeholder)
    })
}

/// What stands between the placeholders of a pattern.
pub fn around(text: &str) -> impl Iterator<Item = &str> {
    ANY.iter().flat_map(move |regex| regex.split(text))
}

/// The labels whose values are filled in.
pub fn labels(text: &str) -> impl Iterator<Item = &str> {
    let found = ANY.iter().flat_map(move |regex| regex.find_iter(text));
    found.filter_map(|placeholder| placeholder.as_str().strip_prefix("${labels:")?.strip_suffix('}'))
}

/// A placeholder without its `$`.
pub fn bare(text: &str) -> Option<&str> {
    BARE.as_ref()?.captures(text)?.get(1).map(|found| found.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfilled_in<'a>(account: Option<&str>, name: &'a str) -> Option<&'a str> {
        let given = [("account", account), ("type", None), ("name", Some(name)), ("service", None)];
        unfilled(name, &Patterns { given }.captures(), true)
    }

    #[test]
    fn what_docker_auth_fills_in_is_known() {
        let account = Some("/^(.+)@test.com$/");
        assert_eq!(unfilled_in(account, "${account:1}/*"), None);
        assert_eq!(unfilled_in(account, "${Account:1}/*"), None);
        assert_eq!(unfilled_in(None, "${account}/${type}-${service}"), None);
        assert_eq!(unfilled_in(None, "${labels:group}-${labels:tier}/*"), None);
    }

    #[test]
    fn what_it_leaves_there_is_found() {
        let account = Some("/^(.+)@test.com$/");
        assert_eq!(unfilled_in(account, "${account:2}/*"), Some("${account:2}"));
        assert_eq!(unfilled_in(account, "${account:0}/*"), Some("${account:0}"));
        assert_eq!(unfilled_in(Some("test"), "${account:1}/*"), Some("${account:1}"));
        assert_eq!(unfilled_in(None, "${acount}/*"), Some("${acount}"));
        assert_eq!(unfilled_in(None, "${ip}"), Some("${ip}"));
        assert_eq!(unfilled_in(None, "${account"), Some("${account"));
        // docker_auth's own search swallows both
        assert_eq!(unfilled_in(account, "${labels:a}-${account:1}/*"), Some("${account:1}"));
        assert_eq!(unfilled_in(account, "${account:1}-${labels:a}/*"), None);
    }

    #[test]
    fn a_forgotten_dollar_is_found() {
        assert_eq!(bare("${labels:project}-{labels:tier}/*"), Some("{labels:tier}"));
        assert_eq!(bare("{account}/*"), Some("{account}"));
        assert_eq!(bare("{account:1}"), Some("{account:1}"));
        assert_eq!(bare("${labels:project}/*"), None);
        assert_eq!(bare("/a{2}/"), None);
    }
}
