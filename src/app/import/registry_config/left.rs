//! What of a registry's configuration has no counterpart, and why. A sentence for a key holds for all below it, unless
//! that has one of its own.

use crate::app::import::report::Report;
use crate::app::import::yaml::{Node, Value};

/// Key and sentence.
const LEFT: [(&str, &str); 59] = [
    (
        "log.fields",
        "every line of Holdfast's log says what it is about; add fields where the log is collected",
    ),
    ("log.hooks", "Holdfast sends no mail out of its log; watch the log where it is collected"),
    ("log.reportcaller", "the log names the part of the program at log.level = \"debug\""),
    ("storage.filesystem.maxthreads", "Holdfast bounds its own threads"),
    (
        "storage.azure",
        "registry:2 begins the names of its blobs on Azure with a slash, and Holdfast does not, so it would not find them. NOTHING of this storage is carried: copy the images, and write [storage.azure] by hand",
    ),
    ("storage.gcs.chunksize", "Holdfast sends parts of storage.gcs.part_bytes"),
    ("storage.gcs.maxconcurrency", "Holdfast bounds its own requests"),
    ("storage.gcs.useragent", "Holdfast says its own name"),
    ("storage.s3.accelerate", "Holdfast speaks to the bucket at its ordinary address"),
    ("storage.s3.usedualstack", "put that address of AWS into storage.s3.endpoint, with path_style = true"),
    (
        "storage.s3.usefipsendpoint",
        "put that address of AWS into storage.s3.endpoint, with path_style = true",
    ),
    ("storage.s3.chunksize", "Holdfast sends parts of storage.s3.part_bytes"),
    ("storage.s3.multipartcopychunksize", "Holdfast chooses the parts of a copy itself"),
    ("storage.s3.multipartcopymaxconcurrency", "Holdfast chooses the parts of a copy itself"),
    ("storage.s3.multipartcopythresholdsize", "Holdfast chooses the parts of a copy itself"),
    (
        "storage.s3.objectacl",
        "objects are the bucket owner's, and whoever the policy of the bucket names may read them",
    ),
    ("storage.s3.useragent", "Holdfast says its own name"),
    ("storage.s3.loglevel", "the log tells of the bucket at log.level = \"debug\""),
    (
        "storage.oss",
        "images on Alibaba OSS are not served. NOTHING of this storage is carried: copy the images to a folder",
    ),
    (
        "storage.swift",
        "images on OpenStack Swift are not served. NOTHING of this storage is carried: copy the images to a folder",
    ),
    ("storage.inmemory", "Holdfast loses no image at a restart; it keeps them in a folder"),
    ("storage.tag", "Holdfast knows the tags of a manifest and need not look for them"),
    ("storage.cache", "Holdfast keeps what is known of blobs in its metadata"),
    ("storage.maintenance.uploadpurging.interval", "Holdfast looks for old uploads all the time"),
    (
        "auth.silly",
        "anybody who sent an Authorization header was let in. Holdfast lets nobody in like that; make accounts",
    ),
    ("auth.none", "Holdfast has accounts unless it is started with serve --open"),
    (
        "auth.token.realm",
        "Holdfast issues the tokens itself, at /token of its own address, and tells clients so",
    ),
    (
        "auth.token.rootcertbundle",
        "Holdfast issues the tokens itself and takes no others. holdfast import docker-auth carries the token server's users and rules",
    ),
    ("auth.token.autoredirect", "the realm is always on the address that the client came to"),
    ("auth.token.autoredirectpath", "the realm is always /token"),
    ("auth.token.jwks", "Holdfast takes no tokens but its own, and publishes its own keys"),
    ("auth.token.signingalgorithms", "Holdfast signs with auth.signing.algorithm and takes nothing else"),
    ("auth.htpasswd.realm", "the realm of Holdfast is its own address"),
    ("middleware", "Holdfast has no middleware"),
    ("reporting", "Holdfast reports to nobody but its log"),
    ("tags", "registry.page_entries_max bounds pages of tags too"),
    (
        "http.prefix",
        "Holdfast serves at the root of its name, as docker expects; let a proxy take the prefix away",
    ),
    ("http.secret", "Holdfast keeps the state of uploads itself, and signs nothing that clients bring back"),
    ("http.relativeurls", "Locations of Holdfast are always relative"),
    (
        "http.tls.ciphersuites",
        "Holdfast speaks TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers only, and there is nothing to choose",
    ),
    ("http.tls.clientauth", "Holdfast asks for no client certificates"),
    ("http.tls.letsencrypt.cachefile", "Holdfast keeps its certificates in its data folder"),
    (
        "http.debug",
        "/healthz and /readyz answer on the registry's own address; there is no second one to protect",
    ),
    ("http.headers", "Holdfast sends its own security headers; let a proxy add others"),
    ("http.http2", "Holdfast speaks HTTP/1.1 and HTTP/2, whichever the client wants"),
    ("http.h2c", "Holdfast speaks HTTP/2 without TLS too"),
    ("notifications", "Holdfast calls no webhooks yet; what happened is in its audit log"),
    ("redis", "Holdfast needs no Redis: its metadata is its cache"),
    ("health.storagedriver", "/readyz tells whether the storage answers"),
    ("health.file", "take Holdfast out of rotation where the rotation is decided"),
    ("health.http", "Holdfast depends on no other service; watch that one itself"),
    ("health.tcp", "Holdfast depends on no other service; watch that one itself"),
    (
        "proxy",
        "Holdfast is no pull-through cache yet. Without this, images that were fetched on demand are not found; keep a registry:2 for them",
    ),
    ("compatibility", "Docker schema 1 manifests are not served"),
    ("policy", "Holdfast takes every kind of OCI and Docker content"),
    ("validation.enabled", "every manifest is checked"),
    ("validation.disabled", "every manifest is checked"),
    ("validation.manifests.urls", "manifests may name other URLs; Holdfast neither follows nor checks them"),
    (
        "validation.manifests.indexes",
        "an index may name only what the repository holds. For sparse indexes set registry.absent_content = \"accept\"",
    ),
];

/// Whether a key has a sentence.
pub fn is_left(key: &str) -> bool {
    LEFT.iter()
        .any(|(left, _)| key == *left || key.strip_prefix(left).is_some_and(|rest| rest.starts_with('.')))
}

/// Tells of every key that is given and has no counterpart.
pub fn tell(root: &Node, report: &mut Report) {
    for (key, why) in &LEFT {
        if let Some(node) = key.split('.').try_fold(root, |node, step| node.get(step))
            && !matches!(&node.value, Value::Map(entries) if entries.is_empty() && !is_driver(key))
        {
            report.not_carried(format!("{key}: {why}"));
        }
    }
}

/// `storage: s3` and `auth: silly` say something with an empty section.
fn is_driver(key: &str) -> bool {
    key.starts_with("storage.") || key.starts_with("auth.")
}
