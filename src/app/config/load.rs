//! Reading the configuration: defaults, then the file, then the environment, then the flags. All mistakes are
//! told at once.

use crate::app::config::settings::Settings;
use crate::app::config::tree::{self, Mistake};
use crate::app::config::{check, env};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// What the command line says. It wins over everything.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--behind-proxy`
    pub behind_proxy: bool,
}

/// Reads the configuration of this process.
pub fn load(flags: &Flags) -> Result<Settings, Vec<Mistake>> {
    load_over(Settings::default(), flags, &variables())
}

/// Reads the configuration of the registry that `from` is moved to: a file, and the variables that are for it. Its data
/// folder is the same if nothing else is said.
pub fn load_target(file: &Path, from: &Settings) -> Result<Settings, Vec<Mistake>> {
    let flags = Flags { config: Some(file.to_owned()), ..Flags::default() };
    let unsaid = Settings { data: from.data.clone(), ..Settings::default() };
    load_over(unsaid, &flags, &env::of_target(variables()))
        .map_err(|mistakes| mistakes.iter().map(|mistake| env::told_of_target(mistake)).collect())
}

#[allow(clippy::disallowed_methods)] // the one place that reads the environment
fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn load_over(
    unsaid: Settings,
    flags: &Flags,
    variables: &[(String, String)],
) -> Result<Settings, Vec<Mistake>> {
    let file = match &flags.config {
        Some(path) => Some(read(path).map_err(|mistake| vec![mistake])?),
        None => None,
    };
    compose_over(unsaid, file.as_deref(), variables, flags)
}

fn read(path: &Path) -> Result<String, Mistake> {
    std::fs::read_to_string(path).map_err(|e| format!("the configuration file {}: {e}", path.display()))
}

/// Composes a configuration out of its sources.
pub fn compose(
    file: Option<&str>,
    variables: &[(String, String)],
    flags: &Flags,
) -> Result<Settings, Vec<Mistake>> {
    compose_over(Settings::default(), file, variables, flags)
}

/// The same, where `unsaid` stands for what none of them says.
fn compose_over(
    unsaid: Settings,
    file: Option<&str>,
    variables: &[(String, String)],
    flags: &Flags,
) -> Result<Settings, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut table = Table::try_from(unsaid).map_err(|e| vec![e.to_string()])?;
    if let Some(file) = file {
        match file.parse::<Table>() {
            Ok(given) => tree::lay_over(&mut table, given, "", &mut mistakes),
            Err(error) => mistakes.push(not_toml(file, &error)),
        }
    }
    env::lay_over(&mut table, variables, &mut mistakes);
    if let Some(data) = &flags.data {
        tree::set(&mut table, "data", Value::String(data.to_string_lossy().into_owned()));
    }
    if let Some(listen) = &flags.listen {
        tree::set(&mut table, "server.listen", Value::String(listen.clone()));
    }
    if flags.behind_proxy {
        tree::set(&mut table, "server.behind_proxy", Value::Boolean(true));
    }
    let settings = Settings {
        data: section(&table, "data", &mut mistakes),
        acl: section(&table, "acl", &mut mistakes),
        admin: section(&table, "admin", &mut mistakes),
        auth: section(&table, "auth", &mut mistakes),
        audit: section(&table, "audit", &mut mistakes),
        server: section(&table, "server", &mut mistakes),
        storage: section(&table, "storage", &mut mistakes),
        metadata: section(&table, "metadata", &mut mistakes),
        registry: section(&table, "registry", &mut mistakes),
        log: section(&table, "log", &mut mistakes),
    };
    mistakes.extend(check::check(&settings));
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

/// Where the file stops being TOML. The line itself is not told, as the library would: there may be a password in it.
fn not_toml(file: &str, error: &toml::de::Error) -> Mistake {
    let before = error.span().and_then(|span| file.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let why = error.message().replace('\n', " ");
    format!("the configuration file is not TOML: line {line}, column {column}: {why}")
}

/// One section in its own type. A value that is none of those allowed (an engine that is not known, a
/// negative size) is a mistake, and the section stays at its defaults so that the rest can be checked.
fn section<T: DeserializeOwned + Default>(table: &Table, name: &str, mistakes: &mut Vec<Mistake>) -> T {
    let value = table.get(name).cloned().unwrap_or(Value::Table(Table::new()));
    value.try_into().unwrap_or_else(|error: toml::de::Error| {
        let at = if name == "data" { "`data`".to_owned() } else { format!("[{name}]") };
        mistakes.push(format!("{at}: {}", without_value(error.to_string().trim()).replace('\n', " ")));
        T::default()
    })
}

/// What the library says of a value of a wrong type, without the value: it may be a secret that stands in a wrong
/// place.
fn without_value(told: &str) -> String {
    let is_of_value = ["invalid type: ", "invalid value: "].iter().any(|kind| told.starts_with(kind));
    match (told.find(['`', '"', '\'']), told.rfind(", expected")) {
        (Some(from), Some(to)) if is_of_value && from < to => {
            format!("{}{}", told[..from].trim_end(), &told[to..])
        }
        _ => told.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(file: &str, variables: &[(&str, &str)]) -> Vec<Mistake> {
        let variables: Vec<_> = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        compose(Some(file), &variables, &Flags::default()).err().unwrap_or_default()
    }

    #[test]
    fn the_example_is_the_default_with_every_key() {
        let example = include_str!("../../../config.example.toml");
        let settings = compose(Some(example), &[], &Flags::default()).unwrap();
        assert_eq!(settings, Settings::default());
        let told: Table = example.parse().unwrap();
        let known = Table::try_from(Settings::default()).unwrap();
        assert_eq!(tree::leaves(&told), tree::leaves(&known));
    }

    #[test]
    fn a_mistake_in_a_variable_for_the_target_is_told_by_its_own_name() {
        let variables = [("HOLDFAST_TO_SERVER_LISTN".to_owned(), "x".to_owned())].to_vec();
        let mistakes =
            load_over(Settings::default(), &Flags::default(), &env::of_target(variables)).unwrap_err();
        let told: Vec<_> = mistakes.iter().map(|mistake| env::told_of_target(mistake)).collect();
        let said = "the environment's HOLDFAST_TO_SERVER_LISTN is not a key; did you mean HOLDFAST_TO_SERVER_LISTEN?";
        assert_eq!(told, [said]);
    }

    #[test]
    fn the_target_of_a_move_has_the_same_data_folder_unless_it_says_otherwise() {
        let from = Settings { data: "/var/lib/holdfast".into(), ..Settings::default() };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("to.toml");
        for (text, data) in
            [("[metadata]\nengine = \"redb\"\n", "/var/lib/holdfast"), ("data = \"/new\"\n", "/new")]
        {
            std::fs::write(&file, text).unwrap();
            assert_eq!(load_target(&file, &from).unwrap().data, data);
        }
    }

    #[test]
    fn a_file_that_is_no_toml_is_told_by_place_and_without_its_text() {
        for file in [
            "data = 'x'\n  [auth.ldap]\nbind_password = \"canary\n",
            "a = 'canary' 'b'",
            "canary",
            "= canary",
        ] {
            let told = mistakes(file, &[]).join("\n");
            assert!(told.contains("is not TOML: line ") && !told.contains("canary"), "{told}");
        }
        assert!(mistakes("data = 'x'\nb = \n", &[])[0].contains("line 2, column "));
    }

    #[test]
    fn a_value_of_a_wrong_type_is_told_without_the_value() {
        for file in [
            "[admin]\npassword = 98989898\n",
            "[admin]\npassword = ['98989898']\n",
            "[auth.ldap]\nbind_password = 98989898\n",
            "[[auth.users]]\nname = 'a'\npassword = 98989898\n",
            "[[auth.users]]\nname = 'a'\npassword = 98989898.5\n",
            "[[auth.users]]\nname = 'a'\npassword = ['98989898']\n",
            "[[auth.users]]\nname = 'a'\npassword = '98989898'\n",
            "[auth]\nusers = ['a:98989898, expected \\n `x`']\n",
            "[auth]\nusers = '98989898'\n",
            "auth = '98989898'\n",
            "[[auth.users]]\nname = 'a'\npassword = { plain = '98989898' }\n",
        ] {
            let told = mistakes(file, &[]).join("\n");
            assert!(!told.is_empty() && !told.contains("98989898"), "{file}: {told}");
        }
        let told = mistakes("[[auth.users]]\nname = 'a'\npassword = 5\n", &[]).join("\n");
        assert!(told.contains("[auth]: invalid type: integer, expected a string"), "{told}");
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_the_nearest_key() {
        let told = mistakes(
            "dta = 'x'\n[server]\nlisen = 'a:1'\nstall_secs = 'x'\n[metadata]\nengine = 'sledd'\n[registry]\nuploads_max = 0\n",
            &[("HOLDFAST_SERVER_LISTN", "x"), ("HOLDFAST_SERVER_HEADER_SECS", "soon"), ("OTHER", "y")],
        );
        let all = told.join("\n");
        for expected in [
            "`dta` is not a key; did you mean `data`?",
            "`server.lisen` is not a key; did you mean `server.listen`?",
            "`server.stall_secs` is a whole number, not a text in quotes",
            "sledd",
            "`registry.uploads_max` is 0",
            "HOLDFAST_SERVER_LISTN is not a key; did you mean HOLDFAST_SERVER_LISTEN?",
            "HOLDFAST_SERVER_HEADER_SECS does not read as integer",
        ] {
            assert!(all.contains(expected), "{expected:?} is not in:\n{all}");
        }
        assert_eq!(told.len(), 7, "{all}");
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let variables = [("HOLDFAST_SERVER_LISTEN".to_owned(), "[::1]:2".to_owned())];
        let file = Some("[server]\nlisten = '127.0.0.1:1'\nstall_secs = 7");
        let flags = Flags { listen: Some("127.0.0.1:3".into()), ..Flags::default() };
        let from_file = compose(file, &[], &Flags::default()).unwrap();
        assert_eq!((from_file.server.listen.as_str(), from_file.server.stall_secs), ("127.0.0.1:1", 7));
        assert_eq!(compose(file, &variables, &Flags::default()).unwrap().server.listen, "[::1]:2");
        assert_eq!(compose(file, &variables, &flags).unwrap().server.listen, "127.0.0.1:3");
    }

    #[test]
    fn a_door_that_makes_no_sense_is_a_mistake_each() {
        let told = mistakes(
            "[server]\nexternal_url = 'https://a/b'\ntrusted_proxies = ['10.0.0.0/8', 'nginx']\n[server.tls]\nkey = 'k'\n\
             [server.acme]\ndomains = ['*.a.example', '192.0.2.7', 'good.example']\nemail = 'me'\n\
             directory = 'http://a'\nhttp_listen = '80'\n",
            &[("HOLDFAST_SERVER_TLS_MIN_VERSION", "1.2")],
        );
        let all = told.join("\n");
        for expected in [
            "external_url",
            "nginx",
            "`server.tls.certificate` is not set",
            "\"*.a.example\"",
            "\"192.0.2.7\"",
            "email",
            "directory",
            "http_listen",
            "accept_terms",
            "both set",
        ] {
            assert!(all.contains(expected), "{expected:?} is not in:\n{all}");
        }
        assert_eq!(told.len(), 10, "{all}");
        assert_eq!(mistakes("[server.tls]\nmin_version = '1.1'", &[]).len(), 1);
    }

    #[test]
    fn a_negative_size_is_a_mistake() {
        assert_eq!(mistakes("[registry]\nuploads_max = -1", &[]).len(), 1);
    }
}
