//! The kinds of manifest that are accepted, by their media types (image-spec, media-types.md, and Docker's
//! schema 2), and the layer types that need not be pushed.

/// A kind of manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// OCI image manifest; artifacts are packaged as one too.
    OciImage,
    /// OCI image index.
    OciIndex,
    /// Docker schema 2 image manifest.
    DockerImage,
    /// Docker manifest list.
    DockerList,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::OciImage, Self::OciIndex, Self::DockerImage, Self::DockerList];

    /// The media type, as it stands in `Content-Type`.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::OciImage => "application/vnd.oci.image.manifest.v1+json",
            Self::OciIndex => "application/vnd.oci.image.index.v1+json",
            Self::DockerImage => "application/vnd.docker.distribution.manifest.v2+json",
            Self::DockerList => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    /// The kind with this media type; parameters must be gone already.
    pub fn of(media_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.media_type().eq_ignore_ascii_case(media_type))
    }

    /// Whether it lists manifests, rather than a config and layers.
    pub fn is_index(self) -> bool {
        matches!(self, Self::OciIndex | Self::DockerList)
    }
}

/// Whether a layer of this type may stay where its `urls` point, so that a registry need not hold it
/// (image-spec, layer.md, "Non-Distributable Layers").
pub fn is_non_distributable(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
}

/// A `Content-Type` without its parameters (distribution-spec, "Pushing Manifests": they are ignored).
pub fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}
