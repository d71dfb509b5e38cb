//! What every backend of metadata must do for listings, as `contract.rs` says it for images: pages in the order of bytes,
//! from any place, whole or filtered.

use crate::metadata::contract::{ALL, digest_of, manifest, put, referrers, referring, repositories, tags};
use crate::metadata::open::Metadata;
use crate::oci::digest::Digest;
use crate::oci::page::Page;

/// Runs `$run!(name)` for every function below; the one list of them.
macro_rules! every_rule {
    ($run:ident) => {
        $run! {
            listing_contract;
            tags_are_paged, repositories_are_paged, referrers_are_paged_and_filtered, a_large_descriptor_is_left_out,
        }
    };
}
pub(crate) use every_rule;

fn page(entries_max: usize, last: &str) -> Page {
    Page { entries_max, last: Some(last.into()) }
}

pub async fn tags_are_paged(metadata: &Metadata) {
    put(metadata, "app", [manifest("m", &["b", "B", "_x", "a-1", "a", "a.b", "1"])]).await;
    let sorted = ["1", "B", "_x", "a", "a-1", "a.b", "b"];
    let read = |page: Page| async move { tags(metadata, "app", &page).await.unwrap() };
    assert_eq!(read(Page::first(ALL)).await, (sorted.map(String::from).to_vec(), false));
    assert_eq!(read(Page::first(7)).await, (sorted.map(String::from).to_vec(), false));
    assert_eq!(read(Page::first(2)).await, (vec!["1".into(), "B".into()], true));
    assert_eq!(read(page(2, "B")).await, (vec!["_x".into(), "a".into()], true));
    assert_eq!(read(page(4, "_x")).await, (sorted[3..].iter().map(|&tag| tag.into()).collect(), false));
    assert_eq!(read(page(1, "C, which is no tag")).await, (vec!["_x".into()], true));
    assert_eq!(read(page(ALL, "")).await.0.len(), 7);
    assert_eq!(read(page(ALL, "b")).await, (vec![], false));
    assert_eq!(read(page(ALL, "\u{10ffff}")).await, (vec![], false));
    assert_eq!(read(Page::first(0)).await, (vec![], false));
    // More than are read in one step.
    let many: Vec<String> = (0..700).map(|number| format!("n{number:04}")).collect();
    put(metadata, "app", [manifest("m", &many.iter().map(String::as_str).collect::<Vec<_>>())]).await;
    assert_eq!(read(page(699, "n")).await, (many[..699].to_vec(), true));
    assert_eq!(read(page(700, "n")).await, (many, false));
}

pub async fn repositories_are_paged(metadata: &Metadata) {
    for name in ["b/c", "b", "b-c", "a", "b/c/d"] {
        put(metadata, name, [manifest("m", &[])]).await;
    }
    let sorted = ["a", "b", "b-c", "b/c", "b/c/d"];
    assert_eq!(repositories(metadata, &Page::first(ALL)).await, (sorted.map(String::from).to_vec(), false));
    assert_eq!(repositories(metadata, &page(2, "b")).await, (vec!["b-c".into(), "b/c".into()], true));
    assert_eq!(repositories(metadata, &page(1, "b/c")).await, (vec!["b/c/d".into()], false));
    assert_eq!(repositories(metadata, &Page::first(0)).await, (vec![], false));
}

pub async fn referrers_are_paged_and_filtered(metadata: &Metadata) {
    let names: Vec<String> = (0..600).map(|number| format!("sig{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let kind = (number % 3 != 2).then_some(if number % 3 == 0 { "text/a" } else { "text/b" });
        put(metadata, "app", [referring(name, "m", kind, &format!("{{\"n\":{number}}}"))]).await;
    }
    put(metadata, "app", [referring("alien", "other", Some("text/a"), "{}")]).await;
    let mut digests: Vec<Digest> = names.iter().map(|name| digest_of(name)).collect();
    digests.sort();
    let (all, more) = referrers(metadata, "m", None, &Page::first(ALL)).await;
    assert_eq!((all.iter().map(|r| r.digest).collect::<Vec<_>>(), more), (digests, false));

    let (half, _) = referrers(metadata, "m", Some("text/a"), &Page::first(ALL)).await;
    assert_eq!(
        half,
        all.iter().filter(|r| r.artifact_type.as_deref() == Some("text/a")).cloned().collect::<Vec<_>>()
    );
    assert_eq!(half.len(), 200);
    let (first, more) = referrers(metadata, "m", Some("text/a"), &Page::first(150)).await;
    assert_eq!((first.as_slice(), more), (&half[..150], true));
    let after = page(50, &first[149].digest.to_string());
    assert_eq!(referrers(metadata, "m", Some("text/a"), &after).await, (half[150..].to_vec(), false));
    assert_eq!(referrers(metadata, "m", Some("text/none"), &Page::first(ALL)).await, (vec![], false));
    assert_eq!(referrers(metadata, "m", None, &Page::first(0)).await, (vec![], false));
    // Places between two referrers, and before and after all.
    assert_eq!(referrers(metadata, "m", None, &page(ALL, "sha255")).await.0.len(), 600);
    assert_eq!(referrers(metadata, "m", None, &page(ALL, "sha257")).await.0.len(), 0);
    let between = page(1, &digest_of("no referrer").to_string());
    let next = all.iter().find(|r| r.digest > digest_of("no referrer")).cloned();
    assert_eq!(referrers(metadata, "m", None, &between).await.0, Vec::from_iter(next));
}

pub async fn a_large_descriptor_is_left_out(metadata: &Metadata) {
    let (fits, large) = ("x".repeat(40 << 10), "y".repeat(50 << 10));
    put(metadata, "app", [referring("fits", "m", Some("text/a"), &fits)]).await;
    put(metadata, "app", [referring("large", "m", Some("text/b"), &large)]).await;
    let (listed, _) = referrers(metadata, "m", None, &Page::first(ALL)).await;
    let descriptor = |name| listed.iter().find(|r| r.digest == digest_of(name)).unwrap().descriptor.clone();
    assert!(descriptor("fits") == Some(fits));
    assert_eq!(descriptor("large"), None);
    assert_eq!(referrers(metadata, "m", Some("text/b"), &Page::first(ALL)).await.0.len(), 1);
}
