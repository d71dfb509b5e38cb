//! Search filters with a place for a name. What is put in is escaped (RFC 4515, section 3), so that a name can never
//! become part of the question.

use ldap3::{ldap_escape, parse_filter};

/// Where the account's name goes.
pub const ACCOUNT: &str = "${account}";
/// Where the found entry's DN goes.
pub const DN: &str = "${dn}";

/// The filter with its places filled.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() + 64);
    let mut rest = template;
    // From left to right and never again over what was put in: a name may itself look like a place.
    'next: while let Some(at) = rest.find("${") {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        for (place, value) in values {
            if let Some(after) = rest.strip_prefix(place) {
                filled.push_str(&ldap_escape(*value));
                rest = after;
                continue 'next;
            }
        }
        filled.push_str("${");
        rest = &rest[2..];
    }
    filled.push_str(rest);
    filled
}

/// What is wrong with a template that may have these places and must have the first.
pub fn fault(template: &str, places: &[&str]) -> Option<String> {
    let sample: Vec<(&str, &str)> = places.iter().map(|place| (*place, "x")).collect();
    let filled = fill(template, &sample);
    if let Some(at) = filled.find("${") {
        let place: String = filled[at..].chars().take(32).collect();
        return Some(format!("knows no {place:?}: it may hold {}", places.join(" and ")));
    }
    if parse_filter(&filled).is_err() {
        return Some("is no LDAP filter (RFC 4515)".into());
    }
    match places.first() {
        Some(first) if !template.contains(first) => {
            Some(format!("has no {first}, so it would find everybody"))
        }
        _ => None,
    }
}

/// The attribute that a filter first compares with the account's name: that by which accounts are named.
pub fn naming_attribute(template: &str) -> Option<&str> {
    let before = &template[..template.find(ACCOUNT)?];
    let attribute = before.rsplit(['(', '&', '|', '!']).next()?.strip_suffix('=')?.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (!attribute.is_empty() && attribute.bytes().all(plain)).then_some(attribute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILTER: &str = "(&(uid=${account})(objectClass=person))";

    fn account(name: &str) -> String {
        fill(FILTER, &[(ACCOUNT, name)])
    }

    #[test]
    fn a_name_is_escaped() {
        assert_eq!(account("amy"), "(&(uid=amy)(objectClass=person))");
        assert_eq!(account("*"), "(&(uid=\\2a)(objectClass=person))");
        assert_eq!(account("a)(uid=*"), "(&(uid=a\\29\\28uid=\\2a)(objectClass=person))");
        assert_eq!(account("a\\b\0"), "(&(uid=a\\5cb\\00)(objectClass=person))");
        assert_eq!(account("ämy"), "(&(uid=ämy)(objectClass=person))");
    }

    #[test]
    fn a_name_that_looks_like_a_place_is_a_name() {
        let filled = fill("(&(a=${account})(b=${dn}))", &[(DN, "${account}"), (ACCOUNT, "${dn}")]);
        assert_eq!(filled, "(&(a=${dn})(b=${account}))");
    }

    #[test]
    fn templates_are_judged() {
        assert_eq!(fault(FILTER, &[ACCOUNT]), None);
        assert_eq!(fault("(member=${dn})", &[DN, ACCOUNT]), None);
        assert_eq!(fault("(|(member=${dn})(memberUid=${account}))", &[DN, ACCOUNT]), None);
        for (template, part) in [
            ("(uid=amy)", "has no ${account}"),
            ("(uid=${account}", "is no LDAP filter"),
            ("uid ${account}", "is no LDAP filter"),
            ("", "is no LDAP filter"),
            ("(&(uid=${account})(x=${name}))", "knows no \"${name}"),
            ("(uid=${Account})", "knows no"),
        ] {
            let told = fault(template, &[ACCOUNT]).unwrap_or_default();
            assert!(told.contains(part), "{template}: {told}");
        }
    }

    #[test]
    fn the_naming_attribute_is_the_first_that_is_compared() {
        for (template, expected) in [
            (FILTER, Some("uid")),
            ("(sAMAccountName=${account})", Some("sAMAccountName")),
            ("(|(cn=${account})(mail=${account}))", Some("cn")),
            ("uid=${account}", Some("uid")),
            ("(uid=x${account})", None),
            ("(uid>=${account})", None),
            ("(uid:caseExactMatch:=${account})", None),
            ("(uid=amy)", None),
        ] {
            assert_eq!(naming_attribute(template), expected, "{template}");
        }
    }

    proptest! {
        #[test]
        fn no_name_changes_the_question(name in "\\PC{0,40}") {
            let filled = account(&name);
            let plain = account("x");
            let shape = |text: &str| text.chars().filter(|c| "()&|!*".contains(*c)).collect::<String>();
            // `&`, `|` and `!` mean something after a parenthesis only.
            prop_assert_eq!(shape(&filled.replace(['&', '|', '!'], "")), shape(&plain.replace('&', "")));
            prop_assert!(parse_filter(&filled).is_ok(), "{}", filled);
        }

        #[test]
        fn no_template_panics(template in "[($&|!{}a-z=)]{0,40}") {
            let _ = (fault(&template, &[ACCOUNT]), naming_attribute(&template));
        }
    }
}
