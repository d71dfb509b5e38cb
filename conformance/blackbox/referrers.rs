//! Referrers: subjects, their listing, filter and pages, and lists that older clients pushed under the fallback
//! tag. It must not know other listings: those are in listing.rs.

use crate::testkit::client::{delete, get};
use crate::testkit::image::{
    Manifest, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, artifact, digest_of, image, index,
};
use crate::testkit::server::fresh;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SBOM: &str = "application/vnd.example.sbom.v1+json";
const SIGNATURE: &str = "application/vnd.example.signature.v1";

fn digests(descriptors: &[Value]) -> BTreeSet<String> {
    descriptors.iter().map(|d| d["digest"].as_str().unwrap().to_owned()).collect()
}

fn set<const N: usize>(manifests: [&Manifest; N]) -> BTreeSet<String> {
    manifests.iter().map(|m| m.digest.clone()).collect()
}

#[test]
fn a_subject_is_acknowledged_and_listed() {
    let client = fresh();
    let app = image(["base"]);
    client.push("app", "1", &app);
    let sbom = artifact(SBOM, "sbom").about(&app).annotated("org.example.format", "json");
    let done = client.push("app", &sbom.digest, &sbom);
    assert_eq!(done.need("oci-subject"), app.digest);

    let answer = client.send(&get(format!("/v2/app/referrers/{}", app.digest))).expect(200);
    assert_eq!(answer.need("content-type"), OCI_INDEX);
    assert!(answer.header("oci-filters-applied").is_none());
    let json = answer.json();
    assert_eq!((&json["schemaVersion"], &json["mediaType"]), (&json!(2), &json!(OCI_INDEX)));
    let listed = json["manifests"].as_array().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["mediaType"], OCI_MANIFEST);
    assert_eq!(listed[0]["digest"], json!(sbom.digest));
    assert_eq!(listed[0]["size"], json!(sbom.bytes.len()));
    assert_eq!(listed[0]["artifactType"], SBOM);
    assert_eq!(listed[0]["annotations"], json!({"org.example.format": "json"}));
}

#[test]
fn without_an_artifact_type_the_config_tells_it() {
    let client = fresh();
    let app = image(["base"]);
    let attached = image(["attached"]).about(&app);
    client.push("app", "1", &app);
    client.push("app", "attached", &attached);
    let listed = client.referrers("app", &app.digest);
    assert_eq!(listed[0]["artifactType"], OCI_CONFIG);
    let empty = image(["other"]).edited(|json| {
        json.insert("artifactType".to_owned(), json!(""));
    });
    let empty = empty.about(&app);
    client.push("app", "other", &empty);
    let listed = client.referrers("app", &app.digest);
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|d| d["artifactType"] == OCI_CONFIG), "{listed:?}");
}

#[test]
fn an_index_may_have_a_subject() {
    let client = fresh();
    let app = image(["base"]);
    client.push("app", "1", &app);
    let plain = index([image(["a"])]).about(&app);
    let typed = index([image(["b"])]).about(&app).edited(|json| {
        json.insert("artifactType".to_owned(), json!(SBOM));
    });
    for manifest in [&plain, &typed] {
        let done = client.push("app", &manifest.digest, manifest);
        assert_eq!(done.need("oci-subject"), app.digest);
    }
    let listed = client.referrers("app", &app.digest);
    assert_eq!(digests(&listed), set([&plain, &typed]));
    for descriptor in &listed {
        assert_eq!(descriptor["mediaType"], OCI_INDEX);
        let expected = (descriptor["digest"] == json!(typed.digest)).then(|| json!(SBOM));
        assert_eq!(descriptor.get("artifactType").cloned(), expected, "{descriptor}");
    }
}

#[test]
fn the_subject_may_come_later_or_never() {
    let client = fresh();
    let app = image(["base"]);
    let sbom = artifact(SBOM, "sbom").about(&app);
    let done = client.push("app", &sbom.digest, &sbom);
    assert_eq!(done.need("oci-subject"), app.digest);
    assert_eq!(digests(&client.referrers("app", &app.digest)), set([&sbom]));
    client.push("app", "1", &app);
    assert_eq!(digests(&client.referrers("app", &app.digest)), set([&sbom]));
}

#[test]
fn nothing_refers_to_an_unknown_digest() {
    let client = fresh();
    client.push("app", "1", &image(["base"]));
    let answer = client.send(&get(format!("/v2/app/referrers/{}", digest_of("unknown")))).expect(200);
    assert_eq!(answer.need("content-type"), OCI_INDEX);
    assert_eq!(answer.json()["manifests"], json!([]));
    let filtered = format!("/v2/app/referrers/{}?artifactType={SBOM}", digest_of("unknown"));
    assert_eq!(client.send(&get(filtered)).expect(200).json()["manifests"], json!([]));
}

#[test]
fn a_filter_is_applied_and_told() {
    let client = fresh();
    let app = image(["base"]);
    client.push("app", "1", &app);
    let sboms = [artifact(SBOM, "one").about(&app), artifact(SBOM, "two").about(&app)];
    let signature = artifact(SIGNATURE, "three").about(&app);
    for manifest in sboms.iter().chain([&signature]) {
        client.push("app", &manifest.digest, manifest);
    }
    for (kind, expected) in [
        (SBOM.replace('+', "%2B"), set([&sboms[0], &sboms[1]])),
        (SIGNATURE.to_owned(), set([&signature])),
        (SIGNATURE.replace('/', "%2F"), set([&signature])),
        ("application/vnd.example.nothing".to_owned(), BTreeSet::new()),
    ] {
        let path = format!("/v2/app/referrers/{}?artifactType={kind}", app.digest);
        let answer = client.send(&get(path)).expect(200);
        assert_eq!(answer.need("oci-filters-applied"), "artifactType");
        assert_eq!(digests(answer.json()["manifests"].as_array().unwrap()), expected, "{kind}");
    }
}

#[test]
fn many_referrers_come_in_pages() {
    let client = fresh();
    let app = image(["base"]);
    client.push("app", "1", &app);
    // Annotations count in the answer: 40 of 120 KiB each must not come as one page of 4.8 MiB.
    let note = "n".repeat(120 * 1024);
    let mut expected = BTreeSet::new();
    for at in 0..40 {
        let manifest =
            artifact(SBOM, "sbom").about(&app).annotated("at", &at.to_string()).annotated("note", &note);
        client.push("app", &manifest.digest, &manifest);
        expected.insert(manifest.digest);
    }
    let listed = client.referrers("app", &app.digest);
    assert_eq!(listed.len(), expected.len(), "each referrer once");
    assert_eq!(digests(&listed), expected);
    let first = client.send(&get(format!("/v2/app/referrers/{}", app.digest))).expect(200);
    assert!(
        first.body.len() <= 4 * 1024 * 1024,
        "a page of {} bytes is more than a client takes",
        first.body.len()
    );
    assert!(first.header("link").is_some());
    let filtered =
        client.send(&get(format!("/v2/app/referrers/{}?artifactType=application%2Fother", app.digest)));
    assert_eq!(filtered.expect(200).json()["manifests"], json!([]));
}

#[test]
fn referrers_stay_in_their_repository() {
    let client = fresh();
    let app = image(["base"]);
    let sbom = artifact(SBOM, "sbom").about(&app);
    client.push("here", &sbom.digest, &sbom);
    client.push("there", "1", &app);
    assert!(client.referrers("there", &app.digest).is_empty());
}

#[test]
fn a_deleted_referrer_is_listed_no_more() {
    let client = fresh();
    let app = image(["base"]);
    let (one, two) = (artifact(SBOM, "one").about(&app), artifact(SBOM, "two").about(&app));
    client.push("app", "1", &app);
    client.push("app", &one.digest, &one);
    client.push("app", "tagged", &two);
    client.send(&delete(format!("/v2/app/manifests/{}", one.digest))).expect(202);
    assert_eq!(digests(&client.referrers("app", &app.digest)), set([&two]));
    client.send(&delete("/v2/app/manifests/tagged")).expect(202);
    assert_eq!(digests(&client.referrers("app", &app.digest)), set([&two]), "untagged is not deleted");
    client.send(&delete(format!("/v2/app/manifests/{}", app.digest))).expect(202);
    assert_eq!(
        digests(&client.referrers("app", &app.digest)),
        set([&two]),
        "the subject went, its referrer did not"
    );
}

/// The list that a client without the referrers API keeps under `sha256-<hex>`.
fn fallback_list(subject: &Manifest, referrers: &[&Manifest]) -> (String, Manifest) {
    let described: Vec<Value> = referrers.iter().map(|m| m.descriptor()).collect();
    let list = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": described});
    (subject.digest.replace(':', "-"), Manifest::of(&list))
}

#[test]
fn a_list_under_the_fallback_tag_is_folded_in_once() {
    let client = fresh();
    let app = image(["base"]);
    client.push("app", "1", &app);
    let (one, two) = (artifact(SBOM, "one").about(&app), artifact(SBOM, "two").about(&app));
    client.push("app", &one.digest, &one);
    client.push("app", &two.digest, &two);
    let (tag, list) = fallback_list(&app, &[&one, &two]);
    client.push("app", &tag, &list);
    let listed = client.referrers("app", &app.digest);
    assert_eq!(listed.len(), 2, "no referrer twice: {listed:?}");
    assert_eq!(digests(&listed), set([&one, &two]));
    assert_eq!(client.manifest("app", &tag).body, list.bytes, "the older client still finds its list");
}
