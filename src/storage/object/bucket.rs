//! The bucket: where its objects are, and the few things that are done with small ones. The files beside it say what
//! stands in it.

use crate::storage::error::{Error, Result};
use crate::storage::object::answer;
use crate::storage::object::listing::{self, Entry};
use crate::storage::object::part_copies::PartCopies;
use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::list::PaginatedListStore;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Attribute, Attributes, GetResult, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How often a write that depends on what stands there is tried when nobody knows what became of it.
const TRIES: usize = 3;
/// What a write is known by afterwards, in the object's own metadata. Letters only: not every store takes more.
const WRITE: &str = "holdfastwrite";
/// The longest that anything small may take, with all tries of the library.
const SMALL: Duration = Duration::from_secs(30);

/// An open bucket.
#[derive(Clone)]
pub struct Bucket {
    /// Its objects.
    pub objects: Arc<dyn ObjectStore>,
    /// Its objects in the making, part by part.
    pub parts: Arc<dyn MultipartStore>,
    /// Who copies parts of objects inside of it, if it knows how.
    pub part_copies: Option<Arc<dyn PartCopies>>,
    /// Its lists, page by page, to get past strange names; not every store in memory has them.
    pub pages: Option<Arc<dyn PaginatedListStore>>,
    /// Who signs URLs of it for clients, if anybody may be sent there.
    pub signer: Option<Arc<dyn Signer>>,
    /// What all paths of ours begin with; empty, or without a slash at its end.
    pub prefix: String,
}

/// A small object, whole.
#[derive(Debug, Clone)]
pub struct Small {
    /// Its bytes.
    pub bytes: Bytes,
    /// When it was last written, in seconds since the Unix epoch.
    pub modified: u64,
    /// Which writing of it this is.
    pub version: UpdateVersion,
    /// The write that made it, if it was one of `put_if`.
    written_by: Option<String>,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its path below the prefix.
    pub path: String,
    /// Its size in bytes; as large as can be if it is strange.
    pub size: u64,
    /// When it was last written, in seconds since the Unix epoch; 0 if it is strange.
    pub modified: u64,
    /// Whether its name is one that the library cannot say: of that object nothing can be had but its name.
    pub strange: bool,
}

/// What became of a write that depends on what stands there.
#[derive(Debug, Clone)]
pub enum PutIf {
    /// It stands there now, as this version.
    Done(UpdateVersion),
    /// Something else stood there, or nothing where something should.
    Lost,
}

impl Bucket {
    /// The object of a path of `layout.rs`.
    pub fn at(&self, path: &str) -> Result<Path> {
        let whole = if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) };
        // As it is: the layout has spelled it, and to encode it again would name another object.
        Path::parse(&whole).map_err(|error| Error::at(path, io::Error::other(error)))
    }

    /// A small object. `None`: it is not there. One of more than `bytes_max` is a fault.
    pub async fn small(&self, path: &str, bytes_max: usize) -> Result<Option<Small>> {
        let at = self.at(path)?;
        let reading = async {
            let found = match self.objects.get(&at).await {
                Ok(found) => found,
                Err(error) => return answer::meaning(path, &error).map_or(Ok(None), Err),
            };
            if found.meta.size > bytes_max as u64 {
                return Err(Error::at(path, io::Error::new(io::ErrorKind::InvalidData, "it is too large")));
            }
            collect(path, found).await.map(Some)
        };
        in_time(path, reading).await
    }

    /// Writes a small object, whatever stands there.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        let put =
            async { self.objects.put(&self.at(path)?, bytes.into()).await.map_err(|e| wrong(path, &e)) };
        in_time(path, put).await.map(drop)
    }

    /// Writes a small object if nothing stands there (`seen` is `None`) or what was seen still does. An answer that got
    /// lost is no doubt: the object itself says whose write made it.
    pub async fn put_if(&self, path: &str, bytes: &Bytes, seen: Option<&UpdateVersion>) -> Result<PutIf> {
        let (at, write) = (self.at(path)?, uuid::Uuid::new_v4().simple().to_string());
        let mode = seen.map_or(PutMode::Create, |seen| PutMode::Update(seen.clone()));
        let mut why = None;
        for _ in 0..TRIES {
            let attributes = Attributes::from_iter([(Attribute::Metadata(WRITE.into()), write.clone())]);
            let options = PutOptions { mode: mode.clone(), attributes, ..PutOptions::default() };
            let put = async { Ok(self.objects.put_opts(&at, bytes.clone().into(), options).await) };
            let refused = match in_time(path, put).await {
                Ok(Ok(put)) => {
                    return Ok(PutIf::Done(UpdateVersion { e_tag: put.e_tag, version: put.version }));
                }
                Ok(Err(error)) if is_condition(&error) => wrong(path, &error),
                Ok(Err(error)) => match wrong(path, &error) {
                    doubtful @ Error::Unreachable { .. } => doubtful,
                    fault => return Err(fault),
                },
                Err(late) => late,
            };
            let there = self.small(path, usize::MAX).await?;
            match there {
                Some(there) if there.written_by.as_deref() == Some(&write) => {
                    return Ok(PutIf::Done(there.version));
                }
                there if there.as_ref().map(|there| &there.version) != seen => return Ok(PutIf::Lost),
                // Nothing has changed: the write did not arrive, or has met another one that failed.
                _ => why = Some(refused),
            }
        }
        Err(why.unwrap_or_else(|| Error::at(path, io::Error::other("it was not tried"))))
    }

    /// Which writing of an object stands there. `None`: it is not there.
    pub async fn version(&self, path: &str) -> Result<Option<UpdateVersion>> {
        let looked = async {
            match self.objects.head(&self.at(path)?).await {
                Ok(there) => Ok(Some(UpdateVersion { e_tag: there.e_tag, version: there.version })),
                Err(error) => answer::meaning(path, &error).map_or(Ok(None), Err),
            }
        };
        in_time(path, looked).await
    }

    /// Removes an object; one that is not there is no error.
    pub async fn remove(&self, path: &str) -> Result<()> {
        let removed = async {
            match self.objects.delete(&self.at(path)?).await {
                Ok(()) => Ok(()),
                Err(error) => answer::meaning(path, &error).map_or(Ok(()), Err),
            }
        };
        in_time(path, removed).await
    }

    /// All objects below a folder, in the order of their names, page by page; those behind `after` if it is given. An
    /// object that stands for the folder itself, as some tools make them, is none. Strange ones are told, one for each
    /// folder that makes them so.
    pub fn below(&self, folder: &str, after: Option<&str>) -> BoxStream<'static, Result<Listed>> {
        let begun = self.at(folder).and_then(|at| {
            let after = after.map(|after| self.at(after)).transpose()?;
            Ok(listing::below(&self.objects, self.pages.as_ref(), &at, after.as_ref()))
        });
        self.listed(folder, begun)
    }

    /// Whether there is no object below a folder: what a probe asks often, so that it costs a server little.
    pub async fn has_nothing(&self, folder: &str) -> Result<bool> {
        let begun = self.at(folder).map(|at| listing::a_few(&self.objects, self.pages.as_ref(), &at));
        Ok(self.listed(folder, begun).next().await.transpose()?.is_none())
    }

    fn listed(
        &self,
        folder: &str,
        begun: Result<BoxStream<'static, object_store::Result<listing::Entry>>>,
    ) -> BoxStream<'static, Result<Listed>> {
        let (folder, cut) = (folder.to_owned(), self.prefix.len() + usize::from(!self.prefix.is_empty()));
        match begun {
            Err(error) => futures_util::stream::once(async { Err(error) }).boxed(),
            Ok(listed) => listed
                .filter_map(move |entry| {
                    let listed = match entry {
                        Ok(entry) => Some(Ok(Listed::of(entry, cut)))
                            .filter(|listed| listed.as_ref().is_ok_and(|listed| listed.path != folder)),
                        Err(error) => Some(Err(wrong(&folder, &error))),
                    };
                    std::future::ready(listed)
                })
                .boxed(),
        }
    }
}

impl Listed {
    /// What stands in a list, without the `cut` bytes that all names begin with.
    fn of(entry: Entry, cut: usize) -> Self {
        let path = |whole: &str| whole.get(cut..).unwrap_or_default().to_owned();
        match entry {
            Entry::Object(meta) => Self {
                path: path(meta.location.as_ref()),
                size: meta.size,
                modified: u64::try_from(meta.last_modified.timestamp()).unwrap_or(0),
                strange: false,
            },
            Entry::Strange(name) => Self { path: path(&name), size: u64::MAX, modified: 0, strange: true },
        }
    }
}

/// What a failure means; `None`: the object is not there.
#[allow(clippy::needless_pass_by_value)] // it ends here
pub fn failed(what: &str, error: object_store::Error) -> Option<Error> {
    answer::meaning(what, &error)
}

/// What a failure means where nothing need be there.
fn wrong(what: &str, error: &object_store::Error) -> Error {
    answer::meaning(what, error)
        .unwrap_or_else(|| Error::at(what, io::Error::other(answer::Answer::of(error).told)))
}

/// Whether a write was refused for what stands there.
fn is_condition(error: &object_store::Error) -> bool {
    use object_store::Error as Failure;
    matches!(
        error,
        Failure::AlreadyExists { .. } | Failure::Precondition { .. } | Failure::NotModified { .. }
    )
}

async fn collect(path: &str, found: GetResult) -> Result<Small> {
    let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
    let modified = u64::try_from(found.meta.last_modified.timestamp()).unwrap_or(0);
    let written_by = found.attributes.get(&Attribute::Metadata(WRITE.into())).map(|write| write.to_string());
    let mut pieces = found.into_stream();
    let mut bytes = BytesMut::new();
    while let Some(piece) = pieces.try_next().await.map_err(|error| wrong(path, &error))? {
        bytes.extend_from_slice(&piece);
    }
    Ok(Small { bytes: bytes.freeze(), modified, version, written_by })
}

/// Ends what takes too long. What was asked for may happen all the same.
pub async fn in_time<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = || Error::Unreachable { what: what.to_owned(), why: "it took too long".into() };
    tokio::time::timeout(SMALL, work).await.unwrap_or_else(|_| Err(late()))
}
