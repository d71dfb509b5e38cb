//! The whole of a registry's `config.yml` and environment, from their text to ours.

use crate::app::import::carried::{Carried, Outcome};
use crate::app::import::document::Document;
use crate::app::import::fields::Fields;
use crate::app::import::registry_config::{accounts, bucket, environment, http, keys, left, storage};
use crate::app::import::report::{Report, shown};
use crate::app::import::yaml::{self, Node, Value};

/// Carries a registry's configuration over. Of the variables only `REGISTRY_*` are looked at.
pub fn convert(text: &str, variables: &[(String, String)]) -> Outcome {
    let mut tree = yaml::parse(text)?;
    let mut report = Report::default();
    environment::lay_over(&mut tree, variables, &mut report);
    environment::spell_out(&mut tree, &["auth", "storage"]);
    bucket::by_one_name(&mut tree);
    if !matches!(tree.value, Value::Map(_)) {
        return Err(vec!["the file is empty, or no section: is this the config.yml of a registry?".into()]);
    }
    keys::check(&tree, &mut report);
    version(&tree, &mut report);
    if !report.mistakes.is_empty() {
        // what follows reads the known keys, and would tell of some mistakes again
        return Err(report.verdict().err().unwrap_or_default());
    }
    let root = Fields::known(&tree);
    let mut document = Document::default();
    document.comment(
        "Carried over from registry:2 by `holdfast import registry-config`. What could not be carried was told there. \
         Read it with `holdfast check`.",
    );
    for section in http::sections(&root, &mut report) {
        document.add(section);
    }
    document.add(storage::section(&root, &mut report));
    document.add(storage::registry(&root, &mut report));
    document.add(http::log(&root, &mut report));
    accounts::write(&root, &mut document, &mut report);
    left::tell(&tree, &mut report);
    Ok(Carried { toml: document.render(), secret: bucket::holds_key(&root), remarks: report.verdict()? })
}

fn version(tree: &Node, report: &mut Report) {
    match tree.get("version").map(|node| &node.value) {
        Some(Value::Text(version)) if version == "0.1" => {}
        Some(Value::Text(version)) => {
            report.mistake(format!("version {} is not known: registries have 0.1", shown(version)));
        }
        _ => report.mistake("version: 0.1 is not there: is this the config.yml of a registry?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::import::report::Tone;

    const SAMPLE: &str = include_str!("../../../../conformance/fixtures/registry-config-sample.yml");
    const DOCUMENTED: &str = include_str!("../../../../conformance/fixtures/registry-config-documented.yml");
    const DEFAULT: &str = include_str!("../../../../conformance/fixtures/registry-config-default.yml");

    fn good(text: &str) -> Carried {
        convert(text, &[]).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:#?}"))
    }

    fn table(carried: &Carried) -> toml::Table {
        carried.toml.parse().unwrap_or_else(|e| panic!("{e}\n{}", carried.toml))
    }

    fn told(carried: &Carried, tone: Tone) -> Vec<&str> {
        carried.remarks.iter().filter(|r| r.tone == tone).map(|r| r.text.as_str()).collect()
    }

    fn has(told: &[&str], part: &str) -> bool {
        told.iter().any(|text| text.contains(part))
    }

    fn with(rest: &str) -> String {
        format!("version: 0.1\nstorage: {{filesystem: {{rootdirectory: /r}}}}\n{rest}\n")
    }

    #[test]
    fn the_sample_of_the_documentation_converts() {
        let carried = good(SAMPLE);
        let table = table(&carried);
        assert_eq!(table["server"]["listen"].as_str(), Some("127.0.0.1:5000"));
        assert_eq!(table["server"]["external_url"].as_str(), Some("https://myregistryaddress.org:5000"));
        assert_eq!(table["server"]["shutdown_secs"].as_integer(), Some(60));
        assert_eq!(table["server"]["tls"]["key"].as_str(), Some("/path/to/x509/private"));
        assert_eq!(table["storage"]["filesystem"]["root"].as_str(), Some("/var/lib/registry"));
        assert_eq!(table["registry"]["upload_idle_secs"].as_integer(), Some(604_800));
        assert_eq!(table["registry"]["page_entries_max"].as_integer(), Some(1000));
        assert_eq!(table["log"]["level"].as_str(), Some("debug,request=off"));
        assert_eq!(table["log"]["format"].as_str(), Some("text"));
        assert_eq!(table["auth"]["issuer"].as_str(), Some("registry-token-issuer"));
        assert_eq!(table["auth"]["service"].as_str(), Some("token-service"));
        assert!(has(&told(&carried, Tone::Warning), "clientcas"));
        let gone = told(&carried, Tone::NotCarried);
        for key in [
            "log.fields",
            "log.hooks",
            "storage.filesystem.maxthreads",
            "storage.tag",
            "storage.redirect",
            "storage.cache",
            "storage.maintenance.uploadpurging.interval",
            "auth.token.realm",
            "auth.token.rootcertbundle",
            "auth.token.autoredirect",
            "auth.token.jwks",
            "auth.token.signingalgorithms",
            "middleware",
            "tags",
            "http.prefix",
            "http.secret",
            "http.relativeurls",
            "http.tls.clientauth",
            "http.tls.letsencrypt",
            "http.debug",
            "http.headers",
            "http.http2",
            "http.h2c",
            "notifications",
            "redis",
            "health.storagedriver",
            "health.file",
            "health.http",
            "health.tcp",
            "proxy",
            "validation.manifests.urls",
            "validation.manifests.indexes",
        ] {
            assert!(
                gone.iter().any(|text| text.starts_with(&format!("{key}:"))),
                "{key} is not in {gone:#?}"
            );
        }
        let all = format!("{carried:?}");
        for secret in ["asecret", "mailuser", "QWxhZGRpbjpvcGVuIHNlc2FtZQ"] {
            assert!(!all.contains(secret), "{secret} is told");
        }
    }

    #[test]
    fn the_sample_as_it_is_printed_is_refused_for_what_registry_2_refuses() {
        let mistakes = convert(DOCUMENTED, &[]).unwrap_err().join("\n");
        for part in ["\"middleware.storage\" is given twice", "\"redis.tls\" is given twice"] {
            assert!(mistakes.contains(part), "{mistakes}");
        }
        let several = with("").replace("}}", "}, s3: {bucket: b}}");
        let mistakes = convert(&several, &[]).unwrap_err().join("\n");
        assert!(mistakes.contains("several drivers") && mistakes.contains("filesystem, s3"), "{mistakes}");
        let mistakes =
            convert(&with("auth: {silly: {realm: a}, htpasswd: {path: p}}"), &[]).unwrap_err().join("\n");
        assert!(mistakes.contains("several kinds"), "{mistakes}");
    }

    #[test]
    fn the_configuration_of_the_image_converts_with_the_usual_environment() {
        let variables: Vec<(String, String)> = [
            ("REGISTRY_AUTH", "htpasswd"),
            ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm"),
            ("REGISTRY_AUTH_HTPASSWD_PATH", "/auth/htpasswd"),
            ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
            ("REGISTRY_HTTP_TLS_CERTIFICATE", "/certs/domain.crt"),
            ("REGISTRY_HTTP_TLS_KEY", "/certs/domain.key"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let carried = convert(DEFAULT, &variables).unwrap();
        let table = table(&carried);
        assert_eq!(table["server"]["listen"].as_str(), Some("0.0.0.0:5000"));
        assert_eq!(table["server"]["tls"]["certificate"].as_str(), Some("/certs/domain.crt"));
        assert_eq!(table["auth"]["htpasswd"]["path"].as_str(), Some("/auth/htpasswd"));
        assert_eq!(table["auth"]["anonymous"].as_bool(), Some(false));
        assert_eq!(table["acl"][1]["actions"][0].as_str(), Some("*"));
        let plain = good(DEFAULT);
        assert!(
            has(&told(&plain, Tone::Warning), "no accounts") && has(&told(&plain, Tone::Warning), "in clear")
        );
    }

    #[test]
    fn those_who_log_in_may_what_they_could_and_not_more() {
        for (delete, expected) in [("false", vec!["pull", "push"]), ("true", vec!["*"])] {
            let text = format!(
                "version: 0.1\nstorage: {{filesystem: {{}}, delete: {{enabled: {delete}}}}}\nauth: {{htpasswd: {{realm: r, path: /p}}}}\n"
            );
            let table = table(&good(&text));
            let actions: Vec<&str> =
                table["acl"][1]["actions"].as_array().unwrap().iter().filter_map(|a| a.as_str()).collect();
            assert_eq!(actions, expected);
            assert_eq!(table["acl"][1]["match"]["account"].as_str(), Some("/^.+$/"), "never anonymous");
            assert_eq!(table["storage"]["filesystem"]["root"].as_str(), Some("/var/lib/registry"));
        }
    }

    #[test]
    fn storages_that_are_not_served_carry_nothing() {
        for driver in ["azure", "oss", "swift", "inmemory"] {
            for text in [
                format!("version: 0.1\nstorage: {driver}\n"),
                format!("version: 0.1\nstorage: {{{driver}: {{bucket: canary, anything: x}}}}\n"),
            ] {
                let carried = good(&text);
                assert!(
                    !carried.toml.contains("canary") && !carried.toml.contains("[storage"),
                    "{}",
                    carried.toml
                );
                assert!(has(&told(&carried, Tone::NotCarried), &format!("storage.{driver}")), "{carried:?}");
            }
        }
    }

    #[test]
    fn a_proxy_in_front_is_seen_by_the_name() {
        let carried = good(&with("http: {addr: ':5000', host: 'https://r.example.com/x'}"));
        let table = table(&carried);
        assert_eq!(table["server"]["listen"].as_str(), Some("0.0.0.0:5000"));
        assert_eq!(table["server"]["external_url"].as_str(), Some("https://r.example.com"));
        assert_eq!(table["server"]["behind_proxy"].as_bool(), Some(true));
        assert!(has(&told(&carried, Tone::NotCarried), "path of http.host"));
    }

    #[test]
    fn letsencrypt_becomes_a_comment_that_a_person_wakes() {
        let text = with(
            "http: {addr: ':443', tls: {letsencrypt: {cachefile: /c, email: a@b, hosts: [r.example.com], directoryurl: 'https://ca.local/'}}}",
        );
        let carried = good(&text);
        let table = table(&carried);
        assert_eq!(table["server"]["listen"].as_str(), Some("127.0.0.1:443"));
        assert!(carried.toml.contains("# domains = [\"r.example.com\"]"), "{}", carried.toml);
        assert!(carried.toml.contains("# directory = \"https://ca.local/\""), "{}", carried.toml);
    }

    #[test]
    fn purging_readonly_and_pages() {
        let storage =
            |rest: &str| format!("version: 0.1\nstorage: {{filesystem: {{}}, maintenance: {{{rest}}}}}\n");
        let carried = good(&storage("uploadpurging: {enabled: false, age: 1h}"));
        assert!(has(&told(&carried, Tone::NotCarried), "uploadpurging, which is off"));
        assert!(!carried.toml.contains("upload_idle_secs"));
        let carried = good(&storage("uploadpurging: {enabled: true, age: 5s}"));
        assert_eq!(table(&carried)["registry"]["upload_idle_secs"].as_integer(), Some(60));
        let carried = good(&storage("readonly: {enabled: true}"));
        assert_eq!(table(&carried)["registry"]["read_only"].as_bool(), Some(true));
        let carried = good(&with("catalog: {maxentries: 1000000}"));
        assert!(has(&told(&carried, Tone::NotCarried), "catalog.maxentries"));
    }

    #[test]
    fn logs() {
        for (log, level, format) in [
            ("log: {level: warn, formatter: json}", Some("warn"), Some("json")),
            ("log: {formatter: logstash}", None, Some("json")),
            ("log: {accesslog: {disabled: true}}", Some("info,request=off"), None),
            ("loglevel: fatal", Some("error"), None),
        ] {
            let table = table(&good(&with(log)));
            assert_eq!(table["log"].get("level").and_then(|v| v.as_str()), level, "{log}");
            assert_eq!(table["log"].get("format").and_then(|v| v.as_str()), format, "{log}");
        }
    }

    #[test]
    fn mistakes_are_told_all_at_once_with_their_lines() {
        let text = "version: 0.1\nstorage:\n  filesystem:\n    rootdir: /x\n  delet: {enabled: true}\nhttp:\n  adr: ':1'\nauth: {htpasswd: x}\n";
        let mistakes = convert(text, &[("REGISTRY_HTTP_ADR".into(), "x".into())]).unwrap_err().join("\n");
        for part in [
            "\"storage.filesystem.rootdir\" is not a key (line 4); did you mean \"storage.filesystem.rootdirectory\"?",
            "\"storage.delet\" is not a key (line 5); did you mean \"storage.delete\"?",
            "\"http.adr\" is not a key (line 7)",
            "\"auth.htpasswd\" is a section, not a text (line 8)",
            "\"REGISTRY_HTTP_ADR\" is not a key; did you mean REGISTRY_HTTP_ADDR?",
        ] {
            assert!(mistakes.contains(part), "{part:?} is not in:\n{mistakes}");
        }
    }

    #[test]
    fn what_is_no_configuration_of_a_registry_is_refused() {
        for text in [
            "",
            "a",
            "- a",
            "storage: {filesystem: {}}",
            "version: 0.2\n",
            "version: 0.1\nusers: {}\n",
            "version: 0.1\nhttp: {tls: {certificate: c}}\n",
            "version: 0.1\nhttp: {host: example.com}\n",
            "version: 0.1\nhttp: {addr: nonsense}\n",
            "version: 0.1\nlog: {level: loud}\n",
            "version: 0.1\nauth: {htpasswd: {realm: r}}\n",
            "version: 0.1\nauth: htpasswd2\n",
        ] {
            assert!(convert(text, &[]).is_err(), "{text:?}");
        }
    }

    #[test]
    fn every_key_is_carried_or_has_a_sentence() {
        const CARRIED: [&str; 44] = [
            "version",
            "log.accesslog.disabled",
            "log.level",
            "log.formatter",
            "loglevel",
            "storage.filesystem.rootdirectory",
            "storage.gcs.bucket",
            "storage.gcs.keyfile",
            "storage.gcs.credentials",
            "storage.gcs.rootdirectory",
            "storage.s3.accesskey",
            "storage.s3.secretkey",
            "storage.s3.region",
            "storage.s3.regionendpoint",
            "storage.s3.forcepathstyle",
            "storage.s3.bucket",
            "storage.s3.encrypt",
            "storage.s3.keyid",
            "storage.s3.secure",
            "storage.s3.skipverify",
            "storage.s3.v4auth",
            "storage.s3.rootdirectory",
            "storage.s3.storageclass",
            "storage.redirect.disable",
            "storage.delete.enabled",
            "storage.maintenance.uploadpurging.enabled",
            "storage.maintenance.uploadpurging.age",
            "storage.maintenance.uploadpurging.dryrun",
            "storage.maintenance.readonly.enabled",
            "auth.token.service",
            "auth.token.issuer",
            "auth.htpasswd.path",
            "catalog.maxentries",
            "http.addr",
            "http.net",
            "http.host",
            "http.draintimeout",
            "http.tls.certificate",
            "http.tls.key",
            "http.tls.clientcas",
            "http.tls.minimumtls",
            "http.tls.letsencrypt.email",
            "http.tls.letsencrypt.hosts",
            "http.tls.letsencrypt.directoryurl",
        ];
        for key in keys::leaves() {
            let key = key.replace("storage.s3aws.", "storage.s3.");
            let carried = CARRIED.contains(&key.as_str());
            assert!(carried != left::is_left(&key), "{key} is {}", if carried { "both" } else { "neither" });
        }
    }

    proptest::proptest! {
        #[test]
        fn odd_texts_come_back_out_of_toml(path in "\\PC{1,30}") {
            let text = format!(
                "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n",
                serde_json::to_string(&path).unwrap()
            );
            let table: toml::Table = good(&text).toml.parse().unwrap();
            proptest::prop_assert_eq!(table["storage"]["filesystem"]["root"].as_str(), Some(path.as_str()));
        }
    }
}
