//! What `holdfast inspect` shows to people: one line a fact, one table a list.

use crate::cli::inspected::{Inspected, Listed, ManifestView};
use crate::cli::table::{size, table, time};
use crate::upstream::error::printable;
use crate::upstream::image_config::{ImageConfig, Step};
use crate::upstream::look::CHILDREN_MAX;
use std::collections::BTreeMap;

/// All that is known, and the history if it is wanted.
pub fn text(inspected: &Inspected, with_history: bool) -> String {
    let manifest = &inspected.manifest;
    let mut page = Page(vec![printable(&inspected.reference)]);
    page.manifest(manifest);
    if let Some(image) = &manifest.image {
        page.image(image);
    }
    page.pairs("annotations", &manifest.annotations);
    page.index(&manifest.manifests);
    page.layers(manifest);
    if with_history {
        page.history(manifest);
    }
    if let Some(referrers) = &inspected.referrers {
        page.referrers(referrers);
    }
    page.0.join("\n")
}

struct Page(Vec<String>);

impl Page {
    fn line(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0.push(format!("{name:<12}{}", printable(value)));
        }
    }

    fn list(&mut self, name: &str, lines: &str) {
        self.0.push(format!("\n{name}"));
        self.0.extend(lines.lines().map(|line| format!("  {line}")));
    }

    fn pairs(&mut self, name: &str, pairs: &BTreeMap<String, String>) {
        if !pairs.is_empty() {
            let lines: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{} = {}", printable(key), printable(value)))
                .collect();
            self.list(name, &lines.join("\n"));
        }
    }

    fn manifest(&mut self, manifest: &ManifestView) {
        self.line("digest", &manifest.digest.to_string());
        self.line("kind", &format!("{}, {}", manifest.kind, manifest.media_type));
        self.line("artifact", manifest.artifact_type.as_deref().unwrap_or_default());
        self.line("problem", manifest.problem.as_deref().unwrap_or_default());
        self.line(
            "size",
            &format!("{} in all, {} of manifest", size(manifest.size_bytes), size(manifest.manifest_bytes)),
        );
        self.line("platforms", &manifest.platforms.join(", "));
        self.line("created", &manifest.created.as_deref().map(time).unwrap_or_default());
        self.line("subject", &manifest.subject.map(|subject| subject.to_string()).unwrap_or_default());
        if let Some(config) = &manifest.config {
            self.line("config", &format!("{}, {}", config.digest, size(config.size_bytes)));
        }
    }

    fn image(&mut self, image: &ImageConfig) {
        let run = &image.run;
        self.line("author", image.author.as_deref().unwrap_or_default());
        self.line("user", run.user.as_deref().unwrap_or_default());
        self.line("entrypoint", &words(&run.entrypoint));
        self.line("command", &words(&run.cmd));
        self.line("folder", run.working_dir.as_deref().unwrap_or_default());
        self.line("ports", &run.exposed_ports.join(", "));
        self.line("volumes", &run.volumes.join(", "));
        self.line("stopped by", run.stop_signal.as_deref().unwrap_or_default());
        if !run.env.is_empty() {
            let lines: Vec<String> = run.env.iter().map(|line| printable(line)).collect();
            self.list("environment", &lines.join("\n"));
        }
        self.pairs("labels", &run.labels);
    }

    fn index(&mut self, manifests: &[Listed]) {
        if manifests.is_empty() {
            return;
        }
        let rows: Vec<[String; 5]> = manifests
            .iter()
            .map(|listed| {
                let platform = listed.platform.as_ref().map(ToString::to_string).unwrap_or_default();
                let (kind, bytes, created) = match &listed.manifest {
                    Some(manifest) => (
                        manifest.kind.to_owned(),
                        size(manifest.size_bytes),
                        manifest.created.as_deref().map(time),
                    ),
                    None => ("?".to_owned(), String::new(), None),
                };
                [platform, kind, bytes, created.unwrap_or_default(), listed.digest.to_string()]
            })
            .collect();
        self.list("manifests", &table(["PLATFORM", "KIND", "SIZE", "CREATED", "DIGEST"], &rows));
        if manifests.iter().any(|listed| listed.manifest.is_none()) {
            self.0.push(format!(
                "  (?: this registry does not have that manifest, or it is beyond the first {CHILDREN_MAX})"
            ));
        }
    }

    fn layers(&mut self, manifest: &ManifestView) {
        if manifest.layers.is_empty() {
            return;
        }
        let rows: Vec<[String; 3]> = manifest
            .layers
            .iter()
            .map(|layer| [size(layer.size_bytes), layer.digest.to_string(), layer.media_type.clone()])
            .collect();
        self.list("layers", &table(["SIZE", "DIGEST", "TYPE"], &rows));
    }

    fn history(&mut self, manifest: &ManifestView) {
        let steps = manifest.image.as_ref().map(|image| image.history.as_slice()).unwrap_or_default();
        // The steps that made a layer stand in the order of the layers.
        let mut layers = manifest.layers.iter();
        let rows: Vec<[String; 3]> = steps
            .iter()
            .map(|step| {
                let made = if step.empty_layer { None } else { layers.next() };
                let created = step.created.as_deref().map(time).unwrap_or_default();
                [created, made.map(|layer| size(layer.size_bytes)).unwrap_or_default(), told(step)]
            })
            .collect();
        if rows.is_empty() {
            self.list("history", "none is told");
        } else {
            self.list("history", &table(["CREATED", "SIZE", "BY"], &rows));
        }
    }

    fn referrers(&mut self, referrers: &[Listed]) {
        let rows: Vec<[String; 3]> = referrers
            .iter()
            .map(|one| {
                let kind = one.artifact_type.as_ref().unwrap_or(&one.media_type).clone();
                [kind, one.manifest_bytes.to_string(), one.digest.to_string()]
            })
            .collect();
        if rows.is_empty() {
            self.list("referrers", "none");
        } else {
            self.list("referrers", &table(["TYPE", "BYTES", "DIGEST"], &rows));
        }
    }
}

fn told(step: &Step) -> String {
    let by = step.created_by.as_deref().unwrap_or_default();
    let comment = step.comment.as_deref().filter(|comment| !comment.is_empty());
    // The whole command is in --json; here it stays on its line.
    let by: String = by.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect();
    comment.map_or_else(|| by.clone(), |comment| format!("{by} ({comment})"))
}

/// Words as they would be typed.
fn words(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let plain =
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c));
        if plain { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_as_they_would_be_typed() {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(words(&owned(&["/bin/sh", "-c", "echo it's", ""])), r"/bin/sh -c 'echo it'\''s' ''");
        assert_eq!(words(&[]), "");
    }

    #[test]
    fn a_step_stays_on_one_line() {
        let step = Step {
            created_by: Some("RUN a\n\t&& b".into()),
            comment: Some("buildkit".into()),
            ..Step::default()
        };
        assert_eq!(told(&step), "RUN a && b (buildkit)");
    }
}
