//! The S3 server without a registry, by clients that are as fast as they come: parts in parallel through the HTTP client that
//! Holdfast uses too, and the server's own command. What they cost is the measure of what a registry may cost.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path as Key;
use object_store::signer::Signer as _;
use object_store::{ClientOptions, ObjectStoreExt as _, PutPayload};
use tokio::runtime::Runtime;

use crate::client::Res;
use crate::payload::Large;
use crate::servers::process_cpu;
use crate::stand::S3;
use crate::table::Sample;

/// Parts under way at once, and their bytes: more of either were no faster.
const AT_ONCE: usize = 4;
const PART: usize = 16 << 20;
/// How long a signed URL holds.
const SIGNED: Duration = Duration::from_hours(1);

/// Clients of the bucket.
pub struct Direct {
    runtime: Runtime,
    unsigned: AmazonS3,
    signed: AmazonS3,
    command: Option<Mc>,
}

/// Who puts an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Parts in parallel, whose bytes are not signed.
    Unsigned,
    /// Parts in parallel, each signed with the hash of its bytes, as the S3 server's own command does without TLS.
    Signed,
    /// The S3 server's own command.
    Command,
}

struct Mc {
    program: PathBuf,
    config: PathBuf,
    file: PathBuf,
    bucket: String,
}

impl Direct {
    /// Clients of a bucket, with a folder of their own.
    pub fn new(s3: &S3, dir: &Path) -> Res<Direct> {
        let build = |unsigned: bool| {
            AmazonS3Builder::new()
                .with_endpoint(&s3.url)
                .with_bucket_name(&s3.bucket)
                .with_region(&s3.region)
                .with_access_key_id(&s3.key)
                .with_secret_access_key(&s3.secret)
                .with_unsigned_payload(unsigned)
                .with_client_options(ClientOptions::new().with_allow_http(true).with_timeout_disabled())
                .build()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let command = std::env::var_os("SHARED_MC").map(|program| Mc::new(program.into(), s3, dir));
        Ok(Direct { runtime, unsigned: build(true)?, signed: build(false)?, command: command.transpose()? })
    }

    /// Whether there is such a client.
    pub fn has(&self, by: By) -> bool {
        by != By::Command || self.command.is_some()
    }

    /// Puts a large object and removes it again, off the clock; the CPU is that of the client.
    pub fn put(&self, by: By, large: &Large) -> Res<Sample> {
        let key = Key::from(format!("direct/{}", large.digest));
        let work = large.length as f64 / 1e9;
        let sample = match (by, &self.command) {
            (By::Command, Some(command)) => command.put(&key, large)?,
            (By::Command, None) => return Err("the S3 server's own command is not here".into()),
            (By::Unsigned | By::Signed, _) => {
                let store = if by == By::Signed { &self.signed } else { &self.unsigned };
                let own = std::process::id();
                let (cpu, began) = (process_cpu(own)?, Instant::now());
                self.runtime.block_on(in_parts(store, &key, large))?;
                Sample { work, wall: began.elapsed().as_secs_f64(), cpu: process_cpu(own)? - cpu }
            }
        };
        self.runtime.block_on(self.unsigned.delete(&key))?;
        Ok(sample)
    }

    /// Puts an object that stays; path and query by which anybody may get it.
    pub fn stored(&self, large: &Large) -> Res<String> {
        let key = Key::from(format!("direct/{}", large.digest));
        self.runtime.block_on(async {
            in_parts(&self.unsigned, &key, large).await?;
            let url = self.unsigned.signed_url(http::Method::GET, &key, SIGNED).await?;
            Ok(format!("{}?{}", url.path(), url.query().unwrap_or_default()))
        })
    }
}

async fn in_parts(store: &AmazonS3, key: &Key, large: &Large) -> Res<()> {
    let block = Bytes::from_owner(large.block());
    let repeats = large.length - large.tail().len() as u64;
    let mut parts = Vec::new();
    let mut at = 0;
    while at < repeats {
        // Parts do not cross the end of the block, whose length theirs divides.
        let from = (at % block.len() as u64) as usize;
        let length = PART.min((repeats - at) as usize);
        parts.push(vec![block.slice(from..from + length)]);
        at += length as u64;
    }
    parts.last_mut().ok_or("no parts")?.push(Bytes::copy_from_slice(large.tail()));
    let id = &store.create_multipart(key).await?;
    let put = |(nth, bytes): (usize, Vec<Bytes>)| async move {
        store.put_part(key, id, nth, bytes.into_iter().collect::<PutPayload>()).await
    };
    let put: Vec<_> = parts.into_iter().enumerate().map(put).collect();
    let parts: Vec<PartId> = futures_util::stream::iter(put).buffered(AT_ONCE).try_collect().await?;
    store.complete_multipart(key, id, parts).await?;
    Ok(())
}

impl Mc {
    fn new(program: PathBuf, s3: &S3, dir: &Path) -> Res<Mc> {
        let memory = Path::new("/dev/shm"); // reading the file is not what is measured
        let file = if memory.is_dir() { memory } else { dir }
            .join(format!("holdfast-shared-{}", std::process::id()));
        let mc = Mc { program, config: dir.join("mc"), file, bucket: s3.bucket.clone() };
        mc.run(&["alias", "set", "direct", &s3.url, &s3.key, &s3.secret])?;
        Ok(mc)
    }

    fn put(&self, key: &Key, large: &Large) -> Res<Sample> {
        let mut file = File::create(&self.file)?;
        large.pieces().try_for_each(|piece| file.write_all(piece))?;
        drop(file);
        let (from, to) = (self.file.display().to_string(), format!("direct/{}/{key}", self.bucket));
        let began = Instant::now();
        let cpu = self.run(&["put", "--parallel", "4", "--part-size", "64MiB", &from, &to])?;
        let wall = began.elapsed().as_secs_f64();
        std::fs::remove_file(&self.file)?;
        Ok(Sample { work: large.length as f64 / 1e9, wall, cpu })
    }

    /// Runs it; the CPU seconds that it took.
    fn run(&self, arguments: &[&str]) -> Res<f64> {
        let own = || crate::servers::family_cpu(std::process::id());
        let before = own()?;
        let mut command = Command::new(&self.program);
        command.arg("--config-dir").arg(&self.config).arg("--quiet").args(arguments);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        if status.success() { Ok(own()? - before) } else { Err(format!("mc ended with {status}").into()) }
    }
}

impl Drop for Mc {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}
