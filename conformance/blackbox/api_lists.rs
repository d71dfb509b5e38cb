//! Lists of the admin API and the catalog: pages without gap or repeat, bounded, and of nothing that the caller may not
//! see.

use crate::testkit::accounts::{guarded, user};
use crate::testkit::client::{Client, get};
use crate::testkit::disk::Layout;
use crate::testkit::image::image;
use crate::testkit::server::{Home, Running, running};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// All entries of a list, page by page.
#[track_caller]
fn walked(client: Client, path: &str, n: usize) -> Vec<Value> {
    let (mut all, mut last) = (Vec::new(), None::<String>);
    for _ in 0..10_000 {
        let after = last.as_ref().map_or(String::new(), |last| format!("&last={}", escaped(last)));
        let page = client.api("GET", &format!("{path}?n={n}{after}"), None).expect(200).json();
        let entries = page["entries"].as_array().unwrap();
        assert!(entries.len() <= n, "{path}");
        all.extend(entries.iter().cloned());
        match page.get("next") {
            None => return all,
            Some(next) => {
                assert_ne!(last.as_deref(), next.as_str(), "{path} goes nowhere");
                last = Some(next.as_str().expect("a text").to_owned());
            }
        }
    }
    panic!("{path} does not end");
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

/// Seven of everything.
fn sevens() -> Running {
    let server = guarded();
    let admin = server.admin();
    for n in 0..7 {
        admin.api("POST", "/users", Some(&json!({ "name": format!("u{n}@ü") }))).expect(201);
        admin.api("POST", "/groups", Some(&json!({ "name": format!("g{n}") }))).expect(201);
        admin.api("POST", "/service-accounts", Some(&json!({ "name": format!("s{n}") }))).expect(201);
        admin.grant(&user("u1@ü"), &format!("r{n}/**"), &["pull"]);
        admin.push(&format!("repo/r{n}"), "1", &image(["base"]));
        admin.push("tagged", &format!("t{n}"), &image(["base"]));
    }
    server
}

#[test]
fn every_list_is_walked_without_gap_or_repeat_and_its_pages_are_bounded() {
    let server = sevens();
    let admin = server.admin();
    for (path, count) in [
        ("/users", 8),
        ("/groups", 7),
        ("/service-accounts", 7),
        ("/grants", 7),
        ("/repositories", 8),
        ("/repositories/tagged/-/tags", 7),
    ] {
        let whole = walked(admin, path, 1000);
        assert_eq!(whole.len(), count, "{path}");
        let names: BTreeSet<String> =
            whole.iter().map(|e| e["name"].as_str().or(e["id"].as_str()).unwrap().to_owned()).collect();
        assert_eq!(names.len(), count, "{path}");
        for n in [1, 2, 3, count, count + 1] {
            assert_eq!(walked(admin, path, n), whole, "{path} by {n}");
        }
        for n in ["0", "1001", "-1", "x", "1.5", "99999999999999999999999"] {
            admin.api("GET", &format!("{path}?n={n}"), None).refused(400, "INVALID");
        }
        assert_eq!(
            admin.api("GET", path, None).expect(200).json()["entries"].as_array().unwrap().len(),
            count
        );
        let after = admin.api("GET", &format!("{path}?last=zzzz"), None).expect(200).json();
        assert_eq!(after, json!({ "entries": [] }), "{path}");
        // Where one was removed meanwhile, the list goes on.
        let between = admin.api("GET", &format!("{path}?last={}", escaped("!")), None);
        assert_eq!(between.expect(200).json()["entries"].as_array().unwrap().len(), count, "{path}");
        for last in ["%00", "%ff", &"x".repeat(4000), "%7Esealed-by-nobody", "../../etc"] {
            assert_eq!(admin.api("GET", &format!("{path}?last={last}"), None).status, 200, "{path} {last}");
        }
    }
    for path in ["/users", "/groups", "/service-accounts", "/repositories"] {
        let found = admin.api("GET", &format!("{path}?search=3"), None).expect(200).json();
        assert_eq!(found["entries"].as_array().unwrap().len(), 1, "{path}");
    }
}

/// As many repositories, written where a server will find them.
fn many(count: usize) -> Running {
    let home = Home::new().with_accounts();
    let layout = Layout(home.registry());
    let image = image(["base"]);
    layout.manifest("aaa/first", &image);
    layout.tag_link("aaa/first", "1", &image.digest);
    for n in 0..count {
        let name = format!("hidden{:02}/r{n:05}", n % 50);
        layout.revision_link(&name, &image.digest);
        layout.tag_link(&name, "1", &image.digest);
    }
    running(home)
}

#[test]
fn a_caller_with_few_rights_walks_three_thousand_repositories_and_learns_no_other_name() {
    let server = many(3000);
    let admin = server.admin();
    let few = admin.new_user("few");
    for repository in ["aaa/first", "hidden49/r02999", "hidden17/r00017", "hidden17/none"] {
        admin.grant(&user("few"), repository, &["pull"]);
    }
    let seen = ["aaa/first", "hidden17/r00017", "hidden49/r02999"];
    assert_eq!(admin.listing("/v2/_catalog?n=1000", "repositories").len(), 3001);
    for first in ["/v2/_catalog", "/v2/_catalog?n=1", "/v2/_catalog?n=2", "/v2/_catalog?n=1000"] {
        let (mut next, mut found, mut pages) = (Some(first.to_owned()), Vec::new(), 0);
        while let Some(path) = next {
            let answer = few.send(&get(&path)).expect(200);
            assert!(answer.body.len() < 4096, "{answer}");
            for entry in answer.json()["repositories"].as_array().unwrap() {
                found.push(entry.as_str().unwrap().to_owned());
            }
            let link = answer.header("link").unwrap_or_default().to_owned();
            let told = link.split("hidden").count() - 1;
            assert!(seen.iter().any(|name| link.contains(&name.replace('/', "%2F"))) || told == 0, "{link}");
            next = crate::testkit::push::next_page(&answer);
            pages += 1;
            assert!(pages < 20, "it does not end");
        }
        assert_eq!(found, seen, "{first}");
    }
    let names =
        |found: Vec<Value>| found.iter().map(|e| e["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    for n in [1, 2, 1000] {
        assert_eq!(names(walked(few, "/repositories", n)), seen);
    }
    assert_eq!(names(walked(admin, "/repositories", 1000)).len(), 3001);
    // Nobody with no rights at all gets the same: an end, and no names.
    let nobody = admin.new_user("nobody");
    assert_eq!(nobody.catalog(), [""; 0]);
    assert_eq!(walked(nobody, "/repositories", 10), [Value::Null; 0]);
    let token = few.token(&["registry:catalog:*"]);
    assert_eq!(server.bearer(&token).catalog(), seen);
}
