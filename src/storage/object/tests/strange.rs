//! Names of objects that are no paths to the library, as other programs may write them: they are told, and hide nothing
//! that stands before or behind them.

use crate::secret::Secret;
use crate::storage::config::S3;
use crate::storage::contract::{listed, sha256, walked};
use crate::storage::layout;
use crate::storage::links::{Link, Name};
use crate::storage::object::bucket::Bucket;
use crate::storage::object::patience::retries;
use crate::storage::object::s3;
use crate::storage::open;
use futures_util::TryStreamExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

/// A bucket of any names, as S3 lists and reads them.
#[derive(Debug, Clone)]
struct Names {
    objects: Arc<Mutex<BTreeMap<String, String>>>,
    page: usize,
    lists: Arc<Mutex<usize>>,
}

impl Names {
    fn new(page: usize, names: impl IntoIterator<Item = (String, String)>) -> Self {
        let objects = Arc::new(Mutex::new(names.into_iter().collect()));
        Self { objects, page, lists: Arc::default() }
    }

    fn bucket(&self) -> Bucket {
        let settings = S3 {
            bucket: "images".into(),
            region: "us-east-1".into(),
            endpoint: "http://localhost".into(),
            access_key_id: "key".into(),
            secret_access_key: Secret::new("x"),
            ..S3::default()
        };
        s3::open(&settings, &(Arc::new(self.clone()) as _), &retries()).unwrap()
    }

    fn list(&self, query: &str) -> String {
        *self.lists.lock().unwrap() += 1;
        let asked: BTreeMap<&str, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key, percent_decode_str(value).decode_utf8().unwrap().into_owned()))
            .collect();
        let after = asked.get("continuation-token").or(asked.get("start-after")).map_or("", String::as_str);
        let most = asked.get("max-keys").map_or(self.page, |most| self.page.min(most.parse().unwrap()));
        let objects = self.objects.lock().unwrap();
        let mut rest =
            objects.iter().filter(|(name, _)| name.as_str() > after && name.starts_with(&asked["prefix"]));
        let (mut xml, mut last) = ("<ListBucketResult>".to_owned(), "");
        for (name, text) in rest.by_ref().take(most) {
            let (key, size) = (name.replace('\t', "&#9;"), text.len());
            let when = "<LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>\"x\"</ETag>";
            write!(xml, "<Contents><Key>{key}</Key><Size>{size}</Size>{when}</Contents>").unwrap();
            last = name;
        }
        if rest.next().is_some() {
            let token = last.replace('\t', "&#9;");
            write!(xml, "<NextContinuationToken>{token}</NextContinuationToken>").unwrap();
        }
        xml + "</ListBucketResult>"
    }
}

impl HttpConnector for Names {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl HttpService for Names {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let path = percent_decode_str(request.uri().path()).decode_utf8().unwrap().into_owned();
        let name = path.strip_prefix("/images/").unwrap_or_default();
        let text = match (request.method().as_str(), request.uri().query()) {
            ("GET", Some(query)) if query.contains("list-type=2") => Some(self.list(query)),
            ("GET", _) => self.objects.lock().unwrap().get(name).cloned(),
            ("DELETE", _) => Some(self.objects.lock().unwrap().remove(name).map(|_| String::new()).unwrap()),
            other => panic!("{other:?}"),
        };
        let answer = http::Response::builder().status(if text.is_some() { 200 } else { 404 });
        let answer = answer.header("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT").header("etag", "\"x\"");
        let text = text.unwrap_or_default();
        Ok(answer.header("content-length", text.len()).body(HttpResponseBody::from(text)).unwrap())
    }
}

fn layer(repository: &str, text: &str) -> (String, String) {
    let digest = sha256(text.as_bytes());
    let paths = layout::link_files(&repository.parse().unwrap(), &Link::Layer(digest));
    (paths[0].clone(), digest.to_string())
}

#[tokio::test]
async fn strange_names_hide_no_repository_and_no_link() {
    let at = |below: &str| (format!("{}/{below}", layout::REPOSITORIES), "x".to_owned());
    let good: Vec<_> = (0..30).map(|n| layer("app", &n.to_string())).collect();
    let strange = [
        at("..../x"),
        at("app//y"),
        at("app/../b/_layers/x"),
        at("app/_layers/sha256//z"),
        at("app/_layers/./sha256/a"),
        at("app/_manifests/tags//current/link"),
        at("app/_manifests/tags/v1//x"),
        at("app/_manifests/tags/v\t2/current/link"),
        at("//"),
    ];
    // A copy of a whole folder to a wrong place is told once, and costs few requests.
    let many = (0..3000).map(|n| at(&format!("many//{n}")));
    let tag = sha256(b"0");
    let tags = [Link::Revision(tag), Link::Tag("v1".parse().unwrap(), tag)];
    let tags = tags.iter().flat_map(|link| layout::link_files(&"app".parse().unwrap(), link));
    let tags = tags.map(|path| (path, tag.to_string()));
    let others = [layer("aaa", "1"), layer("many/good", "1"), layer("zzz", "1")];
    let names =
        Names::new(1000, good.clone().into_iter().chain(strange).chain(many).chain(tags).chain(others));
    let storage = open::storage(names.bucket(), open::settings(5 << 20, 32 << 20));
    let (found, odd) = listed(&*storage.links).await;
    assert_eq!(found, ["aaa", "app", "many/good", "zzz"]);
    let mut told = ["....", "", "app/..", "app/", "many/"].map(|below| at(below).0);
    told.sort();
    assert_eq!(odd, told);
    let lists = std::mem::take(&mut *names.lists.lock().unwrap());
    assert!(lists < 200, "{lists} lists");
    let (links, odd) = walked(&*storage.links, &"app".parse().unwrap()).await;
    assert_eq!(links.len(), 32);
    for told in
        ["_layers/sha256/", "_layers/.", "_manifests/tags/", "_manifests/tags/v1/", "_manifests/tags/v\t2"]
    {
        let told = at(&format!("app/{told}")).0;
        assert!(odd.contains(&told), "{told}: {odd:?}");
    }
    // What has no name cannot be removed, and stops nothing else from that.
    let (app, v1) = ("app".parse().unwrap(), Name::Tag("v1".parse().unwrap()));
    storage.links.forget(&app, std::slice::from_ref(&v1)).await.unwrap();
    assert_eq!(storage.links.resolve(&app, &v1).await.unwrap(), None);
    let (links, _) = walked(&*storage.links, &app).await;
    assert_eq!(links.len(), 31);
}

#[tokio::test]
async fn strange_names_stop_no_sweep() {
    let upload = "01234567-89ab-cdef-0123-456789abcdef";
    let names = [format!("{}//x", layout::STAGING), format!("{}/{upload}/piece", layout::STAGING)];
    let names = Names::new(1000, names.map(|name| (name, "x".into())));
    let storage = open::storage(names.bucket(), open::settings(5 << 20, 32 << 20));
    let staged = storage.blobs.staged_before(u64::MAX).await.unwrap();
    assert_eq!(staged.iter().map(ToString::to_string).collect::<Vec<_>>(), [upload]);
    storage.blobs.discard(staged[0]).await.unwrap();
    assert_eq!(names.objects.lock().unwrap().len(), 1);
}

proptest! {
    #[test]
    fn every_other_name_is_listed(
        parts in prop::collection::vec(prop::collection::vec("a|b|c|ab|\\.|\\.\\.|\t|", 1..4), 0..60),
        page in 1..20_usize,
    ) {
        let all: Vec<String> = parts.iter().map(|parts| format!("in/{}x", parts.join("/"))).collect();
        let names = Names::new(page, all.iter().map(|name| (name.clone(), "x".into())));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found: Vec<_> = runtime.block_on(names.bucket().below("in", None).try_collect()).unwrap();
        let mut good: Vec<&str> =
            all.iter().map(String::as_str).filter(|name| object_store::path::Path::parse(name).is_ok()).collect();
        good.sort_unstable();
        good.dedup();
        let listed: Vec<&str> =
            found.iter().filter(|found| !found.strange).map(|found| found.path.as_str()).collect();
        prop_assert_eq!(listed, good);
        let told = found.iter().filter(|found| found.strange).count();
        prop_assert_eq!(told > 0, all.iter().any(|name| object_store::path::Path::parse(name).is_err()));
    }
}
