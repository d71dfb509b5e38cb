//! Fixtures that read like a drawing: `image(["base", "top"])`, `index([a, b])`, `artifact("sbom").about(&a)`.
//! Bytes follow from names and digests from bytes; nothing here is typed in by hand. It must not know the wire.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha512};

/// Media types, as the specifications spell them.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// `sha256:<hex>` of these bytes.
pub fn sha256_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// `sha512:<hex>` of these bytes.
pub fn sha512_of(bytes: &[u8]) -> String {
    format!("sha512:{}", hex(&Sha512::digest(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The bytes of the blob with this symbolic name.
pub fn blob(name: &str) -> Vec<u8> {
    format!("the bytes of {name}\n").repeat(40).into_bytes()
}

/// The digest of the blob with this symbolic name.
pub fn digest_of(name: &str) -> String {
    sha256_of(&blob(name))
}

/// A descriptor of these bytes.
pub fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": sha256_of(bytes), "size": bytes.len()})
}

/// A manifest with everything that must be there before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What the Content-Type says.
    pub media_type: String,
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub digest: String,
    /// The blobs that it names.
    pub blobs: Vec<Vec<u8>>,
    /// The manifests that it names.
    pub children: Vec<Manifest>,
}

impl Manifest {
    /// A manifest of exactly these bytes.
    pub fn raw(media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let digest = sha256_of(&bytes);
        Self { media_type: media_type.to_owned(), bytes, digest, blobs: Vec::new(), children: Vec::new() }
    }

    /// A manifest of this JSON.
    pub fn of(json: &Value) -> Self {
        let media_type = json["mediaType"].as_str().unwrap_or(OCI_MANIFEST);
        Self::raw(media_type, serde_json::to_vec(json).expect("JSON prints"))
    }

    /// The manifest as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("a manifest is JSON")
    }

    /// The same manifest, changed.
    pub fn edited(self, edit: impl FnOnce(&mut Map<String, Value>)) -> Self {
        let mut json = self.json();
        edit(json.as_object_mut().expect("a manifest is an object"));
        let bytes = serde_json::to_vec(&json).expect("JSON prints");
        let digest = sha256_of(&bytes);
        Self { bytes, digest, ..self }
    }

    /// Makes it a referrer of another manifest.
    pub fn about(self, subject: &Manifest) -> Self {
        let subject = subject.descriptor();
        self.edited(|json| {
            json.insert("subject".to_owned(), subject);
        })
    }

    /// Adds an annotation.
    pub fn annotated(self, key: &str, value: &str) -> Self {
        self.edited(|json| {
            let all = json.entry("annotations").or_insert_with(|| json!({}));
            all[key] = json!(value);
        })
    }

    /// Its descriptor.
    pub fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

fn built(json: &Value, blobs: Vec<Vec<u8>>) -> Manifest {
    Manifest { blobs, ..Manifest::of(json) }
}

fn config_for(layers: &[&str]) -> Vec<u8> {
    let config = json!({"architecture": "amd64", "os": "linux", "made_of": layers,
        "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|l| digest_of(l)).collect::<Vec<_>>()}});
    serde_json::to_vec(&config).expect("JSON prints")
}

fn layered(kinds: [&str; 3], layers: &[&str]) -> Manifest {
    let [manifest, config_kind, layer_kind] = kinds;
    let config = config_for(layers);
    let mut blobs = vec![config.clone()];
    blobs.extend(layers.iter().map(|name| blob(name)));
    let described: Vec<Value> = layers.iter().map(|name| descriptor(layer_kind, &blob(name))).collect();
    let json = json!({"schemaVersion": 2, "mediaType": manifest,
        "config": descriptor(config_kind, &config), "layers": described});
    built(&json, blobs)
}

/// An OCI image of these layers.
pub fn image<const N: usize>(layers: [&str; N]) -> Manifest {
    layered([OCI_MANIFEST, OCI_CONFIG, OCI_LAYER], &layers)
}

/// A Docker schema2 image of these layers.
pub fn docker_image<const N: usize>(layers: [&str; N]) -> Manifest {
    layered([DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER], &layers)
}

fn listed(kind: &str, children: impl Into<Vec<Manifest>>) -> Manifest {
    let children: Vec<Manifest> = children.into();
    let platforms = ["amd64", "arm64", "riscv64", "s390x"];
    let described: Vec<Value> = children
        .iter()
        .enumerate()
        .map(|(at, child)| {
            let mut json = child.descriptor();
            json["platform"] = json!({"os": "linux", "architecture": platforms[at % platforms.len()]});
            json
        })
        .collect();
    let json = json!({"schemaVersion": 2, "mediaType": kind, "manifests": described});
    Manifest { children, ..Manifest::of(&json) }
}

/// An OCI index of these manifests.
pub fn index<const N: usize>(children: [Manifest; N]) -> Manifest {
    listed(OCI_INDEX, children)
}

/// A Docker manifest list of these manifests.
pub fn docker_list<const N: usize>(children: [Manifest; N]) -> Manifest {
    listed(DOCKER_LIST, children)
}

/// An artifact: an OCI manifest with an artifact type, the empty config and one layer of that name.
pub fn artifact(artifact_type: &str, layer: &str) -> Manifest {
    let empty = b"{}".to_vec();
    let json = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type,
        "config": descriptor(OCI_EMPTY, &empty), "layers": [descriptor("application/octet-stream", &blob(layer))]});
    built(&json, vec![empty, blob(layer)])
}
