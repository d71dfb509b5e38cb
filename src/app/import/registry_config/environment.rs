//! The `REGISTRY_*` variables: each names a key by its path with underscores, and its value is YAML, as registry:2
//! reads it. One that names no key is a mistake, because what it was to say would be lost. Values may be secrets and
//! are never shown.

use crate::app::config::tree::nearest;
use crate::app::import::registry_config::keys::{ROOT, Shape, leaves};
use crate::app::import::report::{Report, shown};
use crate::app::import::yaml::{self, Key, Node, Value};

/// Most variables that are looked at.
const VARIABLES_MAX: usize = 1000;
const PREFIX: &str = "REGISTRY_";

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// The variables out of the lines of a file, `NAME=VALUE` each; `export` and quotes around a value are taken off.
pub fn lines(text: &str) -> Vec<(String, String)> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line);
            let (name, value) = line.split_once('=')?;
            let value = value.trim();
            let bare = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
            (!name.starts_with('#')).then(|| (name.trim().to_owned(), bare.unwrap_or(value).to_owned()))
        })
        .collect()
}

/// Lays the variables over the file. In the order of their names, as registry:2 does, so that `REGISTRY_AUTH` comes
/// before what stands below it.
pub fn lay_over(root: &mut Node, variables: &[(String, String)], report: &mut Report) {
    let mut ours: Vec<&(String, String)> =
        variables.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    ours.sort();
    if ours.len() > VARIABLES_MAX {
        report.mistake(format!("there are more than {VARIABLES_MAX} {PREFIX} variables"));
        return;
    }
    let mut used = Vec::new();
    for (name, text) in ours {
        if is_foreign(name) {
            report.note(format!(
                "{name} is no key of the registry: docker or Kubernetes set it; it is not looked at"
            ));
            continue;
        }
        let Some(path) = path(&name[PREFIX.len()..]) else {
            report.mistake(unknown(name));
            continue;
        };
        match yaml::parse(text) {
            Ok(node) => {
                if set(root, &path, without_lines(node)) {
                    used.push(name.as_str());
                } else {
                    report
                        .mistake(format!("the environment's {name} does not fit to what the file has there"));
                }
            }
            Err(_) => report.mistake(format!("the value of the environment's {name} does not read as YAML")),
        }
    }
    if !used.is_empty() {
        report.note(format!("the environment wins over the file: {}", used.join(", ")));
    }
}

/// What docker's links and Kubernetes' services make of a service that is called `registry`, and the path of the file.
fn is_foreign(name: &str) -> bool {
    let rest = &name[PREFIX.len()..];
    let port = |text: &str| {
        let mut parts = text.split('_');
        let number = parts.next().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        let protocol = matches!(parts.next(), Some("TCP" | "UDP"));
        number && protocol && matches!(parts.next(), None | Some("ADDR" | "PORT" | "PROTO"))
    };
    matches!(rest, "CONFIGURATION_PATH" | "SERVICE_HOST" | "SERVICE_PORT" | "PORT" | "NAME")
        || rest.starts_with("SERVICE_PORT_")
        || rest.strip_prefix("PORT_").is_some_and(port)
        || rest.starts_with("ENV_")
}

fn unknown(name: &str) -> String {
    let known: Vec<String> =
        leaves().iter().map(|key| format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())).collect();
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("the environment's {} is not a key; did you mean {near}?", shown(name)),
        None => format!("the environment's {} is not a key", shown(name)),
    }
}

/// The path that a name means. Case and underscores within a key do not count.
fn path(name: &str) -> Option<Vec<Step>> {
    let words: Vec<&str> = name.split('_').collect();
    if words.len() > 64 {
        return None;
    }
    walk(&ROOT, &words)
}

fn walk(shape: &Shape, words: &[&str]) -> Option<Vec<Step>> {
    if words.is_empty() {
        return Some(Vec::new());
    }
    let before = |step: Step, rest: Vec<Step>| std::iter::once(step).chain(rest).collect();
    match shape {
        Shape::Leaf => None,
        Shape::Free => Some(words.iter().map(|word| Step::Key(word.to_ascii_lowercase())).collect()),
        Shape::List(below) => {
            let index = words[0].parse().ok()?;
            walk(below, &words[1..]).map(|rest| before(Step::Index(index), rest))
        }
        Shape::Section(keys) => (1..=words.len()).find_map(|taken| {
            let word: String = words[..taken].concat();
            let is = |key: &str| key.replace('_', "").eq_ignore_ascii_case(&word);
            let (key, below) = keys.iter().find(|(key, _)| is(key))?;
            walk(below, &words[taken..]).map(|rest| before(Step::Key((*key).to_owned()), rest))
        }),
    }
}

/// Sets a value. False: something else than a section or a list stands in the way, or a list has a gap.
fn set(node: &mut Node, path: &[Step], value: Node) -> bool {
    let Some((step, rest)) = path.split_first() else {
        *node = value;
        return true;
    };
    match step {
        Step::Key(name) => {
            as_section(node);
            let Value::Map(entries) = &mut node.value else { return false };
            let at = entries.iter().position(|(key, _)| key.name == *name).unwrap_or_else(|| {
                entries.push((Key { name: name.clone(), line: 0 }, Node { line: 0, value: Value::Null }));
                entries.len() - 1
            });
            set(&mut entries[at].1, rest, value)
        }
        Step::Index(index) => {
            if node.is_null() {
                node.value = Value::List(Vec::new());
            }
            let Value::List(list) = &mut node.value else { return false };
            if *index == list.len() {
                list.push(Node { line: 0, value: Value::Null });
            }
            list.get_mut(*index).is_some_and(|element| set(element, rest, value))
        }
    }
}

/// Writes sections that are given as one word as sections.
pub fn spell_out(root: &mut Node, sections: &[&str]) {
    let Value::Map(entries) = &mut root.value else { return };
    for (_, node) in entries.iter_mut().filter(|(key, _)| sections.contains(&key.name.as_str())) {
        if matches!(node.value, Value::Text(_)) {
            as_section(node);
        }
    }
}

/// `auth: htpasswd` and `storage: s3` are short for sections without keys.
fn as_section(node: &mut Node) {
    match &node.value {
        Value::Null => node.value = Value::Map(Vec::new()),
        Value::Text(name) => {
            let key = Key { name: name.clone(), line: node.line };
            node.value = Value::Map(vec![(key, Node { line: node.line, value: Value::Map(Vec::new()) })]);
        }
        Value::List(_) | Value::Map(_) => {}
    }
}

/// Lines of a variable are no lines of the file.
fn without_lines(mut node: Node) -> Node {
    node.line = 0;
    node.value = match node.value {
        Value::List(list) => Value::List(list.into_iter().map(without_lines).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, node)| (Key { name: key.name, line: 0 }, without_lines(node)))
                .collect(),
        ),
        other => other,
    };
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(file: &str, variables: &[(&str, &str)]) -> (Node, Report) {
        let mut root = yaml::parse(file).unwrap();
        let mut report = Report::default();
        let variables: Vec<_> = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        lay_over(&mut root, &variables, &mut report);
        (root, report)
    }

    fn at<'a>(root: &'a Node, path: &str) -> Option<&'a Value> {
        path.split('.').try_fold(root, |node, key| node.get(key)).map(|node| &node.value)
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn variables_win_over_the_file_and_make_what_is_not_there() {
        let (root, report) = over(
            "version: 0.1\nstorage: {filesystem: {rootdirectory: /a}}\n",
            &[
                ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/b"),
                ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
                ("REGISTRY_STORAGE_MAINTENANCE_UPLOAD_PURGING_AGE", "1h"),
                ("REGISTRY_HTTP_TLS_LETSENCRYPT_HOSTS_0", "r.example.com"),
                ("REGISTRY_HTTP_TLS_LETSENCRYPT_HOSTS_1", "s.example.com"),
                ("REGISTRY_LOG_FIELDS_SERVICE", "x"),
                ("REGISTRY_NOTIFICATIONS_ENDPOINTS_0_IGNORE_ACTIONS", "[pull]"),
                ("PATH", "/bin"),
                ("registry_http_addr", "no"),
            ],
        );
        assert!(report.mistakes.is_empty(), "{report:?}");
        assert_eq!(at(&root, "storage.filesystem.rootdirectory"), Some(&text("/b")));
        assert_eq!(at(&root, "storage.delete.enabled"), Some(&text("true")));
        assert_eq!(at(&root, "storage.maintenance.uploadpurging.age"), Some(&text("1h")));
        assert_eq!(at(&root, "log.fields.service"), Some(&text("x")));
        let Some(Value::List(hosts)) = at(&root, "http.tls.letsencrypt.hosts") else { panic!("{root:?}") };
        assert_eq!(hosts.len(), 2);
        assert!(at(&root, "http.addr").is_none());
    }

    #[test]
    fn one_word_makes_a_section_and_replaces_another() {
        let (root, report) = over(
            "storage: {filesystem: {rootdirectory: /a}}\n",
            &[
                ("REGISTRY_AUTH_HTPASSWD_PATH", "/p"),
                ("REGISTRY_AUTH", "htpasswd"),
                ("REGISTRY_STORAGE", "s3"),
                ("REGISTRY_STORAGE_S3_BUCKET", "b"),
            ],
        );
        assert!(report.mistakes.is_empty(), "{report:?}");
        assert_eq!(at(&root, "auth.htpasswd.path"), Some(&text("/p")));
        assert_eq!(at(&root, "storage.s3.bucket"), Some(&text("b")));
        assert!(at(&root, "storage.filesystem").is_none());
    }

    #[test]
    fn a_value_is_yaml_and_may_be_a_section() {
        let (root, report) =
            over("{}", &[("REGISTRY_STORAGE", "{filesystem: {rootdirectory: /x}, delete: {enabled: true}}")]);
        assert!(report.mistakes.is_empty(), "{report:?}");
        assert_eq!(at(&root, "storage.filesystem.rootdirectory"), Some(&text("/x")));
    }

    #[test]
    fn what_names_no_key_is_a_mistake_with_the_nearest() {
        for (name, near) in [
            ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORI", "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"),
            ("REGISTRY_HTP_ADDR", "REGISTRY_HTTP_ADDR"),
            ("REGISTRY_HTTP_ADDR_X", "REGISTRY_HTTP_ADDR"),
            ("REGISTRY_HTTP_TLS_LETSENCRYPT_HOSTS_X", "REGISTRY_HTTP_TLS_LETSENCRYPT_HOSTS"),
        ] {
            let (_, report) = over("{}", &[(name, "canary")]);
            assert_eq!(report.mistakes.len(), 1, "{name}");
            let told = &report.mistakes[0];
            assert!(told.contains(name) && told.contains(&format!("did you mean {near}?")), "{told}");
            assert!(!told.contains("canary"));
        }
        assert_eq!(over("{}", &[("REGISTRY_", "x"), ("REGISTRY_ZZZ", "x")]).1.mistakes.len(), 2);
    }

    #[test]
    fn what_docker_and_kubernetes_set_is_not_meant() {
        let (root, report) = over(
            "{}",
            &[
                ("REGISTRY_SERVICE_HOST", "10.0.0.1"),
                ("REGISTRY_SERVICE_PORT", "5000"),
                ("REGISTRY_SERVICE_PORT_HTTP", "5000"),
                ("REGISTRY_PORT", "tcp://10.0.0.1:5000"),
                ("REGISTRY_PORT_5000_TCP", "tcp://10.0.0.1:5000"),
                ("REGISTRY_PORT_5000_TCP_ADDR", "10.0.0.1"),
                ("REGISTRY_CONFIGURATION_PATH", "/etc/x"),
            ],
        );
        assert!(report.mistakes.is_empty() && report.remarks.len() == 7, "{report:?}");
        assert_eq!(root.value, Value::Map(vec![]));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_never_shown() {
        for (name, value) in [
            ("REGISTRY_HTTP_SECRET", "canary: ["),
            ("REGISTRY_HTTP_SECRET", "*canary"),
            ("REGISTRY_HTTP_TLS_LETSENCRYPT_HOSTS_7", "canary"),
        ] {
            let (_, report) = over("{}", &[(name, value)]);
            assert_eq!(report.mistakes.len(), 1, "{name}");
            assert!(
                report.mistakes[0].contains(name) && !report.mistakes[0].contains("canary"),
                "{report:?}"
            );
        }
    }

    #[test]
    fn lines_of_a_file() {
        let text = "# REGISTRY_A=1\nREGISTRY_B=x=y\nexport REGISTRY_C='a b'\n\nnothing\nREGISTRY_D=\"q\"\r\nREGISTRY_E=\n";
        let expected =
            [("REGISTRY_B", "x=y"), ("REGISTRY_C", "a b"), ("REGISTRY_D", "q"), ("REGISTRY_E", "")];
        let lines = lines(text);
        let lines: Vec<(&str, &str)> = lines.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(lines, expected);
    }

    proptest::proptest! {
        #[test]
        fn no_variable_makes_it_panic(name in "REGISTRY_(STORAGE_|AUTH_|HTTP_|TLS_|0_|[A-Z]_?){0,8}", value in "[ -~]{0,20}") {
            over("{}", &[(&name, &value)]);
        }

        #[test]
        fn every_key_has_a_variable(at in 0usize..200) {
            let keys = leaves();
            let key = &keys[at % keys.len()];
            let known = path(&key.replace('.', "_").to_uppercase());
            // what stands in a list wants a number
            let listed = known.is_none();
            proptest::prop_assert!(!listed || ["notifications.endpoints", "health.", "validation.manifests.indexes.platformlist"].iter().any(|list| key.starts_with(list)), "{}", key);
        }
    }
}
