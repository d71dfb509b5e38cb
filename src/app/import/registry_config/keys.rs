//! Every key that registry:2 and registry:3 know, as a tree. What stands below a free key is their drivers' and
//! plugins' business and is not looked at, because nothing of it is carried.

use crate::app::import::fields::unknown;
use crate::app::import::report::{Report, at, shown};
use crate::app::import::yaml::{Node, Value, below};
use Shape::{Free, Leaf, List, Section};

/// What may stand at a key.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// One value.
    Leaf,
    /// Anything.
    Free,
    /// These keys.
    Section(&'static [(&'static str, Shape)]),
    /// A list of these.
    List(&'static Shape),
}

/// The whole file.
pub const ROOT: Shape = Section(&[
    ("version", Leaf),
    ("log", LOG),
    ("loglevel", Leaf),
    ("storage", STORAGE),
    ("auth", AUTH),
    ("middleware", Section(&[("registry", Free), ("repository", Free), ("storage", Free)])),
    ("reporting", Free),
    ("catalog", Section(&[("maxentries", Leaf)])),
    ("tags", Section(&[("maxtags", Leaf)])),
    ("http", HTTP),
    ("notifications", NOTIFICATIONS),
    ("redis", Free),
    ("health", HEALTH),
    ("proxy", PROXY),
    ("compatibility", Free),
    ("validation", VALIDATION),
    ("policy", Free),
]);

const LOG: Shape = Section(&[
    ("accesslog", Section(&[("disabled", Leaf)])),
    ("level", Leaf),
    ("formatter", Leaf),
    ("fields", Free),
    ("hooks", Free),
    ("reportcaller", Leaf),
]);

const STORAGE: Shape = Section(&[
    ("filesystem", Section(&[("rootdirectory", Leaf), ("maxthreads", Leaf)])),
    ("azure", Free),
    (
        "gcs",
        Section(&[
            ("bucket", Leaf),
            ("keyfile", Leaf),
            ("credentials", Free),
            ("rootdirectory", Leaf),
            ("chunksize", Leaf),
            ("maxconcurrency", Leaf),
            ("useragent", Leaf),
        ]),
    ),
    ("s3", S3),
    ("s3aws", S3),
    ("oss", Free),
    ("swift", Free),
    ("inmemory", Free),
    ("tag", Section(&[("concurrencylimit", Leaf)])),
    ("delete", Section(&[("enabled", Leaf)])),
    ("redirect", Section(&[("disable", Leaf)])),
    ("cache", Section(&[("blobdescriptor", Leaf), ("blobdescriptorsize", Leaf), ("layerinfo", Leaf)])),
    (
        "maintenance",
        Section(&[
            (
                "uploadpurging",
                Section(&[("enabled", Leaf), ("age", Leaf), ("interval", Leaf), ("dryrun", Leaf)]),
            ),
            ("readonly", Section(&[("enabled", Leaf)])),
        ]),
    ),
]);

const S3: Shape = Section(&[
    ("accesskey", Leaf),
    ("secretkey", Leaf),
    ("region", Leaf),
    ("regionendpoint", Leaf),
    ("forcepathstyle", Leaf),
    ("accelerate", Leaf),
    ("bucket", Leaf),
    ("encrypt", Leaf),
    ("keyid", Leaf),
    ("secure", Leaf),
    ("skipverify", Leaf),
    ("v4auth", Leaf),
    ("chunksize", Leaf),
    ("multipartcopychunksize", Leaf),
    ("multipartcopymaxconcurrency", Leaf),
    ("multipartcopythresholdsize", Leaf),
    ("rootdirectory", Leaf),
    ("storageclass", Leaf),
    ("objectacl", Leaf),
    ("useragent", Leaf),
    ("usedualstack", Leaf),
    ("usefipsendpoint", Leaf),
    ("loglevel", Leaf),
]);

const AUTH: Shape = Section(&[
    ("silly", Section(&[("realm", Leaf), ("service", Leaf)])),
    (
        "token",
        Section(&[
            ("realm", Leaf),
            ("service", Leaf),
            ("issuer", Leaf),
            ("rootcertbundle", Leaf),
            ("autoredirect", Leaf),
            ("autoredirectpath", Leaf),
            ("jwks", Leaf),
            ("signingalgorithms", List(&Leaf)),
        ]),
    ),
    ("htpasswd", Section(&[("realm", Leaf), ("path", Leaf)])),
    ("none", Free),
]);

const HTTP: Shape = Section(&[
    ("addr", Leaf),
    ("net", Leaf),
    ("host", Leaf),
    ("prefix", Leaf),
    ("secret", Leaf),
    ("relativeurls", Leaf),
    ("draintimeout", Leaf),
    (
        "tls",
        Section(&[
            ("certificate", Leaf),
            ("key", Leaf),
            ("clientcas", List(&Leaf)),
            ("clientauth", Leaf),
            ("minimumtls", Leaf),
            ("ciphersuites", List(&Leaf)),
            (
                "letsencrypt",
                Section(&[
                    ("cachefile", Leaf),
                    ("email", Leaf),
                    ("hosts", List(&Leaf)),
                    ("directoryurl", Leaf),
                ]),
            ),
        ]),
    ),
    ("debug", Section(&[("addr", Leaf), ("prometheus", Section(&[("enabled", Leaf), ("path", Leaf)]))])),
    ("headers", Free),
    ("http2", Section(&[("disabled", Leaf)])),
    ("h2c", Section(&[("enabled", Leaf)])),
]);

const NOTIFICATIONS: Shape = Section(&[
    ("events", Section(&[("includereferences", Leaf)])),
    (
        "endpoints",
        List(&Section(&[
            ("name", Leaf),
            ("disabled", Leaf),
            ("url", Leaf),
            ("headers", Free),
            ("timeout", Leaf),
            ("threshold", Leaf),
            ("backoff", Leaf),
            ("ignoredmediatypes", List(&Leaf)),
            ("ignore", Section(&[("mediatypes", List(&Leaf)), ("actions", List(&Leaf))])),
        ])),
    ),
]);

const HEALTH: Shape = Section(&[
    ("storagedriver", Section(&[("enabled", Leaf), ("interval", Leaf), ("threshold", Leaf)])),
    ("file", List(&Section(&[("file", Leaf), ("interval", Leaf)]))),
    (
        "http",
        List(&Section(&[
            ("uri", Leaf),
            ("headers", Free),
            ("statuscode", Leaf),
            ("timeout", Leaf),
            ("interval", Leaf),
            ("threshold", Leaf),
        ])),
    ),
    ("tcp", List(&Section(&[("addr", Leaf), ("timeout", Leaf), ("interval", Leaf), ("threshold", Leaf)]))),
]);

const PROXY: Shape = Section(&[
    ("remoteurl", Leaf),
    ("username", Leaf),
    ("password", Leaf),
    ("exec", Section(&[("command", Leaf), ("lifetime", Leaf)])),
    ("ttl", Leaf),
]);

const VALIDATION: Shape = Section(&[
    ("enabled", Leaf),
    ("disabled", Leaf),
    (
        "manifests",
        Section(&[
            ("urls", Section(&[("allow", List(&Leaf)), ("deny", List(&Leaf))])),
            (
                "indexes",
                Section(&[
                    ("platforms", Leaf),
                    ("platformlist", List(&Section(&[("architecture", Leaf), ("os", Leaf)]))),
                ]),
            ),
        ]),
    ),
]);

/// Every key that is one value or free, as `section.key`; what stands in lists has the list's path.
pub fn leaves() -> Vec<String> {
    fn walk(shape: &Shape, path: &str, into: &mut Vec<String>) {
        match shape {
            Leaf | Free => into.push(path.to_owned()),
            List(shape) => walk(shape, path, into),
            Section(keys) => {
                for (key, shape) in *keys {
                    walk(shape, &below(path, key), into);
                }
            }
        }
    }
    let mut into = Vec::new();
    walk(&ROOT, "", &mut into);
    into
}

/// Tells of every key that is not known, and of values where sections stand.
pub fn check(node: &Node, report: &mut Report) {
    walk(&ROOT, node, "", report);
}

fn walk(shape: &Shape, node: &Node, path: &str, report: &mut Report) {
    match (shape, &node.value) {
        // a value that is not carried may have any form
        (_, Value::Null) | (Free | Leaf, _) => {}
        (Section(keys), Value::Map(entries)) => {
            for (key, node) in entries {
                if let Some((_, shape)) = keys.iter().find(|(known, _)| *known == key.name) {
                    walk(shape, node, &below(path, &key.name), report);
                } else {
                    let known: Vec<&str> = keys.iter().map(|(known, _)| *known).collect();
                    report.mistake(unknown(path, &key.name, key.line, &known));
                }
            }
        }
        (List(shape), Value::List(list)) => {
            for node in list {
                walk(shape, node, path, report);
            }
        }
        (Section(_), _) => {
            report.mistake(format!("{} is a section, not {}{}", shown(path), node.kind(), at(node.line)));
        }
        (List(_), _) => {
            report.mistake(format!("{} is a list, not {}{}", shown(path), node.kind(), at(node.line)));
        }
    }
}
