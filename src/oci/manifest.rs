//! Manifests: what a registry must know of one, read out of its bytes. The bytes themselves are never
//! changed: their digest is their name.

use crate::oci::digest::Digest;
use crate::oci::error::Invalid;
use crate::oci::json;
use crate::oci::media_type::{Kind, essence, is_non_distributable};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// Most descriptors that one manifest may hold; each costs a look-up when it is pushed.
pub const DESCRIPTORS_MAX: usize = 10_000;

/// The fields that decide what a manifest is and names.
const FIELDS: [&str; 9] = [
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "fsLayers",
    "subject",
    "artifactType",
    "annotations",
];

/// What a registry needs to know of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its kind, and so its media type.
    pub kind: Kind,
    /// Config and layers that the repository must hold, each once.
    pub blobs: Vec<Digest>,
    /// Manifests that an index names and the repository must hold, each once.
    pub children: Vec<Digest>,
    /// The manifest that this one refers to; it need not exist.
    pub subject: Option<Digest>,
    /// The type that the referrers list shows: `artifactType`, else for an image its config's media type.
    pub artifact_type: Option<String>,
    /// Its annotations, which the referrers list repeats.
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<IgnoredAny>,
    subject: Option<Descriptor>,
    artifact_type: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: Digest,
    #[serde(rename = "size")]
    _size: u64,
}

impl Manifest {
    /// Reads a manifest. `content_type` is what the client said it is, if it said anything; a body that says
    /// otherwise, or that could be read as two kinds, is refused (GHSA-qq97-vm5h-rrhg).
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, Invalid> {
        json::check(bytes, &FIELDS).map_err(|why| Invalid::Manifest(why.into()))?;
        // serde_json refuses repeated fields.
        let document: Document = serde_json::from_slice(bytes)
            .map_err(|e| Invalid::Manifest(format!("it is not a manifest in JSON: {e}")))?;
        let kind = document.kind(content_type.map(essence))?;
        if content_type.is_some() && document.kind(None)? != kind {
            // Nothing but the bytes is stored, so they must tell it alone.
            let media_type = kind.media_type();
            return Err(Invalid::Manifest(format!(
                "without `mediaType` nobody can tell that it is {media_type}"
            )));
        }
        let index = kind.is_index();
        let mut blobs = Vec::new();
        if let (false, Some(config)) = (index, &document.config) {
            blobs.push(config.digest);
        }
        let layers = document.layers.as_deref().unwrap_or_default();
        let children = document.manifests.as_deref().unwrap_or_default();
        if layers.len() + children.len() > DESCRIPTORS_MAX {
            return Err(Invalid::Manifest(format!(
                "it names more than {DESCRIPTORS_MAX} blobs or manifests"
            )));
        }
        blobs.extend(layers.iter().filter(|l| !is_non_distributable(&l.media_type)).map(|l| l.digest));
        let config_type = document.config.as_ref().map(|c| c.media_type.clone()).filter(|t| !t.is_empty());
        Ok(Self {
            kind,
            blobs: each_once(blobs),
            children: each_once(children.iter().map(|c| c.digest).collect()),
            subject: document.subject.as_ref().map(|s| s.digest),
            artifact_type: document.artifact_type.filter(|t| !t.is_empty()).or(if index {
                None
            } else {
                config_type
            }),
            annotations: document.annotations.unwrap_or_default(),
        })
    }
}

impl Document {
    /// The one kind that the body is, by `mediaType`, else by the client's word, else by its fields.
    fn kind(&self, content_type: Option<&str>) -> Result<Kind, Invalid> {
        let invalid = |why: String| Err(Invalid::Manifest(why));
        if self.fs_layers.is_some() || self.schema_version == Some(1) {
            return invalid("it is of Docker's schema 1, which is not accepted any more".into());
        }
        if self.schema_version != Some(2) {
            return invalid("`schemaVersion` is not 2".into());
        }
        let of_image = self.layers.is_some() || self.config.is_some();
        if self.manifests.is_some() && of_image {
            return invalid("it has both `manifests` and `layers` or `config`".into());
        }
        let inner = self.media_type.as_deref().filter(|t| !t.is_empty());
        let outer = content_type.filter(|t| !t.is_empty() && !is_generic(t));
        if let (Some(inner), Some(outer)) = (inner, outer)
            && !inner.eq_ignore_ascii_case(outer)
        {
            return invalid(format!("its `mediaType` is {inner:?}, but its Content-Type is {outer:?}"));
        }
        let kind = match inner.or(outer) {
            Some(media_type) => match Kind::of(media_type) {
                Some(kind) => kind,
                None => return invalid(format!("the media type {media_type:?} is not one of a manifest")),
            },
            None if self.manifests.is_some() => Kind::OciIndex,
            None => Kind::OciImage,
        };
        // An absent list is an empty one: programs in Go write `null` for it.
        match kind.is_index() {
            true if of_image => invalid("an index with `config` or `layers`".into()),
            false if self.manifests.is_some() => invalid("an image manifest with `manifests`".into()),
            false if self.config.is_none() => invalid("an image manifest without `config`".into()),
            _ => Ok(kind),
        }
    }
}

/// Types that say nothing: what curl and old clients send when nobody tells them.
fn is_generic(content_type: &str) -> bool {
    ["application/json", "application/octet-stream", "application/x-www-form-urlencoded"]
        .iter()
        .any(|generic| generic.eq_ignore_ascii_case(content_type))
}

fn each_once(mut digests: Vec<Digest>) -> Vec<Digest> {
    let mut seen = std::collections::HashSet::with_capacity(digests.len());
    digests.retain(|digest| seen.insert(*digest));
    digests
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(c: char) -> String {
        format!("sha256:{}", c.to_string().repeat(64))
    }

    fn descriptor(media_type: &str, c: char) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":1}}"#, hex(c))
    }

    fn image(extra: &str) -> String {
        let (config, layer) =
            (descriptor("application/x.config", 'c'), descriptor("application/x.layer", 'a'));
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer},{layer}]{extra}}}"#)
    }

    #[test]
    fn an_image_names_its_blobs_once() {
        let manifest = Manifest::parse(image("").as_bytes(), None).unwrap();
        assert_eq!(manifest.kind, Kind::OciImage);
        assert_eq!(manifest.blobs, [hex('c').parse().unwrap(), hex('a').parse().unwrap()]);
        assert_eq!(manifest.artifact_type.as_deref(), Some("application/x.config"));
    }

    #[test]
    fn the_client_s_word_and_the_body_must_agree() {
        let oci = Kind::OciImage.media_type();
        let docker = Kind::DockerImage.media_type();
        let says_oci = image(&format!(r#","mediaType":"{oci}""#));
        assert!(Manifest::parse(says_oci.as_bytes(), Some(oci)).is_ok());
        assert!(Manifest::parse(says_oci.as_bytes(), Some(&format!("{oci}; charset=utf-8"))).is_ok());
        assert!(Manifest::parse(says_oci.as_bytes(), Some(docker)).is_err());
        assert!(Manifest::parse(image("").as_bytes(), Some(docker)).is_err(), "the bytes do not tell it");
        let says_docker = image(&format!(r#","mediaType":"{docker}""#));
        assert_eq!(Manifest::parse(says_docker.as_bytes(), Some(docker)).unwrap().kind, Kind::DockerImage);
    }

    #[test]
    fn what_could_be_two_kinds_is_refused() {
        for body in [
            image(r#","manifests":[]"#),
            image(r#","fsLayers":[]"#),
            image(r#","layers":[]"#),
            r#"{"schemaVersion":2}"#.to_owned(),
            r#"{"schemaVersion":1,"manifests":[]}"#.to_owned(),
            r#"{"manifests":[]}"#.to_owned(),
            "[]".to_owned(),
            String::new(),
            format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        ] {
            assert!(Manifest::parse(body.as_bytes(), None).is_err(), "{body:.80}");
        }
    }

    #[test]
    fn layers_that_live_elsewhere_need_not_be_here() {
        let foreign = descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", 'f');
        let body = format!(
            r#"{{"schemaVersion":2,"config":{},"layers":[{foreign}]}}"#,
            descriptor("application/x", 'c')
        );
        assert_eq!(Manifest::parse(body.as_bytes(), None).unwrap().blobs, [hex('c').parse().unwrap()]);
    }

    #[test]
    fn an_index_has_no_artifact_type_of_its_own_making() {
        let body = format!(
            r#"{{"schemaVersion":2,"manifests":[{}],"subject":{}}}"#,
            descriptor(Kind::OciImage.media_type(), 'a'),
            descriptor(Kind::OciImage.media_type(), 'b')
        );
        let manifest = Manifest::parse(body.as_bytes(), None).unwrap();
        assert_eq!((manifest.kind, manifest.artifact_type), (Kind::OciIndex, None));
        assert_eq!(manifest.subject, Some(hex('b').parse().unwrap()));
    }

    proptest! {
        #[test]
        fn never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Manifest::parse(&body, None);
        }
    }
}
