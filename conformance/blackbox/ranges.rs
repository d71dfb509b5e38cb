//! Ranges of a blob: a table of headers with their answers, random ranges against a slice, conditions.
//! It must not know how the server reads: only which bytes arrive.

use crate::testkit::chance::Chance;
use crate::testkit::client::{Client, get, head};
use crate::testkit::image::sha256_of;
use crate::testkit::server::{Running, fresh};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

fn with_blob(bytes: &[u8]) -> (Running, String) {
    let client = fresh();
    let digest = client.push_blob("app", bytes);
    let path = format!("/v2/app/blobs/{digest}");
    (client, path)
}

#[track_caller]
fn partial(client: &Client, path: &str, range: &str, whole: &[u8], from: usize, to: usize) {
    let answer = client.send(&get(path).header("Range", range)).expect(206);
    assert_eq!(answer.need("content-range"), format!("bytes {from}-{to}/{}", whole.len()), "{range}");
    assert_eq!(answer.need("content-length"), (to - from + 1).to_string(), "{range}");
    assert_eq!(answer.body, whole[from..=to], "{range}");
}

#[test]
fn satisfiable_ranges_are_206() {
    let whole = Chance::seeded(7).bytes(1000);
    let (client, path) = with_blob(&whole);
    for (range, from, to) in [
        ("bytes=0-0", 0, 0),
        ("bytes=5-9", 5, 9),
        ("bytes=999-999", 999, 999),
        ("bytes=0-999", 0, 999),
        ("bytes=0-", 0, 999),
        ("bytes=10-", 10, 999),
        ("bytes=-5", 995, 999),
        ("bytes=-1000", 0, 999),
        ("bytes=-5000", 0, 999),
        ("bytes=900-1000", 900, 999),
        ("bytes=0-99999999999", 0, 999),
        ("bytes=007-0009", 7, 9),
    ] {
        partial(&client, &path, range, &whole, from, to);
    }
}

#[test]
fn backwards_and_unsatisfiable_ranges_are_416() {
    let whole = Chance::seeded(8).bytes(1000);
    let (client, path) = with_blob(&whole);
    for range in ["bytes=9-5", "bytes=1000-", "bytes=1000-1000", "bytes=5000-6000", "bytes=-0", "bytes=999-0"]
    {
        let answer = client.send(&get(&path).header("Range", range));
        assert_eq!(answer.status, 416, "{range}: {answer}");
        assert_eq!(answer.need("content-range"), "bytes */1000", "{range}");
    }
    let (client, path) = with_blob(b"");
    let answer = client.send(&get(&path).header("Range", "bytes=0-")).expect(416);
    assert_eq!(answer.need("content-range"), "bytes */0");
}

#[test]
fn unreadable_ranges_are_ignored() {
    let whole = Chance::seeded(9).bytes(1000);
    let (client, path) = with_blob(&whole);
    for range in [
        "bytes=abc",
        "bytes=",
        "bytes",
        "bytes=-",
        "bytes=a-5",
        "bytes=5-b",
        "bytes=0x0-5",
        "bytes=1.0-5",
        "items=0-5",
        "0-5",
        "bytes=0-5,10-15",
        "bytes=--5",
        "bytes=+1-5",
        "bytes 0-5",
        "bytes=1-2-3",
    ] {
        let answer = client.send(&get(&path).header("Range", range));
        assert_eq!((answer.status, answer.body.len()), (200, whole.len()), "{range}: {answer}");
        assert_eq!(answer.body, whole);
    }
}

#[test]
fn a_range_beyond_any_number_does_no_harm() {
    let whole = Chance::seeded(10).bytes(1000);
    let (client, path) = with_blob(&whole);
    for range in
        ["bytes=0-18446744073709551616", "bytes=18446744073709551616-", "bytes=-18446744073709551616"]
    {
        let answer = client.send(&get(&path).header("Range", range));
        assert!([200, 206, 416].contains(&answer.status), "{range}: {answer}");
        if answer.status != 416 {
            assert_eq!(answer.body, whole, "{range}");
        }
    }
}

#[test]
fn a_head_is_whole_whatever_its_range() {
    let (client, path) = with_blob(&[7; 1000]);
    let answer = client.send(&head(&path).header("Range", "bytes=5-9"));
    assert!(answer.body.is_empty());
    assert_eq!((answer.status, answer.need("content-length")), (200, "1000"));
}

#[test]
fn if_range_takes_the_range_only_of_the_same_blob() {
    let whole = Chance::seeded(11).bytes(1000);
    let (client, path) = with_blob(&whole);
    let digest = sha256_of(&whole);
    let same = get(&path).header("Range", "bytes=5-9").header("If-Range", format!("\"{digest}\""));
    assert_eq!(client.send(&same).expect(206).body, whole[5..=9]);
    let other = get(&path).header("Range", "bytes=5-9").header("If-Range", "\"another\"");
    assert_eq!(client.send(&other).expect(200).body, whole);
}

#[test]
fn random_ranges_of_a_large_blob_are_its_slices() {
    let whole = Chance::seeded(12).bytes(3 * 1024 * 1024 + 1);
    let (client, path) = with_blob(&whole);
    let last = whole.len() - 1;
    let near_edges = prop_oneof![0..=last, (0..=last / 65536).prop_map(|n| n * 65536), Just(last)];
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() });
    runner
        .run(&(near_edges.clone(), near_edges), |(a, b)| {
            let (from, to) = (a.min(b), a.max(b));
            partial(&client, &path, &format!("bytes={from}-{to}"), &whole, from, to);
            partial(&client, &path, &format!("bytes={from}-"), &whole, from, last);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_download_goes_on_where_it_was_cut() {
    let whole = Chance::seeded(13).bytes(2_000_000);
    let (client, path) = with_blob(&whole);
    let mut connection = client.connect();
    connection.send_head(&get(&path)).unwrap();
    connection.answer_head().unwrap().expect(200);
    let mut have = connection.exactly(700_001).unwrap();
    connection.cut();
    let rest = client.send(&get(&path).header("Range", format!("bytes={}-", have.len()))).expect(206);
    have.extend(rest.body);
    assert_eq!(sha256_of(&have), sha256_of(&whole));
}
