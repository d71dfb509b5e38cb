//! The settings of storage. At most one bucket is named; without one, images stand in a folder.

use crate::secret::Secret;
use serde::{Deserialize, Serialize};

/// Smallest part of an upload that S3 takes, in bytes.
const PART_BYTES_LEAST: u64 = 5 << 20;
/// Largest part that S3 takes, in bytes.
const PART_BYTES_MOST: u64 = 5 << 30;
/// So many parts make the largest upload.
const PARTS_MAX: u64 = 10_000;
/// An upload of this size must fit into its parts: the largest layers that are met.
const UPLOAD_BYTES: u64 = 100 << 30;

/// `[storage]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[storage.filesystem]`
    pub filesystem: Filesystem,
    /// `[storage.s3]`
    pub s3: S3,
    /// `[storage.gcs]`
    pub gcs: Gcs,
    /// `[storage.azure]`
    pub azure: Azure,
}

/// `[storage.filesystem]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filesystem {
    /// The folder that holds `docker/registry/v2`. Empty: `<data>/registry`.
    pub root: String,
    /// Pushes are refused while the disk has fewer free bytes than this, so that the metadata never meets a
    /// full disk.
    pub free_bytes_min: u64,
}

/// Whether clients are sent to the bucket itself for the bytes of a blob.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Redirect {
    /// They are, by URLs that hold for some minutes.
    On,
    /// The bytes pass through us.
    #[default]
    Off,
}

/// How S3 encrypts what it keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encryption {
    /// As the bucket says.
    #[default]
    #[serde(rename = "")]
    Bucket,
    /// With keys of S3.
    #[serde(rename = "AES256")]
    Aes256,
    /// With a key of KMS.
    #[serde(rename = "aws:kms")]
    Kms,
}

/// `[storage.s3]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3 {
    /// The bucket. Empty: images do not stand on S3.
    pub bucket: String,
    /// Its region. Empty: what the environment says, else us-east-1.
    pub region: String,
    /// URL of a server that speaks S3. Empty: Amazon's.
    pub endpoint: String,
    /// What all names of our objects begin with.
    pub prefix: String,
    /// The key. Empty: web identity or the role of the machine, as the environment tells.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// For a key that holds for a while.
    pub session_token: Secret,
    /// Whether the bucket is the first part of the path, or of the host name.
    pub path_style: bool,
    /// Whether clients are sent to the bucket.
    pub redirect: Redirect,
    /// URL of the server as clients reach it. Empty: `endpoint`.
    pub public_endpoint: String,
    /// PEM file of what to trust beside what the system trusts. Empty: nothing.
    pub ca_certificate: String,
    /// How it encrypts.
    pub sse: Encryption,
    /// With which key of KMS.
    pub sse_kms_key_id: String,
    /// Whether the parts of uploads are signed where the endpoint has no TLS.
    pub sign_parts: bool,
    /// Size of the parts of an upload, in bytes.
    pub part_bytes: u64,
    /// Memory for parts on their way, of all uploads together, in bytes.
    pub buffer_bytes: u64,
    /// What is larger, in bytes, the server copies to its place part by part.
    pub part_copies_above_bytes: u64,
}

/// `[storage.gcs]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gcs {
    /// The bucket. Empty: images do not stand there.
    pub bucket: String,
    /// What all names of our objects begin with.
    pub prefix: String,
    /// File of the key of a service account (JSON). Empty: as the environment or the machine tells.
    pub service_account: String,
    /// URL of a server that speaks this. Empty: Google's.
    pub endpoint: String,
    /// Whether clients are sent to the bucket.
    pub redirect: Redirect,
    /// Size of the parts of an upload, in bytes.
    pub part_bytes: u64,
    /// Memory for parts on their way, of all uploads together, in bytes.
    pub buffer_bytes: u64,
}

/// `[storage.azure]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Azure {
    /// The container. Empty: images do not stand there.
    pub container: String,
    /// The storage account.
    pub account: String,
    /// What all names of our objects begin with.
    pub prefix: String,
    /// A key of the account. Empty: as the environment or the machine tells.
    pub access_key: Secret,
    /// URL of a server that speaks this. Empty: Microsoft's.
    pub endpoint: String,
    /// Whether clients are sent to the container.
    pub redirect: Redirect,
    /// Size of the parts of an upload, in bytes.
    pub part_bytes: u64,
    /// Memory for parts on their way, of all uploads together, in bytes.
    pub buffer_bytes: u64,
}

/// The size of parts, and the memory for them, unless the configuration says otherwise.
const PARTS: (u64, u64) = (12 << 20, 64 << 20);

impl Default for Filesystem {
    fn default() -> Self {
        Self { root: String::new(), free_bytes_min: 64 << 20 }
    }
}

impl Default for S3 {
    fn default() -> Self {
        let (part_bytes, buffer_bytes) = PARTS;
        Self {
            bucket: String::new(),
            region: String::new(),
            endpoint: String::new(),
            prefix: String::new(),
            access_key_id: String::new(),
            secret_access_key: Secret::default(),
            session_token: Secret::default(),
            path_style: true,
            redirect: Redirect::Off,
            public_endpoint: String::new(),
            ca_certificate: String::new(),
            sse: Encryption::Bucket,
            sse_kms_key_id: String::new(),
            sign_parts: true,
            part_bytes,
            buffer_bytes,
            part_copies_above_bytes: 64 << 20,
        }
    }
}

impl Default for Gcs {
    fn default() -> Self {
        let (part_bytes, buffer_bytes) = PARTS;
        Self {
            bucket: String::new(),
            prefix: String::new(),
            service_account: String::new(),
            endpoint: String::new(),
            redirect: Redirect::Off,
            part_bytes,
            buffer_bytes,
        }
    }
}

impl Default for Azure {
    fn default() -> Self {
        let (part_bytes, buffer_bytes) = PARTS;
        Self {
            container: String::new(),
            account: String::new(),
            prefix: String::new(),
            access_key: Secret::default(),
            endpoint: String::new(),
            redirect: Redirect::Off,
            part_bytes,
            buffer_bytes,
        }
    }
}

impl Config {
    /// Whether images stand in a folder, and not in a bucket.
    pub fn is_a_folder(&self) -> bool {
        [&self.s3.bucket, &self.gcs.bucket, &self.azure.container].iter().all(|name| name.is_empty())
    }

    /// Every mistake in the values.
    pub fn mistakes(&self) -> Vec<String> {
        let (s3, gcs, azure) = (&self.s3, &self.gcs, &self.azure);
        let mut mistakes = Vec::new();
        let mut named: Vec<&str> = Vec::new();
        named.extend((!self.filesystem.root.is_empty()).then_some("storage.filesystem.root"));
        named.extend((!s3.bucket.is_empty()).then_some("storage.s3.bucket"));
        named.extend((!gcs.bucket.is_empty()).then_some("storage.gcs.bucket"));
        named.extend((!azure.container.is_empty()).then_some("storage.azure.container"));
        if named.len() > 1 {
            mistakes.push(format!("`{}` are both set: images stand in one place", named.join("` and `")));
        }
        for (section, bucket, prefix, endpoint, parts) in [
            ("s3", &s3.bucket, &s3.prefix, &s3.endpoint, (s3.part_bytes, s3.buffer_bytes)),
            ("gcs", &gcs.bucket, &gcs.prefix, &gcs.endpoint, (gcs.part_bytes, gcs.buffer_bytes)),
            (
                "azure",
                &azure.container,
                &azure.prefix,
                &azure.endpoint,
                (azure.part_bytes, azure.buffer_bytes),
            ),
        ] {
            if !bucket.is_empty() {
                mistakes.extend(place(section, bucket, prefix, endpoint));
                mistakes.extend(sizes(section, parts));
            }
        }
        if !s3.bucket.is_empty() {
            mistakes.extend(s3.mistakes());
        }
        if !azure.container.is_empty() && azure.account.is_empty() {
            mistakes.push(
                "`storage.azure.account` is not set: it names the storage account of the container".into(),
            );
        }
        mistakes
    }
}

impl S3 {
    fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut demand = |holds: bool, mistake: &str| {
            if !holds {
                mistakes.push(mistake.to_owned());
            }
        };
        demand(
            self.access_key_id.is_empty() == self.secret_access_key.is_empty(),
            "`storage.s3.access_key_id` and `storage.s3.secret_access_key` go together: set both, or none",
        );
        demand(
            self.session_token.is_empty() || !self.access_key_id.is_empty(),
            "`storage.s3.session_token` is set without `storage.s3.access_key_id`, which it belongs to",
        );
        demand(
            self.public_endpoint.is_empty() || is_url(&self.public_endpoint),
            "`storage.s3.public_endpoint` is no URL, as in https://s3.example.com",
        );
        demand(
            self.public_endpoint.is_empty() || self.redirect == Redirect::On,
            "`storage.s3.public_endpoint` is set, and `storage.s3.redirect` is \"off\": nobody would be sent there",
        );
        demand(
            self.sse_kms_key_id.is_empty() || self.sse == Encryption::Kms,
            "`storage.s3.sse_kms_key_id` is set, and `storage.s3.sse` is not \"aws:kms\"",
        );
        mistakes
    }
}

/// What can be wrong with where a bucket is.
fn place(section: &str, bucket: &str, prefix: &str, endpoint: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    if bucket.contains(['/', ' ', ':']) {
        mistakes.push(format!("`storage.{section}`: {bucket:?} is the name of no bucket"));
    }
    let bad = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains(char::is_control);
    if !prefix.is_empty() && prefix.split('/').any(bad) {
        mistakes.push(format!(
            "`storage.{section}.prefix` is names between slashes, as in \"team/registry\", with none before or behind"
        ));
    }
    if !endpoint.is_empty() && !is_url(endpoint) {
        mistakes.push(format!("`storage.{section}.endpoint` is no URL, as in https://s3.example.com:9000"));
    }
    mistakes
}

/// What can be wrong with the sizes of parts.
fn sizes(section: &str, (part_bytes, buffer_bytes): (u64, u64)) -> Vec<String> {
    let mut mistakes = Vec::new();
    if part_bytes < PART_BYTES_LEAST {
        mistakes.push(format!(
            "`storage.{section}.part_bytes` is less than {PART_BYTES_LEAST}: no server takes such parts"
        ));
    } else if part_bytes > PART_BYTES_MOST {
        mistakes.push(format!(
            "`storage.{section}.part_bytes` is more than {PART_BYTES_MOST}: no server takes such parts"
        ));
    } else if part_bytes * PARTS_MAX < UPLOAD_BYTES {
        mistakes.push(format!(
            "`storage.{section}.part_bytes` is less than {}: {PARTS_MAX} parts would not hold a layer of 100 GiB",
            UPLOAD_BYTES.div_ceil(PARTS_MAX)
        ));
    }
    if buffer_bytes < part_bytes * 2 {
        mistakes.push(format!(
            "`storage.{section}.buffer_bytes` is less than two parts of `storage.{section}.part_bytes`"
        ));
    }
    mistakes
}

/// Whether a text is the URL of a server: no query, and nobody's password.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with(['/', ':'])
            && !rest.contains(['?', '#', '@', ' '])
            && http::Uri::try_from(text).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> S3 {
        S3 { bucket: "images".into(), ..S3::default() }
    }

    fn told(s3: S3) -> Vec<String> {
        Config { s3, ..Config::default() }.mistakes()
    }

    #[test]
    fn what_is_at_its_default_is_right() {
        assert_eq!(Config::default().mistakes(), [""; 0]);
        assert_eq!(told(good()), [""; 0]);
        let public_endpoint = "https://s3.example.com".into();
        assert_eq!(
            told(S3 { redirect: Redirect::On, public_endpoint, prefix: "a/b".into(), ..good() }),
            [""; 0]
        );
        // Without a bucket nothing of it counts.
        assert_eq!(told(S3 { endpoint: "x".into(), part_bytes: 1, ..S3::default() }), [""; 0]);
    }

    #[test]
    fn each_mistake_is_told() {
        let on = Redirect::On;
        for (mistaken, part) in [
            (S3 { endpoint: "s3.example.com".into(), ..good() }, "storage.s3.endpoint"),
            (S3 { endpoint: "https://key:secret@s3.example.com".into(), ..good() }, "storage.s3.endpoint"),
            (S3 { redirect: on, public_endpoint: "ftp://x".into(), ..good() }, "public_endpoint` is no URL"),
            (S3 { public_endpoint: "https://x".into(), ..good() }, "nobody would be sent there"),
            (S3 { prefix: "/a".into(), ..good() }, "storage.s3.prefix"),
            (S3 { prefix: "a/../b".into(), ..good() }, "storage.s3.prefix"),
            (S3 { bucket: "a/b".into(), ..good() }, "the name of no bucket"),
            (S3 { access_key_id: "key".into(), ..good() }, "go together"),
            (S3 { secret_access_key: Secret::new("x"), ..good() }, "go together"),
            (S3 { session_token: Secret::new("x"), ..good() }, "session_token"),
            (S3 { sse_kms_key_id: "x".into(), ..good() }, "sse_kms_key_id"),
            (S3 { part_bytes: (5 << 20) - 1, ..good() }, "less than 5242880"),
            (S3 { part_bytes: 10 << 20, ..good() }, "would not hold a layer of 100 GiB"),
            (S3 { part_bytes: 6 << 30, buffer_bytes: 20 << 30, ..good() }, "more than 5368709120"),
            (S3 { buffer_bytes: 20 << 20, ..good() }, "less than two parts"),
        ] {
            let told = told(mistaken);
            assert!(told.len() == 1 && told[0].contains(part), "{part}: {told:?}");
        }
    }

    #[test]
    fn images_stand_in_one_place() {
        let filesystem = Filesystem { root: "/images".into(), ..Filesystem::default() };
        let told = Config { filesystem, s3: good(), ..Config::default() }.mistakes();
        assert_eq!(
            told,
            ["`storage.filesystem.root` and `storage.s3.bucket` are both set: images stand in one place"]
        );
        let azure = Azure { container: "images".into(), ..Azure::default() };
        let told = Config { azure, ..Config::default() }.mistakes();
        assert!(told.len() == 1 && told[0].contains("storage.azure.account"), "{told:?}");
    }
}
