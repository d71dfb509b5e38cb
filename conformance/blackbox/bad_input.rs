//! What bad input gets, first half: names, tags, digests, methods and paths. Every refusal has the specification's
//! code, leaves nothing behind, and leaves the connection usable. Bodies are in bad_bodies.rs.

use crate::testkit::client::{Connection, Request, delete, get, head, post, put, request};
use crate::testkit::disk::files;
use crate::testkit::image::{blob, digest_of, image};
use crate::testkit::push::{closing, put_manifest};
use crate::testkit::server::{Running, fresh};

/// Sends a request that must be refused so, and shows that the connection still serves.
#[track_caller]
fn refused_and_usable(connection: &mut Connection, request: &Request, status: u16, code: &str) {
    let answer = connection.exchange(request).unwrap_or_else(|e| panic!("{request:?}: {e}"));
    assert_eq!(answer.status, status, "{request:?}: {answer}");
    assert_eq!(answer.codes(), [code], "{request:?}: {answer}");
    assert!(!answer.json()["errors"][0]["message"].as_str().unwrap_or_default().is_empty(), "{answer}");
    let next = connection.exchange(&get("/v2/")).unwrap_or_else(|e| panic!("after {request:?}: {e}"));
    assert_eq!(next.status, 200, "after {request:?}: {next}");
}

/// Nothing is in the catalog, and nothing in storage under any repository's name.
#[track_caller]
fn nothing_stored(client: &Running) {
    assert!(client.catalog().is_empty());
    let stored = files(&client.home.registry());
    assert!(stored.is_empty(), "left in storage: {stored:?}");
}

/// Every request that names a repository.
fn naming(repo: &str) -> Vec<Request> {
    let digest = digest_of("base");
    vec![
        get(format!("/v2/{repo}/tags/list")),
        get(format!("/v2/{repo}/manifests/1")),
        get(format!("/v2/{repo}/manifests/{digest}")),
        get(format!("/v2/{repo}/blobs/{digest}")),
        get(format!("/v2/{repo}/referrers/{digest}")),
        delete(format!("/v2/{repo}/manifests/1")),
        delete(format!("/v2/{repo}/blobs/{digest}")),
        post(format!("/v2/{repo}/blobs/uploads/")),
        post(format!("/v2/{repo}/blobs/uploads/?digest={digest}")).body(blob("base")),
        put_manifest(repo, "1", &image([])),
    ]
}

#[test]
fn names_outside_the_grammar() {
    let client = fresh();
    let mut connection = client.connect();
    let long = "a".repeat(256);
    let long_path = format!("{}/{}", "a".repeat(200), "b".repeat(55));
    let names = [
        "App",
        "app/Top",
        "..",
        "../app",
        "app/..",
        "app/../top",
        "./app",
        ".",
        "app//top",
        "/app",
        "app/",
        ".app",
        "app.",
        "-app",
        "app-",
        "_app",
        "app_",
        "a..b",
        "a___b",
        "a.-b",
        "a_.b",
        "app%2ftop",
        "app%2Ftop",
        "%65pp",
        "app%00",
        "app%20top",
        "%2e%2e",
        "%2e%2e/%2e%2e/etc",
        "a@b",
        "a:b",
        "a,b",
        "a*",
        "a~b",
        "a+b",
        long.as_str(),
        long_path.as_str(),
    ];
    for name in names {
        for request in naming(name) {
            refused_and_usable(&mut connection, &request, 400, "NAME_INVALID");
        }
        assert_eq!(
            connection.exchange(&head(format!("/v2/{name}/manifests/1"))).unwrap().status,
            400,
            "{name}"
        );
    }
    nothing_stored(&client);
}

#[test]
fn names_that_are_not_even_text() {
    let client = fresh();
    for raw in [
        &b"/v2/\xc3\xa4pp/tags/list"[..],
        b"/v2/\xff\xfe/tags/list",
        b"/v2/a\x7fb/tags/list",
        b"/v2/a\\b/tags/list",
    ] {
        let answer = client.send(&get(raw));
        assert_eq!(answer.status, 400, "{}: {answer}", String::from_utf8_lossy(raw));
    }
    nothing_stored(&client);
}

#[test]
fn names_inside_the_grammar_up_to_255() {
    let client = fresh();
    let one = "a".repeat(255);
    let parts = format!("{}/{}", "a".repeat(127), "b".repeat(127));
    let deep = ["a"; 128].join("/");
    let names = [
        "a",
        "0",
        "a--b",
        "a---b/c__d.e_f",
        "manifests",
        "blobs/uploads",
        "tags/list",
        "v2",
        one.as_str(),
        parts.as_str(),
        deep.as_str(),
    ];
    for name in names {
        client.push(name, "1", &image(["base"]));
        assert!(client.has_manifest(name, "1"), "{name}");
        assert!(client.has_blob(name, &digest_of("base")), "{name}");
        assert_eq!(client.tags(name), ["1"], "{name}");
    }
    let mut expected = names.map(str::to_owned).to_vec();
    expected.sort_unstable();
    assert_eq!(client.catalog(), expected);
}

#[test]
fn a_source_of_a_mount_outside_the_grammar_mounts_nothing() {
    let client = fresh();
    client.push_blob("from", &blob("base"));
    for from in ["..", "FROM", "../from", "a//b", "%2e%2e"] {
        let path = format!("/v2/to/blobs/uploads/?mount={}&from={from}", digest_of("base"));
        let answer = client.send(&post(path));
        assert!(matches!(answer.status, 202 | 400), "{from}: {answer}");
        assert!(!client.has_blob("to", &digest_of("base")), "{from}");
    }
}

#[test]
fn tags_outside_the_grammar() {
    let client = fresh();
    let app = image(["base"]);
    client.push_parts("app", &app);
    let before = files(&client.home.registry());
    let mut connection = client.connect();
    let long = "a".repeat(129);
    for tag in [".x", "-x", "a%20b", "a%2fb", "a+b", "%61", "..", "@x", "a@b", long.as_str()] {
        let path = format!("/v2/app/manifests/{tag}");
        for request in [get(&path), delete(&path), put_manifest("app", tag, &app)] {
            refused_and_usable(&mut connection, &request, 400, "MANIFEST_INVALID");
        }
        assert_eq!(connection.exchange(&head(&path)).unwrap().status, 400, "{tag}");
    }
    assert_eq!(files(&client.home.registry()), before);
    let longest = "a".repeat(128);
    for tag in ["_", "A.b-c_D", longest.as_str()] {
        client.push("app", tag, &app);
        assert!(client.has_manifest("app", tag), "{tag}");
    }
}

/// Digests that are none, or of an algorithm that nobody knows.
fn bad_digests() -> Vec<String> {
    let hex = digest_of("base").trim_start_matches("sha256:").to_owned();
    [
        format!("sha256:{}", hex.to_uppercase()),
        format!("sha256:{}", &hex[..63]),
        format!("sha256:{hex}0"),
        format!("sha256:{}g", &hex[..63]),
        format!("sha512:{hex}"),
        format!("md5:{}", &hex[..32]),
        format!("sha1:{}", &hex[..40]),
        format!("blake9:{hex}"),
        format!("SHA256:{hex}"),
        "sha256:".to_owned(),
        format!(":{hex}"),
        format!("sha256:{hex}:{hex}"),
        format!("sha256:{}..", &hex[..62]),
    ]
    .to_vec()
}

#[test]
fn malformed_digests_and_unknown_algorithms() {
    let client = fresh();
    let mut connection = client.connect();
    for digest in bad_digests() {
        for request in [
            get(format!("/v2/app/blobs/{digest}")),
            delete(format!("/v2/app/blobs/{digest}")),
            get(format!("/v2/app/manifests/{digest}")),
            delete(format!("/v2/app/manifests/{digest}")),
            put_manifest("app", &digest, &image([])),
            get(format!("/v2/app/referrers/{digest}")),
            post(format!("/v2/app/blobs/uploads/?digest={digest}")).body(blob("base")),
            post(format!("/v2/app/blobs/uploads/?mount={digest}&from=other")),
        ] {
            refused_and_usable(&mut connection, &request, 400, "DIGEST_INVALID");
        }
        assert_eq!(
            connection.exchange(&head(format!("/v2/app/blobs/{digest}"))).unwrap().status,
            400,
            "{digest}"
        );
    }
    for digest in ["base", "sha256", "sha256-abc"] {
        for path in [format!("/v2/app/blobs/{digest}"), format!("/v2/app/referrers/{digest}")] {
            refused_and_usable(&mut connection, &get(path), 400, "DIGEST_INVALID");
        }
    }
    for algorithm in ["md5", "sha1", "SHA256", "sha256:"] {
        let path = format!("/v2/app/blobs/uploads/?digest-algorithm={algorithm}");
        refused_and_usable(&mut connection, &post(path), 400, "DIGEST_INVALID");
    }
    nothing_stored(&client);
}

#[test]
fn an_upload_closed_with_no_digest_or_a_malformed_one_goes_on() {
    let client = fresh();
    let location = client.open_upload("app");
    let mut connection = client.connect();
    refused_and_usable(&mut connection, &put(&location).body(blob("base")), 400, "DIGEST_INVALID");
    for digest in bad_digests() {
        refused_and_usable(&mut connection, &put(closing(&location, &digest)), 400, "DIGEST_INVALID");
    }
    nothing_stored(&client);
}

#[test]
fn uploads_that_do_not_exist() {
    let client = fresh();
    let mut connection = client.connect();
    for id in
        ["3f2b7a52-8d1c-4a9e-9c3e-0f4b5a6c7d8e", "not-a-uuid", "00000000-0000-0000-0000-000000000000", "..."]
    {
        let path = format!("/v2/app/blobs/uploads/{id}");
        for request in [
            get(&path),
            request("PATCH", &path).body(b"x"),
            put(closing(&path, &digest_of("base"))),
            delete(&path),
        ] {
            refused_and_usable(&mut connection, &request, 404, "BLOB_UPLOAD_UNKNOWN");
        }
    }
    nothing_stored(&client);
}

#[test]
fn wrong_methods_are_405_with_allow() {
    let client = fresh();
    let mut connection = client.connect();
    let digest = digest_of("base");
    let upload = client.open_upload("app");
    for (path, wrong, right) in [
        ("/v2/".to_owned(), &["POST", "PUT", "DELETE", "PATCH"][..], &["GET"][..]),
        ("/v2/_catalog".to_owned(), &["POST", "DELETE"], &["GET"]),
        ("/v2/app/tags/list".to_owned(), &["POST", "PUT", "DELETE"], &["GET"]),
        (format!("/v2/app/referrers/{digest}"), &["PUT", "DELETE"], &["GET"]),
        ("/v2/app/manifests/1".to_owned(), &["POST", "PATCH", "BREW"], &["GET", "HEAD", "PUT", "DELETE"]),
        (format!("/v2/app/blobs/{digest}"), &["POST", "PUT", "PATCH"], &["GET", "HEAD", "DELETE"]),
        ("/v2/app/blobs/uploads/".to_owned(), &["PUT", "PATCH", "DELETE"], &["POST"]),
        (upload, &["POST", "BREW"], &["GET", "PATCH", "PUT", "DELETE"]),
    ] {
        for method in wrong {
            let answer =
                connection.exchange(&request(method, &path).body(b"")).unwrap().refused(405, "UNSUPPORTED");
            let allowed = answer.members("allow");
            assert!(
                right.iter().all(|m| allowed.iter().any(|a| a == m)),
                "{method} {path}: Allow: {allowed:?}"
            );
            assert!(
                !allowed.iter().any(|a| wrong.contains(&a.as_str())),
                "{method} {path}: Allow: {allowed:?}"
            );
        }
    }
}

#[test]
fn unknown_paths_are_404() {
    let client = fresh();
    let mut connection = client.connect();
    for path in [
        "/nothing",
        "/v1/",
        "/v3/",
        "/v2/app",
        "/v2/app/manifests",
        "/v2/app/tags",
        "/v2/app/tags/all",
        "/v2/app/nothing/1",
    ] {
        let answer = connection.exchange(&get(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!(answer.status, 404, "{path}: {answer}");
    }
    assert_eq!(connection.exchange(&get("/v2/")).unwrap().status, 200);
}

#[test]
fn what_is_not_http_gets_400_and_the_server_goes_on() {
    let client = fresh();
    for raw in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n"[..],
        b"nonsense\r\n\r\n",
        b"GET /v2/ HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"PUT /v2/app/manifests/1 HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"PUT /v2/app/manifests/1 HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"PUT /v2/app/manifests/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
        b"GET /v2/ HTTP/1.1\r\nbroken header\r\n\r\n",
    ] {
        let mut connection = client.connect();
        connection.write(raw).unwrap();
        let _ = connection.cut_writing();
        let told = String::from_utf8_lossy(&connection.read_to_end().unwrap_or_default()).into_owned();
        assert!(
            told.is_empty() || told.starts_with("HTTP/1.1 4"),
            "{:?}: {told}",
            String::from_utf8_lossy(raw)
        );
        client.send(&get("/v2/")).expect(200);
    }
    nothing_stored(&client);
}

#[test]
fn a_head_that_is_refused_has_no_body() {
    let client = fresh();
    let mut connection = client.connect();
    for path in ["/v2/BAD/manifests/1", "/v2/app/manifests/1", "/v2/app/blobs/sha256:bad"] {
        connection.exchange(&head(path)).unwrap();
        let next = connection.exchange(&get("/v2/")).unwrap();
        assert_eq!(next.status, 200, "HEAD {path} left bytes on the wire: {next}");
    }
}
