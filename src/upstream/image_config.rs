//! An image's configuration (image-spec, config.md): how it runs and how it came to be. Read to be shown: what is absent
//! or odd is left out, and the registry's bytes can be had as they are.

use crate::upstream::document::Platform;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A configuration. It is written in `snake_case`, as everything that commands print.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// When it was made, as it stands there.
    #[serde(deserialize_with = "lenient")]
    pub created: Option<String>,
    /// By whom.
    #[serde(deserialize_with = "lenient")]
    pub author: Option<String>,
    /// What it runs on.
    #[serde(flatten)]
    pub platform: Platform,
    /// How it runs.
    #[serde(rename(deserialize = "config"), deserialize_with = "lenient")]
    pub run: Run,
    /// How it came to be, oldest step first.
    #[serde(deserialize_with = "lenient")]
    pub history: Vec<Step>,
}

/// How an image runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all(deserialize = "PascalCase"))]
pub struct Run {
    /// As whom.
    #[serde(deserialize_with = "lenient")]
    pub user: Option<String>,
    /// What is started.
    #[serde(deserialize_with = "lenient")]
    pub entrypoint: Vec<String>,
    /// With which arguments.
    #[serde(deserialize_with = "lenient")]
    pub cmd: Vec<String>,
    /// In which folder.
    #[serde(deserialize_with = "lenient")]
    pub working_dir: Option<String>,
    /// In which environment, `NAME=value`.
    #[serde(deserialize_with = "lenient")]
    pub env: Vec<String>,
    /// Ports it listens on.
    #[serde(deserialize_with = "names")]
    pub exposed_ports: Vec<String>,
    /// Folders that outlive it.
    #[serde(deserialize_with = "names")]
    pub volumes: Vec<String>,
    /// How it is stopped.
    #[serde(deserialize_with = "lenient")]
    pub stop_signal: Option<String>,
    /// Labels.
    #[serde(deserialize_with = "lenient")]
    pub labels: BTreeMap<String, String>,
}

/// One step of the making of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// When.
    #[serde(deserialize_with = "lenient")]
    pub created: Option<String>,
    /// By which command.
    #[serde(deserialize_with = "lenient")]
    pub created_by: Option<String>,
    /// A remark.
    #[serde(deserialize_with = "lenient")]
    pub comment: Option<String>,
    /// Whether it made no layer.
    #[serde(deserialize_with = "lenient")]
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Reads a configuration; `None` if it is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// A value of another type than it should have counts as absent: a registry takes any configuration.
fn lenient<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned + Default>(
    from: D,
) -> Result<T, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// The names of a set, which is written as an object with empty values.
fn names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value.as_object().map(|set| set.keys().cloned().collect()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_and_written_in_snake_case() {
        let json = r#"{"created":"2026-01-02T03:04:05Z","architecture":"amd64","os":"linux","rootfs":{},
            "config":{"User":"app","Env":["A=b"],"Entrypoint":null,"Cmd":["x"],"ExposedPorts":{"80/tcp":{}},
                      "WorkingDir":"/w","Labels":{"k":"v"}},
            "history":[{"created_by":"COPY","empty_layer":true},{}]}"#;
        let config = ImageConfig::read(json.as_bytes()).unwrap();
        assert_eq!(config.platform.to_string(), "linux/amd64");
        assert_eq!(config.run.exposed_ports, ["80/tcp"]);
        assert_eq!((config.run.entrypoint.len(), config.history.len()), (0, 2));
        let written = serde_json::to_value(&config).unwrap();
        assert_eq!(written["run"]["working_dir"], "/w");
        assert_eq!(written["history"][0]["empty_layer"], true);
        assert_eq!(written["architecture"], "amd64");
    }

    #[test]
    fn what_is_odd_is_left_out_and_the_rest_is_kept() {
        let json =
            r#"{"created":7,"os":"linux","config":{"Cmd":"sh -c x","Labels":[],"User":"u"},"history":{}}"#;
        let config = ImageConfig::read(json.as_bytes()).unwrap();
        assert_eq!(config.created, None);
        assert_eq!((config.run.cmd.len(), config.run.user.as_deref()), (0, Some("u")));
        assert_eq!(ImageConfig::read(b"[]"), None);
        assert_eq!(ImageConfig::read(b"{}"), Some(ImageConfig::default()));
        assert_eq!(ImageConfig::read(br#"{"config":null,"history":null}"#), Some(ImageConfig::default()));
    }
}
