//! One decision for every route: for drawn rules, grants and accounts, all ways to read a repository agree with
//! `acl explain`; and who may not pull cannot tell what is there from what is not.

use crate::testkit::accounts::{guarded, guarded_with, minted, service, user};
use crate::testkit::answer::Answer;
use crate::testkit::chance::Chance;
use crate::testkit::client::{Client, Request, get, head, post, request};
use crate::testkit::image::{OCI_MANIFEST, artifact, blob, digest_of, image, sha256_of};
use crate::testkit::server::{Home, Running};
use serde_json::json;
use std::collections::BTreeSet;

const HELD: [&str; 6] = ["team/app", "team/lib", "u1/own", "secret/app", "x", "deep/er/team/app"];
const ABSENT: &str = "team/nothing";
const USERS: [&str; 4] = ["u0", "u1", "u2", "u3"];

fn pick<'a, const N: usize>(chance: &mut Chance, among: [&'a str; N]) -> &'a str {
    among[chance.below(N)]
}

/// Rules in docker_auth's language. The first lets everybody push to `inbox`, for mounts; and pull nothing there.
fn drawn_rules(chance: &mut Chance) -> String {
    let mut rules = "[[acl]]\nmatch = { name = \"inbox/app\" }\nactions = [\"push\"]\n".to_owned();
    for _ in 0..chance.below(7) {
        let mut fields = Vec::new();
        if chance.below(3) > 0 {
            let account = pick(chance, ["u0", "u?", "/^u[12]$/", "", "s0", "/^(.+)$/"]);
            fields.push(format!("account = {account:?}"));
        }
        if chance.below(3) > 0 {
            let name = pick(chance, ["team/*", "**/app", "secret/**", "${account}/*", "x", "/^team/", "*"]);
            fields.push(format!("name = {name:?}"));
        }
        if chance.below(4) == 0 {
            fields.push(format!("ip = {:?}", pick(chance, ["127.0.0.0/8", "10.0.0.0/8"])));
        }
        if chance.below(4) == 0 {
            fields.push(format!("group = {:?}", pick(chance, ["g0", "g1", "/^g/"])));
        }
        let actions = pick(chance, ["\"pull\"", "\"push\"", "\"*\"", "", "\"pull\", \"push\""]);
        if fields.is_empty() && actions.is_empty() {
            continue;
        }
        let fields = fields.join(", ");
        rules.extend(["[[acl]]\nmatch = { ", &fields, " }\nactions = [", actions, "]\n"]);
    }
    rules
}

fn drawn_grants(admin: Client, chance: &mut Chance) {
    for _ in 0..chance.below(8) {
        let subject = match chance.below(6) {
            0 => json!({ "kind": "anonymous" }),
            1 => json!({ "kind": "everyone" }),
            2 => json!({ "kind": "group", "name": pick(chance, ["g0", "g1"]) }),
            3 => service("s0"),
            _ => user(pick(chance, USERS)),
        };
        let repository = pick(chance, ["**", "team/*", "team/app", "*", "deep/**", "u1/**", "secret/*"]);
        let actions: &[&str] =
            [&["pull"][..], &["push"], &["delete"], &["pull", "push", "delete"]][chance.below(4)];
        admin.grant(&subject, repository, actions);
    }
}

/// A registry with repositories, each with a layer of its own, and accounts in groups; the secret of `s0`.
fn prepared(chance: &mut Chance) -> (Running, String) {
    let rules = drawn_rules(chance);
    println!("{rules}");
    let server = guarded_with(Home::new().config(&rules));
    let admin = server.admin();
    for repository in HELD {
        let made = image([]).annotated("of", repository);
        admin.push(repository, "1", &made);
        admin.push_blob(repository, &blob(repository));
        admin.push(repository, "about", &artifact("application/x.note", "note").about(&made));
    }
    for name in USERS {
        admin.new_user(name);
    }
    admin.api("POST", "/service-accounts", Some(&json!({ "name": "s0" }))).expect(201);
    let (_, secret) = minted(&admin.api("POST", "/service-accounts/s0/secrets", Some(&json!({}))));
    for group in ["g0", "g1"] {
        admin.api("POST", "/groups", Some(&json!({ "name": group }))).expect(201);
        for name in USERS.into_iter().chain(["s0"]) {
            if chance.below(3) == 0 {
                admin.api("PUT", &format!("/groups/{group}/members/{name}"), None).expect(204);
            }
        }
    }
    drawn_grants(admin, chance);
    (server, secret)
}

/// All ways to read a repository, but for mounts and lists.
fn reads(repository: &str) -> Vec<Request> {
    let manifest = image([]).annotated("of", repository).digest;
    let layer = digest_of(repository);
    let (v2, api) = (format!("/v2/{repository}"), format!("/api/v1/repositories/{repository}"));
    vec![
        get(format!("{v2}/manifests/1")),
        head(format!("{v2}/manifests/1")),
        get(format!("{v2}/manifests/{manifest}")),
        get(format!("{v2}/blobs/{layer}")),
        head(format!("{v2}/blobs/{layer}")),
        get(format!("{v2}/blobs/{layer}")).header("Range", "bytes=3-9"),
        get(format!("{v2}/tags/list")),
        get(format!("{v2}/tags/list?n=1&last=0")),
        get(format!("{v2}/referrers/{manifest}")),
        get(&api),
        get(format!("{api}/-/tags")),
        get(format!("{api}/-/tags/1")),
        get(format!("{api}/-/manifests/{manifest}")),
    ]
}

struct Caller {
    what: String,
    anonymous: bool,
    client: Client,
}

impl Caller {
    /// Every way to read agrees with `may`.
    #[track_caller]
    fn reads_as_told(&self, repository: &str, may: bool) {
        let held = HELD.contains(&repository);
        for call in reads(repository) {
            // The admin API is for accounts.
            let api = format!("{call:?}").contains("/api/v1/");
            let answer = self.client.send(&call);
            let what = || format!("{} on {repository}, {may}: {call:?}: {answer}", self.what);
            match (may && !(api && self.anonymous), held) {
                (true, true) => assert!(matches!(answer.status, 200 | 206), "{}", what()),
                // An absent subject has no referrers, which is no error.
                (true, false) => assert!(matches!(answer.status, 404 | 200), "{}", what()),
                (false, _) if self.anonymous => assert_eq!(answer.status, 401, "{}", what()),
                (false, _) => assert!(matches!(answer.status, 401 | 403), "{}", what()),
            }
        }
        for from in [format!("&from={repository}"), String::new()] {
            let layer = digest_of(repository);
            let answer = self.client.send(&post(format!("/v2/inbox/app/blobs/uploads/?mount={layer}{from}")));
            let expected = if may && held { 201 } else { 202 };
            assert_eq!(answer.status, expected, "{} mounts {repository} {from:?}: {answer}", self.what);
        }
    }

    #[track_caller]
    fn lists(&self, expected: &BTreeSet<String>) {
        let listed: BTreeSet<String> = self.client.catalog().into_iter().collect();
        assert_eq!(&listed, expected, "the catalog of {}", self.what);
        if self.anonymous {
            return;
        }
        let page = self.client.send(&get("/api/v1/repositories?n=1000")).expect(200).json();
        let names = page["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["name"].as_str().unwrap().to_owned());
        assert_eq!(&names.collect::<BTreeSet<_>>(), expected, "the list of {}", self.what);
    }
}

fn explained(admin: Client, account: &str, repository: &str) -> bool {
    let path =
        format!("/acl/explain?account={account}&action=pull&repository={repository}&address=127.0.0.1");
    admin.api("GET", &path, None).expect(200).json()["allowed"].as_bool().unwrap()
}

fn scopes(repositories: &[&str]) -> Vec<String> {
    let pulls = repositories.iter().map(|name| format!("repository:{name}:pull"));
    pulls.chain(["repository:inbox/app:push".into(), "registry:catalog:*".into()]).collect()
}

fn exchanged(server: &Running, what: &str, client: Client, anonymous: bool) -> Caller {
    let all: Vec<&str> = HELD.into_iter().chain([ABSENT]).collect();
    let scopes = scopes(&all);
    let token = client.token(&scopes.iter().map(String::as_str).collect::<Vec<_>>());
    Caller { what: format!("{what}, exchanged"), anonymous, client: server.bearer(&token) }
}

/// One drawn world: each account, by each of its credentials. Gives how often somebody might pull, and might not.
fn world(seed: u64) -> [usize; 2] {
    println!("seed {seed}");
    let mut answers = [0, 0];
    let mut chance = Chance::seeded(seed);
    let (server, secret) = prepared(&mut chance);
    let admin = server.admin();
    for name in USERS.into_iter().chain(["s0", ""]) {
        let may: BTreeSet<&str> = HELD
            .into_iter()
            .chain([ABSENT])
            .filter(|repository| explained(admin, name, repository))
            .collect();
        answers[0] += may.len();
        answers[1] += HELD.len() + 1 - may.len();
        let client = match name {
            "" => *server,
            "s0" => server.login("s0", &secret),
            _ => server.login(name, &format!("password of {name}")),
        };
        let plain = Caller { what: format!("{name:?}"), anonymous: name.is_empty(), client };
        let by_token = exchanged(&server, &plain.what, client, name.is_empty());
        let mut callers = vec![(plain, may.clone()), (by_token, may.clone())];
        if name.starts_with('u') {
            // `api`, since minting itself is not in question here; the ceiling bounds all the same.
            let globs = ["team/*", "inbox/app", pick(&mut chance, ["x", "**/app", "secret/*"])];
            let within = |repository: &&str| {
                let last = match globs[2] {
                    "**/app" => repository.ends_with("/app"),
                    "secret/*" => repository.starts_with("secret/"),
                    exact => *repository == exact,
                };
                last || repository.starts_with("team/")
            };
            let bounded: BTreeSet<&str> = may.iter().copied().filter(within).collect();
            let ceiling = json!({ "repositories": globs, "actions": ["pull", "push"] });
            let (_, token) = client.mint(&json!({ "description": "bounded", "ceiling": ceiling }));
            let what = format!("a token of {name} for {globs:?}");
            let shown = Caller { what: what.clone(), anonymous: false, client: server.bearer(&token) };
            let as_password =
                Caller { what: what.clone(), anonymous: false, client: server.login(name, &token) };
            callers.push((exchanged(&server, &what, server.login(name, &token), false), bounded.clone()));
            callers.extend([(shown, bounded.clone()), (as_password, bounded)]);
        }
        for (caller, may) in callers {
            for repository in HELD.into_iter().chain([ABSENT]) {
                caller.reads_as_told(repository, may.contains(repository));
            }
            let held: BTreeSet<String> =
                may.iter().filter(|name| HELD.contains(name)).map(ToString::to_string).collect();
            if !(caller.anonymous && caller.client.authorization.is_none()) {
                caller.lists(&held);
            }
        }
    }
    answers
}

#[test]
fn all_ways_to_read_agree_with_explain() {
    // Some seeds that are always tried, and one that is new each time.
    let told = [1, 2].map(world);
    let [may, may_not] = [0, 1].map(|which| told.iter().map(|answers| answers[which]).sum::<usize>());
    assert!(may >= 10 && may_not >= 10, "worlds that try nothing: {may} and {may_not}");
    world(Chance::fresh_seed());
}

/// What is asked of a repository by somebody who has no right there; `digest` may be in it or not.
fn probes(repository: &str, tag: &str, digest: &str) -> Vec<Request> {
    let (v2, api) = (format!("/v2/{repository}"), format!("/api/v1/repositories/{repository}"));
    let mut all = Vec::new();
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        for path in [format!("{v2}/manifests/{tag}"), format!("{v2}/manifests/{digest}")] {
            let call = request(method, path).header("Accept", OCI_MANIFEST);
            all.push(if method == "PUT" {
                call.header("Content-Type", OCI_MANIFEST).body("{}")
            } else {
                call
            });
        }
        if method != "PUT" {
            all.push(request(method, format!("{v2}/blobs/{digest}")));
        }
    }
    all.extend([
        get(format!("{v2}/blobs/{digest}")).header("Range", "bytes=0-1"),
        get(format!("{v2}/manifests/{tag}")).header("If-None-Match", format!("\"{digest}\"")),
        get(format!("{v2}/tags/list")),
        get(format!("{v2}/referrers/{digest}")),
        post(format!("{v2}/blobs/uploads/")),
        post(format!("{v2}/blobs/uploads/?digest={digest}")),
        post(format!("{v2}/blobs/uploads/?mount={digest}&from=bob/app")),
        get(&api),
        request("DELETE", &api),
        get(format!("{api}/-/tags")),
        get(format!("{api}/-/tags/{tag}")),
        request("DELETE", format!("{api}/-/tags/{tag}")),
        get(format!("{api}/-/manifests/{digest}")),
        request("DELETE", format!("{api}/-/manifests/{digest}")),
    ]);
    all
}

#[track_caller]
fn alike(what: &str, one: &Answer, other: &Answer, hide: &[&str]) {
    assert_eq!(one.seen(hide), other.seen(hide), "{what}");
}

#[test]
fn who_may_not_pull_cannot_tell_what_is_there() {
    let server = guarded();
    let admin = server.admin();
    let made = image(["base", "private layer"]);
    admin.push("private/here", "1", &made);
    let bob = admin.new_user("bob");
    admin.grant(&user("bob"), "bob/**", &["pull", "push", "delete"]);
    bob.push("bob/app", "1", &image(["bob's"]));
    let (_, bounded) = admin
        .mint(&json!({ "ceiling": { "repositories": ["bob/**"], "actions": ["pull", "push", "delete"] } }));
    let all = "repository:private/here:pull,push,delete&scope=repository:private/none:pull,push,delete";
    let token = bob.token_reply(&format!("&scope={all}"))["token"].as_str().unwrap().to_owned();
    let nobody = server.token_reply(&format!("&scope={all}"))["token"].as_str().unwrap().to_owned();
    let absent = sha256_of(b"nobody has this");
    let layer = digest_of("private layer");
    let callers = [
        ("a stranger", *server),
        ("bob", bob),
        ("bob's token", server.bearer(&token)),
        ("nobody's token", server.bearer(&nobody)),
        ("a bounded token of the administrator", server.bearer(&bounded)),
    ];
    for (who, client) in callers {
        for held in [&made.digest, &layer] {
            let hide = [
                "private/here",
                "private/none",
                "manifests/2",
                "tags/2",
                "manifests/1",
                "tags/1",
                held.as_str(),
                &absent,
            ];
            let there = probes("private/here", "1", held);
            let not_there = [
                probes("private/none", "1", held),
                probes("private/none", "2", &absent),
                probes("private/here", "2", &absent),
            ];
            for other in not_there {
                for (one, other) in there.iter().zip(other) {
                    let (told, told_other) = (client.send(one), client.send(&other));
                    assert!(matches!(told.status, 401 | 403), "{who}: {one:?}: {told}");
                    alike(&format!("{who}: {one:?}"), &told, &told_other, &hide);
                }
            }
        }
    }
}

#[test]
fn nobody_learns_through_a_repository_of_their_own_what_others_hold() {
    let server = guarded();
    let admin = server.admin();
    let made = image(["base", "private layer"]);
    admin.push("private/here", "1", &made);
    let bob = admin.new_user("bob");
    admin.grant(&user("bob"), "bob/**", &["pull", "push", "delete"]);
    bob.push("bob/app", "1", &image(["bob's"]));
    let absent = sha256_of(b"nobody has this");
    for held in [made.digest.clone(), digest_of("private layer")] {
        let hide = [held.as_str(), &absent];
        for (one, other) in probes("bob/app", "1", &held).into_iter().zip(probes("bob/app", "1", &absent)) {
            let path = format!("{one:?}");
            // What is not of the digest changes things; an upload has an id, which is compared below.
            if !path.contains(&held) || path.contains("uploads") {
                continue;
            }
            alike(&path, &bob.send(&one), &bob.send(&other), &hide);
        }
        for from in ["&from=private/here", "&from=private/none", ""] {
            let told = [&held, &absent].map(|digest| {
                let answer =
                    bob.send(&post(format!("/v2/bob/app/blobs/uploads/?mount={digest}{from}"))).expect(202);
                let id = answer.need("docker-upload-uuid").to_owned();
                answer.seen(&[&id])
            });
            assert_eq!(told[0], told[1], "a mount {from:?}");
        }
        // Nor by naming it in a manifest (CVE-2024-39897), nor by pushing other bytes under its name.
        let naming = |digest: &str| {
            json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST,
                "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2 },
                "layers": [{ "mediaType": "application/octet-stream", "digest": digest, "size": 7 }] })
        };
        let put = |digest: &str| {
            let call = request("PUT", "/v2/bob/app/manifests/2").header("Content-Type", OCI_MANIFEST);
            bob.send(&call.body(naming(digest).to_string())).expect(400)
        };
        alike("a manifest", &put(&held), &put(&absent), &hide);
        let claim = |digest: &str| {
            bob.send(&post(format!("/v2/bob/app/blobs/uploads/?digest={digest}")).body("other bytes"))
                .expect(400)
        };
        alike("a claim", &claim(&held), &claim(&absent), &hide);
        assert_eq!(bob.send(&get(format!("/v2/bob/app/blobs/{held}"))).status, 404);
    }
    assert_eq!(bob.catalog(), ["bob/app"]);
}
