//! A bucket in memory for tests, strict where S3 is strict: a part is asked for by its tag when an upload is completed, and
//! what is over is over. It counts requests, and fails when it is told to.

use crate::storage::object::part_copies::{Part, PartCopies};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::*;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Mutex;

/// A multipart upload that is open: its path, and its parts with their tags.
type Open = (Path, BTreeMap<usize, (String, Bytes)>);

/// How a server copies parts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// As it should.
    #[default]
    Right,
    /// It does not know how to.
    Unable,
    /// It fails each time.
    Broken,
    /// It tells another tag than it keeps.
    Mistold,
    /// A byte of each is another one.
    Spoilt,
    /// Each has a byte less.
    Short,
}

/// The bucket.
#[derive(Debug, Default)]
pub struct Fake {
    objects: InMemory,
    open: Mutex<HashMap<String, Open>>,
    requests: Mutex<Vec<String>>,
    failing: Mutex<Option<&'static str>>,
    /// Requests that are done although their answer is lost.
    lost: Mutex<Option<&'static str>>,
    /// How long a copy takes, in seconds.
    copy_secs: std::sync::atomic::AtomicU64,
    /// Copies are answered, and not made.
    lies: std::sync::atomic::AtomicBool,
    copies: Mutex<Copies>,
    next: std::sync::atomic::AtomicU64,
}

impl Fake {
    /// The requests since the last call.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    /// Requests of this kind fail from now on.
    pub fn fail(&self, kind: Option<&'static str>) {
        *self.failing.lock().unwrap() = kind;
    }

    /// Requests of this kind are done, and their answer is lost.
    pub fn lose(&self, kind: Option<&'static str>) {
        *self.lost.lock().unwrap() = kind;
    }

    /// Whether a copy that fails is answered as if it had not, with the error in a body that nobody reads.
    pub fn lie(&self, lies: bool) {
        self.lies.store(lies, std::sync::atomic::Ordering::SeqCst);
    }

    /// How it copies parts from now on.
    pub fn copies(&self, copies: Copies) {
        *self.copies.lock().unwrap() = copies;
    }

    /// How long a copy takes from now on, in seconds.
    pub fn copy_secs(&self, secs: u64) {
        self.copy_secs.store(secs, std::sync::atomic::Ordering::SeqCst);
    }

    /// How many multipart uploads are open.
    pub fn open_count(&self) -> usize {
        self.open.lock().unwrap().len()
    }

    /// The paths of all objects.
    pub async fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> =
            self.objects.list(None).map(|object| object.unwrap().location.to_string()).collect().await;
        paths.sort();
        paths
    }

    fn asked(&self, kind: &str, path: &Path) -> Result<()> {
        self.requests.lock().unwrap().push(format!("{kind} {path}"));
        if *self.failing.lock().unwrap() == Some(kind) { Err(generic("503 SlowDown")) } else { Ok(()) }
    }

    fn answered<T>(&self, kind: &str, answer: T) -> Result<T> {
        if *self.lost.lock().unwrap() == Some(kind) { Err(generic("connection reset")) } else { Ok(answer) }
    }
}

fn generic(text: &str) -> Error {
    Error::Generic { store: "fake", source: text.to_owned().into() }
}

fn no_such_upload() -> Error {
    Error::NotFound { path: String::new(), source: "NoSuchUpload".into() }
}

impl fmt::Display for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fake")
    }
}

#[async_trait]
impl ObjectStore for Fake {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.asked("PUT", location)?;
        let put = self.objects.put_opts(location, payload, opts).await?;
        self.answered("PUT", put)
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(generic("nobody asks for this"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.asked(if options.head { "HEAD" } else { "GET" }, location)?;
        self.objects.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.requests.lock().unwrap().push("DELETE".into());
        if *self.failing.lock().unwrap() == Some("DELETE") {
            return futures_util::stream::once(async { Err(generic("503 SlowDown")) }).boxed();
        }
        self.objects.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.requests.lock().unwrap().push("LIST".into());
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.asked("COPY", to)?;
        let secs = self.copy_secs.load(std::sync::atomic::Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_secs(secs)).await;
        if self.lies.load(std::sync::atomic::Ordering::SeqCst) {
            return Ok(());
        }
        self.objects.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl MultipartStore for Fake {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.asked("CREATE", path)?;
        let id = self.next.fetch_add(1, std::sync::atomic::Ordering::SeqCst).to_string();
        self.open.lock().unwrap().insert(id.clone(), (path.clone(), BTreeMap::new()));
        self.answered("CREATE", id)
    }

    async fn put_part(&self, path: &Path, id: &MultipartId, nth: usize, data: PutPayload) -> Result<PartId> {
        self.asked("PART", path)?;
        tokio::task::yield_now().await;
        let bytes = Bytes::from(data);
        let tag = crate::storage::contract::sha256(&bytes).to_string();
        let mut open = self.open.lock().unwrap();
        let (at, parts) = open.get_mut(id).ok_or_else(no_such_upload)?;
        assert_eq!((&*at, nth < 10_000), (path, true));
        parts.insert(nth, (tag.clone(), bytes));
        self.answered("PART", PartId { content_id: tag })
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        self.asked("COMPLETE", path)?;
        let whole: Vec<Bytes> = {
            let mut open = self.open.lock().unwrap();
            let (at, there) = open.get(id).ok_or_else(no_such_upload)?;
            assert_eq!(at, path);
            let mut whole = Vec::new();
            for (nth, part) in parts.iter().enumerate() {
                let part = there.get(&nth).filter(|(tag, _)| *tag == part.content_id);
                whole.push(part.ok_or_else(|| generic("400: InvalidPart"))?.1.clone());
            }
            let (last, full) = whole.split_last().ok_or_else(|| generic("no part"))?;
            let uniform = full.iter().all(|part| part.len() == full[0].len() && last.len() <= part.len());
            assert!(uniform, "parts of several sizes");
            open.remove(id);
            whole
        };
        let put = self.objects.put(path, whole.into_iter().collect()).await?;
        self.answered("COMPLETE", put)
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.asked("ABORT", path)?;
        self.open.lock().unwrap().remove(id).map(drop).ok_or_else(no_such_upload)
    }
}

#[async_trait]
impl PartCopies for Fake {
    async fn copy(&self, part: &Part<'_>) -> Result<String> {
        self.asked("PARTCOPY", part.target)?;
        let copies = *self.copies.lock().unwrap();
        match copies {
            Copies::Unable => {
                return Err(generic("status code: 501 Not Implemented: <Code>NotImplemented</Code>"));
            }
            Copies::Broken => return Err(generic("status code: 500 Internal Server Error: ")),
            _ => {}
        }
        let mut bytes = self.objects.get_range(part.source, part.range.clone()).await?.to_vec();
        match copies {
            Copies::Spoilt => bytes[7] ^= 1,
            Copies::Short => drop(bytes.pop()),
            _ => {}
        }
        let put = self.put_part(part.target, &part.id.to_owned(), part.nth, bytes.into()).await?;
        Ok(if copies == Copies::Mistold { "another".into() } else { put.content_id })
    }
}
