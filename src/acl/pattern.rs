//! A pattern of a rule: a glob, or a regular expression between slashes, either with placeholders. Reads what
//! docker_auth reads and matches what it matches, `**` aside, which is ours. Knows nothing of a rule but the other
//! patterns of its `match`.

use crate::acl::asked::Asked;
use crate::acl::config::Match;
use crate::acl::glob::{Part, read};
use crate::acl::placeholder::{Piece, pieces};
use crate::acl::regexes::{Fits, Memo, between_slashes, compile};
use crate::acl::template::Template;
use crate::acl::tokens::Tokens;
use regex::Regex;

/// A pattern.
#[derive(Debug, Clone)]
pub struct Pattern(Form);

#[derive(Debug, Clone)]
enum Form {
    Glob(Tokens),
    Regex(Regex),
    Template(Box<Template>),
}

impl Pattern {
    /// Reads a pattern of a `match`, one of the labels' if `of_label`: there, `${labels:..}` has no value.
    pub fn compile(text: &str, entry: &Match, of_label: bool) -> Result<Self, String> {
        let pieces = pieces(text)?;
        if pieces.iter().any(|piece| !matches!(piece, Piece::Text(_))) {
            let template = Template::compile(&pieces, entry, of_label)?;
            return Ok(Self(Form::Template(Box::new(template))));
        }
        let form = match between_slashes(text) {
            Some(inner) => {
                Form::Regex(compile(inner).map_err(|wrong| format!("the expression {text:?}: {wrong}"))?)
            }
            None => {
                Form::Glob(read(&[Part::Text(text)]).map_err(|wrong| format!("the glob {text:?} {wrong}"))?)
            }
        };
        Ok(Self(form))
    }

    /// Whether a text fits.
    pub fn fits(&self, text: &str, asked: &Asked<'_>, memo: &Memo) -> Fits {
        match &self.0 {
            Form::Glob(glob) => glob.fit(text, &[]).into(),
            Form::Regex(regex) => regex.is_match(text).into(),
            Form::Template(template) => template.fits(text, asked, memo),
        }
    }

    /// Whether a text fits, if that does not depend on who asks.
    pub fn always_fits(&self, text: &str) -> Option<bool> {
        match &self.0 {
            Form::Glob(glob) => Some(glob.fit(text, &[])),
            Form::Regex(regex) => Some(regex.is_match(text)),
            Form::Template(_) => None,
        }
    }

    /// The one text that fits, if there is only one whoever asks.
    pub fn literal(&self) -> Option<&str> {
        self.glob().and_then(Tokens::literal)
    }

    /// What it consists of, if it is a glob without placeholders.
    pub fn glob(&self) -> Option<&Tokens> {
        match &self.0 {
            Form::Glob(glob) => Some(glob),
            Form::Regex(_) | Form::Template(_) => None,
        }
    }

    /// How every text that fits begins, whoever asks.
    pub fn prefix(&self) -> &str {
        match &self.0 {
            Form::Glob(glob) => glob.prefix(),
            Form::Regex(_) => "",
            Form::Template(template) => template.prefix(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::access::Access;
    use crate::acl::identity::{AccountKind, Identity};
    use proptest::prelude::*;

    fn identity(name: &str, labels: &[(&str, &[&str])]) -> Identity {
        let labels = labels.iter().map(|(label, values)| {
            ((*label).to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
        });
        Identity {
            kind: AccountKind::User,
            name: name.into(),
            labels: labels.collect(),
            ..Identity::anonymous()
        }
    }

    /// Whether the pattern of a name fits that name.
    fn fits_of(identity: &Identity, entry: &Match, name: &str) -> Fits {
        let access = Access { kind: "repository", name, action: "pull" };
        let asked = Asked { identity, service: "svc", access: &access };
        let pattern = Pattern::compile(entry.name.as_ref().unwrap(), entry, false).unwrap();
        pattern.fits(name, &asked, &Memo::default())
    }

    #[track_caller]
    fn fits(pattern: &str, identity: &Identity, name: &str) -> bool {
        let entry = Match { name: Some(pattern.into()), ..Match::default() };
        match fits_of(identity, &entry, name) {
            Fits::Yes => true,
            Fits::No => false,
            Fits::Unknown => panic!("{pattern} is too much"),
        }
    }

    #[test]
    fn slashes_make_an_expression_that_is_not_anchored() {
        let joe = identity("joe", &[]);
        assert!(fits("/foo/", &joe, "xfoox"));
        assert!(!fits("foo", &joe, "xfoox"));
        assert!(fits("/(foo|bar)$/", &joe, "a/bar"));
        assert!(!fits("/^(foo|bar)$/", &joe, "a/bar"));
        assert!(fits("//", &joe, "//") && !fits("//", &joe, "a"), "nothing between the slashes is a glob");
    }

    #[test]
    fn values_of_fields_are_letters() {
        let dots = identity("j.*", &[]);
        assert!(fits("${account}/*", &dots, "j.*/app"));
        assert!(!fits("${account}/*", &dots, "jxx/app"));
        assert!(fits("/^${account}_.*/", &dots, "j.*_x") && !fits("/^${account}_.*/", &dots, "jo_x"));
        assert!(fits("[${account}]", &identity("ab", &[]), "b"), "in a class each letter counts");
        assert!(fits("\\${account}", &identity("ab", &[]), "ab"));
        assert!(!fits("${account}", &identity("/.+/", &[]), "x"), "an account is no expression");
        assert!(
            fits("*${account}*", &identity("", &[]), "a") && !fits("*${account}*", &identity("", &[]), "a/b")
        );
        assert!(fits("${service}-${type}", &dots, "svc-repository"));
        assert!(!fits("/${account}/", &identity("", &[]), "x"), "an empty expression would match everything");
    }

    #[test]
    fn a_group_of_the_account_s_expression_is_inserted() {
        let entry = |account: &str, name: &str| Match {
            account: Some(account.into()),
            name: Some(name.into()),
            ..Match::default()
        };
        let joe = identity("joe@test.com", &[]);
        let domain = entry("/^(.+)@test.com$/", "${account:1}/*");
        assert_eq!(fits_of(&joe, &domain, "joe/app"), Fits::Yes);
        assert_eq!(fits_of(&joe, &domain, "joe@test.com/app"), Fits::No);
        assert_eq!(fits_of(&identity("joe@else.com", &[]), &domain, "joe/app"), Fits::No);
        let smith = identity("john.smith@it.test.com", &[]);
        let two = entry("/^(.+)@(.+?).test\\.com$/", "${account:1}-${account:2}/*");
        assert_eq!(fits_of(&smith, &two, "john.smith-it/test"), Fits::Yes);
        for (account, name) in [
            ("/^(.+)@test.com$/", "${account:2}/*"),
            ("/^(.+)@test.com$/", "${account:0}/*"),
            ("joe*", "${account:1}/*"),
            ("/^(${service}|.+)@test.com$/", "${account:1}/*"),
            ("/^.+$/", "/^${account:1}|never$/"),
        ] {
            assert_eq!(fits_of(&joe, &entry(account, name), "joe/app"), Fits::No, "{account} {name}");
        }
        let optional = entry("/^joe(x)?@/", "a${account:1}b");
        assert_eq!(fits_of(&joe, &optional, "ab"), Fits::Yes, "a group that took no part is empty");
        let either = entry("/^(.+)@/", "/^${account:7}$|^any$/");
        assert_eq!(fits_of(&joe, &either, "any"), Fits::Yes, "the other alternative stands");
    }

    #[test]
    fn every_value_of_a_label_is_tried() {
        let guy = identity(
            "busy-guy",
            &[
                ("group", &["web", "webdev"]),
                ("project", &["website", "api"]),
                ("tier", &["frontend", "backend"]),
            ],
        );
        assert!(fits("${labels:project}/*", &guy, "api/x") && fits("${labels:project}/*", &guy, "website/x"));
        assert!(!fits("${labels:project}/*", &guy, "web/x") && !fits("${labels:project}/*", &guy, "api/x/y"));
        let three = "${labels:project}/${labels:group}-${labels:tier}";
        for (project, group, tier) in [("website", "web", "frontend"), ("api", "webdev", "backend")] {
            assert!(fits(three, &guy, &format!("{project}/{group}-{tier}")));
        }
        assert!(!fits(three, &guy, "api/frontend-web"));
        assert!(fits("${labels:tier}/${labels:tier}", &guy, "backend/backend"));
        assert!(!fits("${labels:tier}/${labels:tier}", &guy, "backend/frontend"), "one label, one value");
        assert!(fits("/^${labels:group}-/", &guy, "webdev-x") && !fits("/^${labels:group}-/", &guy, "x-web"));
        assert!(!fits("${labels:project}-{labels:tier}/*", &guy, "api-backend/x"), "a forgotten dollar");
        assert!(!fits("${labels:none}/*", &guy, "${labels:none}/x"));
        assert!(fits("/^web|${labels:none}/", &guy, "website"), "the other alternative stands");
    }

    #[test]
    fn values_of_labels_may_be_globs_or_expressions() {
        let lab = identity(
            "lab",
            &[
                ("own", &["test/*", "deep/**"]),
                ("cut", &["a-"]),
                ("re", &["/^x.z$/"]),
                ("bad", &["[", "(", "ok"]),
                ("star", &["*"]),
                ("empty", &[""]),
                ("open", &["/x"]),
                ("dot", &["."]),
                ("close", &["z/"]),
            ],
        );
        assert!(fits("${labels:own}", &lab, "test/a") && !fits("${labels:own}", &lab, "test/a/b"));
        assert!(fits("${labels:own}", &lab, "deep/a/b"));
        assert!(fits("[${labels:cut}c]", &lab, "b"), "even half of a class");
        assert!(fits("${labels:re}", &lab, "xyz") && !fits("a${labels:re}", &lab, "xyz"));
        assert!(
            fits("${labels:open}${labels:dot}${labels:close}", &lab, "xyz"),
            "put together it is an expression"
        );
        assert!(fits("${labels:bad}", &lab, "ok") && fits("/^${labels:bad}/", &lab, "okay"));
        assert!(fits("${labels:star}*", &lab, "ab") && !fits("${labels:star}*", &lab, "a/b"), "no two stars");
        assert!(fits("*${labels:empty}*", &lab, "ab") && !fits("*${labels:empty}*", &lab, "a/b"));
        assert!(!fits("/${labels:empty}/", &lab, "a"), "an empty expression would match everything");
    }

    #[test]
    fn too_much_is_not_tried() {
        let many: Vec<_> = (0..40).map(|n| format!("v{n}*")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let one = identity("x", &[("a", &many), ("b", &many)]);
        let entry = |name: &str| Match { name: Some(name.into()), ..Match::default() };
        assert_eq!(fits_of(&one, &entry("${labels:a}-${labels:b}"), "v1-v2"), Fits::Unknown);
        assert_eq!(
            fits_of(&one, &entry("x${labels:a}-${labels:b}"), "v1-v2"),
            Fits::No,
            "it begins otherwise"
        );
        assert_eq!(fits_of(&one, &entry("${labels:a}"), "v7x"), Fits::Yes);
        let plain: Vec<_> = many.iter().map(|value| value.trim_end_matches('*')).collect();
        let two = identity("x", &[("a", &plain), ("b", &plain)]);
        assert_eq!(fits_of(&two, &entry("${labels:a}-${labels:b}"), "v1-v39"), Fits::Yes);
        let long = identity(&"x".repeat(5000), &[]);
        assert_eq!(fits_of(&long, &entry("/^${account}$/"), "x"), Fits::Unknown);
        let huge = identity("x", &[("l", &["(a{500}){500}"])]);
        assert_eq!(fits_of(&huge, &entry("/${labels:l}/"), "x"), Fits::Unknown);
    }

    #[test]
    fn mistakes_are_told_in_a_sentence() {
        let none = Match::default();
        for (bad, says) in [
            ("/foo?*/", "repetition"),
            ("/(/", "unclosed group"),
            ("[a", "not closed"),
            ("${team}", "no placeholder"),
            ("${account}/[", "not closed"),
            ("/^${account}(/", "unclosed group"),
            ("/(a{900}){900}/", "too large"),
            (&"${name}".repeat(9), "at most 8"),
        ] {
            let told = Pattern::compile(bad, &none, false).unwrap_err();
            assert!(told.contains(says) && !told.contains('\n'), "{bad:?}: {told}");
        }
    }

    proptest! {
        /// The usual case, without putting anything together, must be what putting together gives.
        #[test]
        fn a_glob_with_values_is_the_glob_with_values_inserted(
            before in "([ab/*?]|\\[ab\\]){0,4}", after in "[ab/*?]{0,4}", value in "[ab.*+/]{0,4}", name in "[ab/.*]{0,8}"
        ) {
            prop_assume!(!before.contains("**") && !after.contains("**"));
            let quoted: String = value.chars().flat_map(|c| ['\\', c]).collect();
            let whole = format!("{before}{quoted}{after}");
            // with nothing between them, two stars would become one that crosses
            prop_assume!(!whole.contains("**") && between_slashes(&whole).is_none());
            let whole = Match { name: Some(whole), ..Match::default() };
            let holed = Match { name: Some(format!("{before}${{account}}{after}")), ..Match::default() };
            let one = identity(&value, &[]);
            prop_assert_eq!(fits_of(&one, &holed, &name), fits_of(&one, &whole, &name));
        }

        #[test]
        fn never_panics(text in "([a-c/*?()|.\\[\\]\\\\^$]|\\$\\{account\\}|\\$\\{account:1\\}|\\$\\{labels:l\\}){0,8}", value in "\\PC{0,6}", name in "\\PC{0,6}") {
            let entry = Match { name: Some(text.clone()), account: Some("/(.)/".into()), ..Match::default() };
            if Pattern::compile(&text, &entry, false).is_ok() {
                fits_of(&identity(&value, &[("l", &[&value, "x"])]), &entry, &name);
            }
        }
    }
}
