//! The servers that replicas stand on, and what is said where one is missing: PostgreSQL as testkit/postgres.rs finds it, and
//! an S3 server that the environment names. `HOLDFAST_TEST_S3` is the URL of a bucket, `http://ADDRESS/BUCKET`; its key is
//! `HOLDFAST_TEST_S3_KEY`, with the secret `HOLDFAST_TEST_S3_SECRET`. It must not know what is tested on them.

use crate::testkit::postgres::Postgres;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

#[allow(clippy::disallowed_methods, reason = "tests read the environment of their run")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A number of the environment, or this one.
pub fn number(name: &str, usual: u64) -> u64 {
    environment(name)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Says that a test did not run, and why. Where `HOLDFAST_FAULTS` is `all` that is a failure.
#[track_caller]
pub fn skipped(what: &str, why: &str) {
    assert!(environment("HOLDFAST_FAULTS").as_deref() != Some("all"), "{what} must run here: {why}");
    println!("skipped: {what}: {why}");
}

/// A bucket on a server that speaks S3.
pub struct S3 {
    /// Where the server listens.
    pub addr: SocketAddr,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Its secret.
    pub secret: String,
}

impl S3 {
    /// The one of the environment; why not, if it names none.
    pub fn found() -> Result<Self, String> {
        let need = |name: &str| environment(name).ok_or_else(|| format!("{name} is not set"));
        let url = need("HOLDFAST_TEST_S3")?;
        let parts = url.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
        let (addr, bucket) = parts.ok_or("HOLDFAST_TEST_S3 is not http://ADDRESS/BUCKET")?;
        let addr = addr.parse().map_err(|error| format!("HOLDFAST_TEST_S3: {addr}: {error}"))?;
        let (key, secret) = (need("HOLDFAST_TEST_S3_KEY")?, need("HOLDFAST_TEST_S3_SECRET")?);
        Ok(Self { addr, bucket: bucket.to_owned(), key, secret })
    }

    /// What the owner of the bucket is answered, by `curl`. `None`: it is not there.
    #[track_caller]
    fn get(&self, path_and_query: &str) -> Option<String> {
        let url = format!("http://{}/{}{path_and_query}", self.addr, self.bucket);
        let mut command = Command::new("curl");
        command.args(["-sS", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user"]);
        command
            .arg(format!("{}:{}", self.key, self.secret))
            .args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]);
        let output =
            command.args(["-w", "\n%{http_code}", &url]).stdin(Stdio::null()).output().expect("curl runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = told.rsplit_once('\n').unwrap_or_default();
        match status {
            "200" => Some(body.to_owned()),
            "404" => None,
            _ => panic!("{url}: {told} {}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// The text of an object, if it is there.
    #[track_caller]
    pub fn object(&self, path: &str) -> Option<String> {
        self.get(&format!("/{path}"))
    }

    /// The first thousand objects whose names begin so.
    #[track_caller]
    pub fn objects(&self, prefix: &str) -> Vec<String> {
        let listed = self.get(&format!("?list-type=2&prefix={}", prefix.replace('/', "%2F")));
        between(&listed.expect("a bucket"), "Key")
    }

    /// Objects whose names begin so, and of which parts were put, and no end: among the first thousand that were begun. One
    /// without a part costs nothing: it was begun, and nobody lived to write down that it was.
    #[track_caller]
    pub fn unfinished(&self, prefix: &str) -> Vec<String> {
        let listed = self.get(&format!("?prefix={}&uploads=", prefix.replace('/', "%2F"))).expect("a bucket");
        let begun = between(&listed, "Upload");
        let named =
            begun.iter().flat_map(|one| between(one, "Key").into_iter().zip(between(one, "UploadId")));
        let has_parts = |(key, id): &(String, String)| {
            let parts = self.get(&format!("/{key}?uploadId={id}"));
            parts.is_some_and(|parts| !between(&parts, "PartNumber").is_empty())
        };
        named.filter(has_parts).map(|(key, _)| key).collect()
    }
}

/// What stands between the tags of that name.
fn between(xml: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let pieces = xml.split(&open).skip(1).filter_map(|rest| rest.split_once(&close));
    pieces.map(|(inner, _)| inner.to_owned()).collect()
}

/// All that replicas stand on.
pub struct Servers {
    /// Metadata.
    pub postgres: Postgres,
    /// Images.
    pub s3: S3,
}

impl Servers {
    /// The servers; `None` was told.
    #[track_caller]
    pub fn found(what: &str) -> Option<Self> {
        Self::with(what, Postgres::found)
    }

    /// The same, with a PostgreSQL server that the test may restart.
    #[track_caller]
    pub fn with_own_postgres(what: &str) -> Option<Self> {
        Self::with(what, Postgres::start)
    }

    #[track_caller]
    fn with(what: &str, postgres: fn() -> Result<Postgres, String>) -> Option<Self> {
        let both = S3::found().and_then(|s3| Ok(Self { postgres: postgres()?, s3 }));
        both.map_err(|why| skipped(what, &why)).ok()
    }
}
