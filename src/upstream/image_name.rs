//! The name of an image as people write it: `[HOST[:PORT]/]NAME[:TAG|@DIGEST]`, by docker's rule for what is a host.
//! It must not know how a registry is reached.

use crate::oci::digest::Digest;
use crate::oci::error::shortened;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::upstream::address::Address;
use crate::upstream::error::Error;
use std::fmt;

/// A name of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// The host that it begins with.
    pub host: Option<String>,
    /// The repository.
    pub repository: Repository,
    /// The tag that it names.
    pub tag: Option<Tag>,
    /// The digest that it names.
    pub digest: Option<Digest>,
}

impl ImageName {
    /// Reads a name. With a `server` the name is one of that server: a host before it is only taken off if it is the
    /// server's own.
    pub fn parse(text: &str, server: Option<&Address>) -> Result<Self, Error> {
        let refused =
            |why: &str| Error::Given(format!("{:?} does not name an image: {why}", shortened(text)));
        if text.contains("://") {
            return Err(refused(
                "write it as docker does, HOST[:PORT]/NAME[:TAG], and a scheme with --server",
            ));
        }
        let (host, rest) = split_host(text, server);
        let (rest, digest) = split_digest(rest).map_err(|why| refused(&why))?;
        let after_slash = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest.get(after_slash..).and_then(|last| last.find(':')) {
            Some(colon) => {
                let (name, tag) = rest.split_at(after_slash + colon);
                (name, Some(tag.trim_start_matches(':').parse::<Tag>().map_err(|e| refused(&e.to_string()))?))
            }
            None => (rest, None),
        };
        let is_hub = |host: &str| Address::parse(host).is_ok_and(|address| address.is_hub());
        let hub = server.is_some_and(Address::is_hub) || host.is_some_and(is_hub);
        let name = if hub && !name.contains('/') { format!("library/{name}") } else { name.to_owned() };
        let repository = name.parse::<Repository>().map_err(|e| refused(&e.to_string()))?;
        Ok(Self { host: host.map(str::to_owned), repository, tag, digest })
    }

    /// The same name as the registry itself would write it.
    #[must_use]
    pub fn without_host(&self) -> Self {
        Self { host: None, ..self.clone() }
    }

    /// What to ask the registry for: the digest if there is one, else the tag, else `latest`.
    pub fn reference(&self) -> Result<Reference, Error> {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Ok(Reference::Digest(*digest)),
            (None, Some(tag)) => Ok(Reference::Tag(tag.clone())),
            (None, None) => "latest".parse().map(Reference::Tag).map_err(|e| Error::Given(e.to_string())),
        }
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}/")?;
        }
        self.repository.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

/// Takes off the host that a name begins with: what stands before the first `/`, if it has a dot or a colon or is
/// `localhost`, as no namespace of a registry that docker can reach has.
pub fn split_host<'a>(text: &'a str, server: Option<&Address>) -> (Option<&'a str>, &'a str) {
    let Some((first, rest)) = text.split_once('/') else { return (None, text) };
    let is_host = match server {
        Some(server) => server.is_named(first),
        None => first == "localhost" || first.contains(['.', ':']),
    };
    if is_host { (Some(first), rest) } else { (None, text) }
}

/// Takes off `@DIGEST`, or `:ALGORITHM:HEX` as docker-rm writes it.
fn split_digest(text: &str) -> Result<(&str, Option<Digest>), String> {
    let parts = text.split_once('@').or_else(|| {
        let hex = text.rfind(':')?;
        let algorithm = text.get(..hex)?.rfind(':')?;
        let after_slash = text.rfind('/').is_none_or(|slash| slash < algorithm);
        after_slash.then(|| {
            (text.get(..algorithm).unwrap_or_default(), text.get(algorithm + 1..).unwrap_or_default())
        })
    });
    match parts {
        Some((name, digest)) => Ok((name, Some(digest.parse::<Digest>().map_err(|e| e.to_string())?))),
        None => Ok((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> (Option<String>, String, Option<String>, bool) {
        let name = ImageName::parse(text, None).unwrap();
        let tag = name.tag.map(|tag| tag.to_string());
        (name.host, name.repository.to_string(), tag, name.digest.is_some())
    }

    fn hex() -> String {
        format!("sha256:{}", "a".repeat(64))
    }

    #[test]
    fn a_host_is_told_from_a_namespace_as_docker_does() {
        let owned = |text: &str| Some(text.to_owned());
        assert_eq!(parsed("app"), (None, "app".into(), None, false));
        assert_eq!(parsed("team/app:1.0"), (None, "team/app".into(), owned("1.0"), false));
        assert_eq!(parsed("localhost/app"), (owned("localhost"), "app".into(), None, false));
        assert_eq!(
            parsed("localhost:5000/a/b:1"),
            (owned("localhost:5000"), "a/b".into(), owned("1"), false)
        );
        assert_eq!(parsed("r.example.com/app"), (owned("r.example.com"), "app".into(), None, false));
        assert_eq!(parsed(&format!("[::1]:5/a@{}", hex())), (owned("[::1]:5"), "a".into(), None, true));
        assert_eq!(parsed(&format!("a/b:1@{}", hex())), (None, "a/b".into(), owned("1"), true));
        assert_eq!(
            parsed(&format!("a/b:{}", hex())),
            (None, "a/b".into(), None, true),
            "as docker-rm writes it"
        );
    }

    #[test]
    fn the_hub_s_own_images_are_in_library() {
        assert_eq!(parsed("docker.io/nginx:1").1, "library/nginx");
        assert_eq!(parsed("docker.io/team/app").1, "team/app");
        let hub = Address::parse("docker.io").unwrap();
        assert_eq!(ImageName::parse("nginx", Some(&hub)).unwrap().repository.as_str(), "library/nginx");
    }

    #[test]
    fn with_a_server_only_its_own_host_is_taken_off() {
        let server = Address::parse("https://r.example.com").unwrap();
        let name = |text| {
            ImageName::parse(text, Some(&server)).map(|n| (n.host.is_some(), n.repository.to_string()))
        };
        assert_eq!(name("r.example.com/app"), Ok((true, "app".into())));
        assert_eq!(name("docker.io/app"), Ok((false, "docker.io/app".into())), "a mirror's namespace");
        assert!(name("other.example.com:5000/app").is_err());
    }

    #[test]
    fn what_names_no_image_is_refused() {
        for bad in [
            "",
            ":1",
            "a:",
            "a@",
            "a@sha256:1",
            "a:b:c",
            "A",
            "a//b",
            "https://r/a",
            "a:1:2:3",
            "a b",
            "r.example.com/",
        ] {
            assert!(matches!(ImageName::parse(bad, None), Err(Error::Given(_))), "{bad:?}");
        }
    }

    #[test]
    fn without_tag_and_digest_it_is_latest() {
        assert_eq!(ImageName::parse("app", None).unwrap().reference().unwrap().to_string(), "latest");
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(
            host in proptest::option::of("[a-z]{1,5}\\.example(:[1-9][0-9]{0,3})?"),
            name in "[a-z0-9]{1,5}(/[a-z0-9]{1,5}){0,2}",
            tag in proptest::option::of("[a-zA-Z0-9_]{1,9}"),
            digest in proptest::option::of(proptest::array::uniform32(any::<u8>())),
        ) {
            let digest = digest.map(|hash| Digest::new(crate::oci::digest::Algorithm::Sha256, &hash).unwrap());
            let repository = name.parse().unwrap();
            let tag = tag.map(|tag| tag.parse().unwrap());
            let name = ImageName { host, repository, tag, digest };
            prop_assert_eq!(ImageName::parse(&name.to_string(), None).unwrap(), name);
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = ImageName::parse(&text, None);
        }
    }
}
