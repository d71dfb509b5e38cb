//! Images in a bucket, on what speaks S3 or on Google Cloud Storage: the same bucket, with the same objects in it.

use crate::app::import::document::{Section, Value};
use crate::app::import::fields::Fields;
use crate::app::import::report::{Report, shown};
use crate::app::import::yaml::{self, Node};

/// Gives the driver its one name: `s3aws` is an older one.
pub fn by_one_name(root: &mut Node) {
    let yaml::Value::Map(sections) = &mut root.value else { return };
    let Some((_, storage)) = sections.iter_mut().find(|(key, _)| key.name == "storage") else { return };
    let yaml::Value::Map(drivers) = &mut storage.value else { return };
    if drivers.iter().any(|(key, _)| key.name == "s3") {
        return; // both: told as a mistake
    }
    for (key, _) in drivers.iter_mut().filter(|(key, _)| key.name == "s3aws") {
        key.name = "s3".into();
    }
}

/// Whether the key of the bucket stands in the file.
pub fn holds_key(root: &Fields<'_>) -> bool {
    let s3 = root.inner("storage").inner("s3");
    s3.has("accesskey") || s3.has("secretkey")
}

/// `[storage.s3]`, of a file that names this driver.
pub fn s3(root: &Fields<'_>, report: &mut Report) -> Section {
    let storage = root.inner("storage");
    let s3 = storage.inner("s3");
    let mut section = Section::new("storage.s3");
    section.comment(
        "The bucket of registry:2, in its own layout. Stop registry:2 before Holdfast starts on it. Several replicas want \
         [metadata.postgres], too.",
    );
    names("storage.s3", &s3, &mut section, report);
    place(&s3, &mut section, report);
    login(&s3, &mut section, report);
    encryption(&s3, &mut section, report);
    redirect(&storage, &mut section, report);
    section
}

/// `[storage.gcs]`, of a file that names this driver.
pub fn gcs(root: &Fields<'_>, report: &mut Report) -> Section {
    let storage = root.inner("storage");
    let gcs = storage.inner("gcs");
    let mut section = Section::new("storage.gcs");
    section.comment(
        "The bucket of registry:2, in its own layout. Stop registry:2 before Holdfast starts on it.",
    );
    names("storage.gcs", &gcs, &mut section, report);
    match gcs.text("keyfile", report) {
        Some(file) => {
            section.set("service_account", file.into());
        }
        None if gcs.has("credentials") => report.not_carried(
            "storage.gcs.credentials: write the key of the service account into a file, as JSON, and name it in \
             storage.gcs.service_account",
        ),
        None => {}
    }
    redirect(&storage, &mut section, report);
    section
}

fn names(path: &str, driver: &Fields<'_>, section: &mut Section, report: &mut Report) {
    match driver.text("bucket", report) {
        Some(bucket) => {
            section.set("bucket", bucket.into());
        }
        None => report.mistake(format!("{path}.bucket is not given; registry:2 does not start so")),
    }
    if let Some(prefix) = driver.text("rootdirectory", report).map(|folder| folder.trim_matches('/'))
        && !prefix.is_empty()
    {
        section.set("prefix", prefix.into());
    }
}

fn place(s3: &Fields<'_>, section: &mut Section, report: &mut Report) {
    if let Some(region) = s3.text("region", report) {
        section.set("region", region.into());
    }
    let plain = s3.flag("secure", report) == Some(false);
    let path_style = s3.flag("forcepathstyle", report);
    match s3.text("regionendpoint", report) {
        Some(endpoint) => {
            let endpoint = match (endpoint.contains("://"), plain) {
                (true, _) => endpoint.to_owned(),
                (false, true) => format!("http://{endpoint}"),
                (false, false) => format!("https://{endpoint}"),
            };
            section.set("endpoint", Value::Text(endpoint));
            if path_style.is_none() {
                section.set_because(
                    "path_style",
                    Value::Flag(true),
                    "registry:2 asks an endpoint of one's own like that. registry:3 does not without forcepathstyle: say \
                     false if the bucket's name is part of the address.",
                );
            }
        }
        None if plain => report.warn(
            "storage.s3.secure is off: bytes and signatures went to AWS in clear. Holdfast speaks TLS to it",
        ),
        None => {}
    }
    if let Some(path_style) = path_style {
        section.set("path_style", Value::Flag(path_style));
    }
    if s3.flag("skipverify", report) == Some(true) {
        report.warn(
            "storage.s3.skipverify is on: anybody on the way could have been the bucket. Holdfast looks at the certificate: \
             let the system trust who signed it (SSL_CERT_FILE)",
        );
    }
    if s3.flag("v4auth", report) == Some(false) {
        report.warn("storage.s3.v4auth is off, and Holdfast signs by version 4 alone: see whether the server takes it");
    }
}

fn login(s3: &Fields<'_>, section: &mut Section, report: &mut Report) {
    match (s3.text("accesskey", report), s3.text("secretkey", report)) {
        (Some(id), Some(key)) => {
            section.set("access_key_id", id.into());
            section.set_because(
                "secret_access_key",
                key.into(),
                "Better in a file: HOLDFAST_STORAGE_S3_SECRET_ACCESS_KEY_FILE names it.",
            );
        }
        (None, None) => report.note(
            "storage.s3 names no key: Holdfast, too, takes it from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the \
             role of the machine or the pod",
        ),
        _ => report.warn(
            "storage.s3.accesskey and storage.s3.secretkey belong together and one is not given: registry:2 looks at \
             neither. They are not carried",
        ),
    }
}

fn encryption(s3: &Fields<'_>, section: &mut Section, report: &mut Report) {
    let key = s3.text("keyid", report);
    match (s3.flag("encrypt", report), key) {
        (Some(true), Some(key)) => {
            section.set("sse", "aws:kms".into());
            section.set("sse_kms_key_id", key.into());
        }
        (Some(true), None) => {
            section.set("sse", "AES256".into());
        }
        (_, Some(_)) => report.warn(
            "storage.s3.keyid is given and storage.s3.encrypt is not on: registry:2 does not look at it. It is not carried",
        ),
        _ => {}
    }
    match s3.text("storageclass", report) {
        None | Some("STANDARD" | "standard") => {}
        Some(class) => report.not_carried(format!(
            "storage.s3.storageclass {}: new objects are of the class STANDARD; let a lifecycle rule of the bucket move them",
            shown(class)
        )),
    }
}

fn redirect(storage: &Fields<'_>, section: &mut Section, report: &mut Report) {
    let off = storage.inner("redirect").flag("disable", report) == Some(true);
    section.set_because(
        "redirect",
        if off { "off" } else { "on" }.into(),
        if off {
            "storage.redirect.disable: all bytes come through here."
        } else {
            "As registry:2 did: clients fetch blobs from the bucket itself, so they have to reach it."
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::app::import::carried::Carried;
    use crate::app::import::registry_config::convert::convert;
    use crate::app::import::report::Tone;

    fn good(storage: &str) -> Carried {
        convert(&format!("version: 0.1\nstorage: {{{storage}}}\n"), &[])
            .unwrap_or_else(|mistakes| panic!("{storage}: {mistakes:#?}"))
    }

    fn s3(carried: &Carried) -> toml::Table {
        let table: toml::Table = carried.toml.parse().unwrap_or_else(|e| panic!("{e}\n{}", carried.toml));
        assert!(table["storage"].get("filesystem").is_none(), "one storage: {}", carried.toml);
        table["storage"]["s3"].as_table().unwrap().clone()
    }

    fn told<'a>(carried: &'a Carried, tone: Tone, part: &str) -> Option<&'a str> {
        carried.remarks.iter().filter(|r| r.tone == tone).map(|r| r.text.as_str()).find(|t| t.contains(part))
    }

    #[test]
    fn a_bucket_of_aws_is_carried() {
        for driver in ["s3", "s3aws"] {
            let carried = good(&format!(
                "{driver}: {{bucket: images, region: eu-west-1, rootdirectory: /a/b/, accesskey: id, secretkey: canary}}"
            ));
            let s3 = s3(&carried);
            let expected: toml::Table =
                "bucket = 'images'\nprefix = 'a/b'\nregion = 'eu-west-1'\naccess_key_id = 'id'\n\
                 secret_access_key = 'canary'\nredirect = 'on'"
                    .parse()
                    .unwrap();
            assert_eq!(s3, expected);
            assert!(carried.secret, "the file is its owner's alone");
            assert!(!format!("{:?}", carried.remarks).contains("canary"));
        }
    }

    #[test]
    fn an_endpoint_has_a_scheme_and_the_style_of_registry_2() {
        for (given, endpoint, path_style) in [
            ("regionendpoint: 'http://minio:9000'", Some("http://minio:9000"), Some(true)),
            ("regionendpoint: 'minio:9000', secure: false", Some("http://minio:9000"), Some(true)),
            ("regionendpoint: s3.example.com", Some("https://s3.example.com"), Some(true)),
            (
                "regionendpoint: s3.example.com, forcepathstyle: false",
                Some("https://s3.example.com"),
                Some(false),
            ),
            ("forcepathstyle: true", None, Some(true)),
            ("secure: true", None, None),
        ] {
            let s3 = s3(&good(&format!("s3: {{bucket: b, {given}}}")));
            assert_eq!(s3.get("endpoint").and_then(|v| v.as_str()), endpoint, "{given}");
            assert_eq!(s3.get("path_style").and_then(toml::Value::as_bool), path_style, "{given}");
        }
    }

    #[test]
    fn redirects_stay_as_they_were() {
        for (given, redirect) in [("false", "on"), ("true", "off")] {
            let carried = good(&format!("s3: {{bucket: b}}, redirect: {{disable: {given}}}"));
            assert_eq!(s3(&carried)["redirect"].as_str(), Some(redirect));
            assert!(told(&carried, Tone::NotCarried, "storage.redirect").is_none(), "it is carried");
        }
    }

    #[test]
    fn encryption_is_carried_as_it_was_meant() {
        let kms = s3(&good("s3: {bucket: b, encrypt: true, keyid: k}"));
        assert_eq!((kms["sse"].as_str(), kms["sse_kms_key_id"].as_str()), (Some("aws:kms"), Some("k")));
        assert_eq!(s3(&good("s3: {bucket: b, encrypt: true}"))["sse"].as_str(), Some("AES256"));
        let carried = good("s3: {bucket: b, keyid: k}");
        assert!(s3(&carried).get("sse").is_none());
        assert!(told(&carried, Tone::Warning, "storage.s3.keyid").is_some());
    }

    #[test]
    fn a_bucket_of_google_is_carried_without_the_key_that_stands_in_the_file() {
        let given = "bucket: images, rootdirectory: /a, keyfile: /k.json, chunksize: 5242880";
        let carried = good(&format!("gcs: {{{given}}}, redirect: {{disable: true}}"));
        let table: toml::Table = carried.toml.parse().unwrap();
        let expected: toml::Table =
            "bucket = 'images'\nprefix = 'a'\nservice_account = '/k.json'\nredirect = 'off'".parse().unwrap();
        assert_eq!(table["storage"]["gcs"].as_table(), Some(&expected));
        assert!(told(&carried, Tone::NotCarried, "storage.gcs.chunksize").is_some(), "{carried:?}");
        let carried = good("gcs: {bucket: b, credentials: {private_key: canary}}");
        assert!(told(&carried, Tone::NotCarried, "storage.gcs.credentials").is_some());
        assert!(!format!("{carried:?}").contains("canary"));
    }

    #[test]
    fn what_has_no_counterpart_is_told_key_by_key() {
        let carried = good(
            "s3: {bucket: b, skipverify: true, v4auth: false, secure: false, accesskey: only, chunksize: 5242880, \
             storageclass: GLACIER_IR, objectacl: public-read, accelerate: true, usedualstack: true, usefipsendpoint: true, \
             useragent: x, loglevel: debug, multipartcopychunksize: 1, multipartcopymaxconcurrency: 1, \
             multipartcopythresholdsize: 1}",
        );
        for key in ["skipverify", "v4auth", "secure", "accesskey"] {
            assert!(
                told(&carried, Tone::Warning, &format!("storage.s3.{key}")).is_some(),
                "{key}: {carried:?}"
            );
        }
        for key in [
            "chunksize",
            "storageclass",
            "objectacl",
            "accelerate",
            "usedualstack",
            "usefipsendpoint",
            "useragent",
            "loglevel",
            "multipartcopychunksize",
            "multipartcopymaxconcurrency",
            "multipartcopythresholdsize",
        ] {
            assert!(
                told(&carried, Tone::NotCarried, &format!("storage.s3.{key}")).is_some(),
                "{key}: {carried:?}"
            );
        }
        assert!(s3(&carried).get("access_key_id").is_none(), "half a key is none");
    }

    #[test]
    fn a_bucket_without_a_name_is_a_mistake_and_so_is_an_unknown_key() {
        for (storage, part) in [
            ("s3: {region: r}", "storage.s3.bucket"),
            ("s3: {bucket: b, regionendpiont: e}", "did you mean \"storage.s3.regionendpoint\"?"),
            ("s3: {bucket: b}, s3aws: {bucket: b}", "several drivers"),
        ] {
            let mistakes =
                convert(&format!("version: 0.1\nstorage: {{{storage}}}\n"), &[]).unwrap_err().join("\n");
            assert!(mistakes.contains(part), "{storage}: {mistakes}");
        }
    }
}
