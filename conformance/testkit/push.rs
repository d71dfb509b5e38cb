//! The steps of a push and of a look-up, spelled once. Each helper demands the answer that the specification
//! promises; a test that wants another answer sends its own request. It must not hide what goes over the wire.

use super::answer::Answer;
use super::client::{Client, Request, get, post, put};
use super::image::{DOCKER_LIST, DOCKER_MANIFEST, Manifest, OCI_INDEX, OCI_MANIFEST, sha256_of};

impl Client {
    /// Opens an upload and gives its location.
    #[track_caller]
    pub fn open_upload(&self, repo: &str) -> String {
        self.send(&post(format!("/v2/{repo}/blobs/uploads/"))).expect(202).need("location").to_owned()
    }

    /// Pushes a blob with POST and PUT, and gives its digest.
    #[track_caller]
    pub fn push_blob(&self, repo: &str, bytes: &[u8]) -> String {
        let digest = sha256_of(bytes);
        let location = self.open_upload(repo);
        self.send(&put(closing(&location, &digest)).body(bytes)).expect(201);
        digest
    }

    /// Pushes the blobs and children of a manifest, not the manifest itself.
    #[track_caller]
    pub fn push_parts(&self, repo: &str, manifest: &Manifest) {
        for child in &manifest.children {
            let digest = child.digest.clone();
            self.push(repo, &digest, child);
        }
        for blob in &manifest.blobs {
            self.push_blob(repo, blob);
        }
    }

    /// Pushes a manifest with all its parts.
    #[track_caller]
    pub fn push(&self, repo: &str, reference: &str, manifest: &Manifest) -> Answer {
        self.push_parts(repo, manifest);
        self.send(&put_manifest(repo, reference, manifest)).expect(201)
    }

    /// The manifest of a reference, which must be there.
    #[track_caller]
    pub fn manifest(&self, repo: &str, reference: &str) -> Answer {
        self.send(&get_manifest(repo, reference)).expect(200)
    }

    /// Whether a manifest is served: by GET and by HEAD, which must agree.
    #[track_caller]
    pub fn has_manifest(&self, repo: &str, reference: &str) -> bool {
        self.has(&get_manifest(repo, reference))
    }

    /// Whether a blob is served: by GET and by HEAD, which must agree.
    #[track_caller]
    pub fn has_blob(&self, repo: &str, digest: &str) -> bool {
        self.has(&get(format!("/v2/{repo}/blobs/{digest}")))
    }

    #[track_caller]
    fn has(&self, by_get: &Request) -> bool {
        let told = self.send(by_get);
        let told_head = self.send(&by_get.clone().with_method("HEAD"));
        assert_eq!(told.status, told_head.status, "GET and HEAD disagree: {by_get:?}");
        match told.status {
            200 => true,
            404 => false,
            _ => panic!("{by_get:?}: {told}"),
        }
    }

    /// The strings of a listing, all pages, following `Link`.
    #[track_caller]
    pub fn listing(&self, path: &str, key: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let answer = self.send(&get(&path)).expect(200);
            let json = answer.json();
            let page = json[key].as_array().unwrap_or_else(|| panic!("no list `{key}` in {answer}")).clone();
            found.extend(page.iter().map(|v| v.as_str().expect("a string").to_owned()));
            next = next_page(&answer);
        }
        found
    }

    /// All tags of a repository.
    #[track_caller]
    pub fn tags(&self, repo: &str) -> Vec<String> {
        self.listing(&format!("/v2/{repo}/tags/list"), "tags")
    }

    /// All repositories.
    #[track_caller]
    pub fn catalog(&self) -> Vec<String> {
        self.listing("/v2/_catalog", "repositories")
    }

    /// The descriptors of a referrers listing, all pages.
    #[track_caller]
    pub fn referrers(&self, repo: &str, digest: &str) -> Vec<serde_json::Value> {
        let mut found = Vec::new();
        let mut next = Some(format!("/v2/{repo}/referrers/{digest}"));
        while let Some(path) = next {
            let answer = self.send(&get(&path)).expect(200);
            found.extend(answer.json()["manifests"].as_array().expect("a list of descriptors").clone());
            next = next_page(&answer);
        }
        found
    }
}

/// The GET of a manifest as clients send it, with every kind that they take.
pub fn get_manifest(repo: &str, reference: &str) -> Request {
    let kinds = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(", ");
    get(format!("/v2/{repo}/manifests/{reference}")).header("Accept", kinds)
}

/// The PUT of a manifest, without its parts.
pub fn put_manifest(repo: &str, reference: &str, manifest: &Manifest) -> Request {
    put(format!("/v2/{repo}/manifests/{reference}"))
        .header("Content-Type", &manifest.media_type)
        .body(&manifest.bytes)
}

/// The location of an upload with `digest=` added, whatever query it has already.
pub fn closing(location: &str, digest: &str) -> String {
    let joint = if location.contains('?') { '&' } else { '?' };
    format!("{location}{joint}digest={digest}")
}

/// The target of the `Link` with `rel="next"`, when there is one.
#[track_caller]
pub fn next_page(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?;
    assert!(link.contains("rel=\"next\""), "a Link that is not the next page: {link}");
    let target = link.split('<').nth(1).and_then(|rest| rest.split('>').next());
    Some(target.unwrap_or_else(|| panic!("a Link without a target: {link}")).to_owned())
}
