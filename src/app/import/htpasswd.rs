//! An htpasswd file: which of its lines Holdfast can use, what to do about the others, and the configuration that
//! reads it, or that holds its users itself.

use crate::app::import::bcrypt::{self, Form};
use crate::app::import::carried::{Carried, Outcome};
use crate::app::import::document::{Document, Section, Value};
use crate::app::import::report::{Report, shown};
use crate::auth::sources::name;
use crate::secret::Secret;
use std::collections::HashMap;

struct Line {
    number: usize,
    name: String,
    hash: Secret,
}

/// Carries an htpasswd file over. `path` is where Holdfast will find it; with `inline` its users are written into the
/// configuration instead.
pub fn convert(text: &str, path: &str, inline: bool) -> Outcome {
    let mut report = Report::default();
    let lines = usable(text, &mut report);
    if lines.is_empty() {
        let mut mistakes =
            vec!["no line of the file has a name and a bcrypt hash: nobody could log in".to_owned()];
        mistakes.extend(report.verdict().into_iter().flatten().map(|remark| remark.text));
        return Err(mistakes);
    }
    let mut document = Document::default();
    document.comment("Carried over from an htpasswd file by `holdfast import htpasswd`.");
    if inline {
        for line in &lines {
            let mut user = Section::one_of("auth.users");
            user.set("name", Value::Text(line.name.clone()));
            user.set("password", Value::Text(line.hash.expose().to_owned()));
            document.add(user);
        }
    } else {
        let mut section = Section::new("auth.htpasswd");
        section.set_because(
            "path",
            path.into(),
            "Read again whenever it changes. Lines without bcrypt let nobody in.",
        );
        document.add(section);
    }
    report.note(
        "these users may do nothing until [[acl]] rules or grants (holdfast grant) say so; registry:2 gave everything to \
         everybody in its htpasswd file",
    );
    Ok(Carried { toml: document.render(), secret: inline, remarks: report.verdict()? })
}

/// The lines with bcrypt, each name once: the last one counts, as in registry:2.
fn usable(text: &str, report: &mut Report) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, stored)) = line.split_once(':') else {
            report.warn(format!("line {number} is not NAME:HASH; registry:2 does not start with it"));
            continue;
        };
        let who = format!("line {number}, {}", shown(name));
        if let Some(fault) = name::fault(name) {
            report.warn(format!("{who}: the name {fault}; the line is not carried"));
            continue;
        }
        if let Form::Other(what) = bcrypt::form(stored) {
            report.warn(format!(
                "{who}: this is {what}; Holdfast takes bcrypt alone, as registry:2 does, and lets nobody in with it. \
                 Set the password again: htpasswd -B FILE {}",
                shown(name)
            ));
            continue;
        }
        let line = Line { number, name: name.to_owned(), hash: Secret::new(stored) };
        if let Some(place) = places.get(name) {
            let before = lines[*place].number;
            report.warn(format!("{who} was in line {before} already; the last one counts"));
            lines[*place] = line;
        } else {
            places.insert(name.to_owned(), lines.len());
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$05$LO.vzwpWC5LZGqThvEfznu8qhb5SGqvBSWY1J3yZ4AxtMRZ3kN5jC";
    const OTHER: &str = "$2y$05$WuwBasGDAgr.QCbGIjKJaep4dhxeai9gNZdmBnQXqpKly57oNutya";

    fn told(carried: &Carried) -> String {
        carried.remarks.iter().map(|remark| remark.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_file_is_named_or_its_users_are_written() {
        let text = format!("# people\nbob:{HASH}\n\r\nalice:{OTHER}\r\n");
        let carried = convert(&text, "/etc/it's/htpasswd", false).unwrap();
        let table: toml::Table = carried.toml.parse().unwrap();
        assert_eq!(table["auth"]["htpasswd"]["path"].as_str(), Some("/etc/it's/htpasswd"));
        assert!(!carried.secret && !carried.toml.contains("$2y$"));
        let carried = convert(&text, "x", true).unwrap();
        let table: toml::Table = carried.toml.parse().unwrap();
        let users = table["auth"]["users"].as_array().unwrap();
        assert_eq!((users[0]["name"].as_str(), users[0]["password"].as_str()), (Some("bob"), Some(HASH)));
        assert_eq!((users[1]["name"].as_str(), users[1]["password"].as_str()), (Some("alice"), Some(OTHER)));
        assert!(carried.secret);
        assert!(told(&carried).contains("may do nothing until"));
    }

    #[test]
    fn every_line_that_cannot_be_used_is_told_by_its_number_and_never_shown() {
        let text = format!(
            "bob:{HASH}\nmd5:$apr1$canary$x\nsha:{{SHA}}canary\nplain:canary\nnothing\n:{HASH}\nempty:\nbob:{OTHER}\n"
        );
        let carried = convert(&text, "x", true).unwrap();
        let all = told(&carried);
        for part in [
            "line 2, \"md5\": this is an MD5 hash",
            "line 3, \"sha\": this is a SHA-1 hash",
            "line 4, \"plain\": this is no hash",
            "line 5 is not NAME:HASH",
            "line 6, \"\"",
            "line 7, \"empty\": this is empty",
            "line 8, \"bob\" was in line 1 already",
            "htpasswd -B",
        ] {
            assert!(all.contains(part), "{part:?} is not in\n{all}");
        }
        assert!(!all.contains("canary") && !carried.toml.contains("canary"));
        assert!(carried.toml.contains(OTHER) && !carried.toml.contains(HASH));
    }

    #[test]
    fn a_file_that_lets_nobody_in_is_refused() {
        for text in ["", "# nobody\n", "bob:{SHA}x\n", "bob\n", "bob:$2y$05$short\n"] {
            assert!(convert(text, "x", false).is_err(), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn odd_names_come_back_out_of_toml(name in "[^:\\pC\\s#][^:\\pC\\s]{0,20}") {
            let carried = convert(&format!("{name}:{HASH}\n"), "x", true).unwrap();
            let table: toml::Table = carried.toml.parse().unwrap();
            proptest::prop_assert_eq!(table["auth"]["users"][0]["name"].as_str(), Some(name.as_str()));
        }

        #[test]
        fn no_file_makes_it_panic(text in proptest::prelude::any::<String>()) {
            let _ = convert(&text, "x", true);
        }
    }
}
