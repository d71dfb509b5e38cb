//! What is taken away is gone with the next request, whatever was shown: a password, a personal access token, an
//! access token made of either, a refresh token.

use crate::testkit::accounts::{guarded, user};
use crate::testkit::client::{Client, get};
use crate::testkit::image::image;
use crate::testkit::server::Running;
use serde_json::json;

/// What alice has in hand.
struct Hand {
    password: Client,
    pat: Client,
    of_password: Client,
    of_pat: Client,
    refresh: String,
    pat_id: String,
}

const PATH: &str = "/v2/team/app/manifests/1";

fn world() -> (Running, Client, String) {
    let server = guarded();
    let admin = server.admin();
    admin.push("team/app", "1", &image(["base"]));
    admin.new_user("alice");
    let grant = admin.grant(&user("alice"), "team/**", &["pull"]);
    (server, admin, grant)
}

fn hand(server: &Running, password: &str) -> Hand {
    let alice = server.login("alice", password);
    let (pat_id, pat) = alice.mint(&json!({}));
    let scope = "repository:team/app:pull";
    let reply = alice.token_reply(&format!("&offline_token=true&scope={scope}"));
    let hand = Hand {
        password: alice,
        pat: server.login("alice", &pat),
        of_password: server.bearer(reply["token"].as_str().unwrap()),
        of_pat: server.bearer(&server.login("alice", &pat).token(&[scope])),
        refresh: reply["refresh_token"].as_str().unwrap().to_owned(),
        pat_id,
    };
    // Every one of them works, and is remembered as one that does.
    hand.gives(server, [200; 5]);
    hand.gives(server, [200; 5]);
    hand
}

impl Hand {
    /// The statuses of a pull with the password, the token, what was made of the password, what was made of the token;
    /// and of the exchange of the refresh token.
    #[track_caller]
    fn gives(&self, server: &Running, expected: [u16; 5]) {
        let pulls = [self.password, self.pat, self.of_password, self.of_pat]
            .map(|client| client.send(&get(PATH)).status);
        let form = format!(
            "grant_type=refresh_token&service=holdfast&scope=repository:team/app:pull&refresh_token={}",
            self.refresh
        );
        let refreshed = server.token_form(&form);
        let [a, b, c, d] = pulls;
        assert_eq!(
            [a, b, c, d, refreshed.status],
            expected,
            "password, token, of password, of token, refresh"
        );
        if refreshed.status == 200 {
            // What a refresh gives is what the account has now.
            let status =
                server.bearer(refreshed.json()["access_token"].as_str().unwrap()).send(&get(PATH)).status;
            assert_eq!(status, if expected[0] == 401 { 200 } else { expected[0] });
        }
    }
}

#[test]
fn a_disabled_account_is_out_at_once_and_its_tokens_stay_dead() {
    let (server, admin, _) = world();
    let hand = hand(&server, "password of alice");
    admin.api("PATCH", "/users/alice", Some(&json!({ "disabled": true }))).expect(200);
    hand.gives(&server, [401; 5]);
    admin.api("PATCH", "/users/alice", Some(&json!({ "disabled": false }))).expect(200);
    hand.gives(&server, [200, 401, 401, 401, 401]);
}

#[test]
fn another_password_ends_all_that_came_of_the_old_one() {
    let (server, admin, _) = world();
    let first = hand(&server, "password of alice");
    let change = json!({ "old": "password of alice", "new": "alice's second password" });
    server.login("alice", "password of alice").api("PUT", "/me/password", Some(&change)).expect(204);
    first.gives(&server, [401; 5]);
    let second = hand(&server, "alice's second password");
    admin
        .api("PUT", "/users/alice/password", Some(&json!({ "password": "alice's third password" })))
        .expect(204);
    second.gives(&server, [401; 5]);
    hand(&server, "alice's third password");
}

#[test]
fn a_revoked_token_ends_with_what_was_made_of_it() {
    let (server, admin, _) = world();
    let hand = hand(&server, "password of alice");
    hand.password.api("DELETE", &format!("/me/tokens/{}", hand.pat_id), None).expect(204);
    hand.gives(&server, [200, 401, 200, 401, 200]);
    let tokens = admin.api("GET", "/users/alice/tokens", None).expect(200).json();
    let refresh =
        tokens["entries"].as_array().unwrap().iter().find(|token| token["kind"] == "refresh").unwrap();
    let id = refresh["id"].as_str().unwrap();
    admin.api("DELETE", &format!("/users/alice/tokens/{id}"), None).expect(204);
    hand.gives(&server, [200, 401, 200, 401, 401]);
    admin.api("DELETE", "/users/alice/tokens", None).expect(204);
    hand.gives(&server, [200, 401, 401, 401, 401]);
}

#[test]
fn a_grant_that_is_taken_back_is_gone_from_tokens_too() {
    let (server, admin, grant) = world();
    let hand = hand(&server, "password of alice");
    admin.api("DELETE", &format!("/grants/{grant}"), None).expect(204);
    hand.gives(&server, [403, 403, 403, 403, 200]);
    assert_eq!(hand.password.catalog(), [""; 0]);
    assert_eq!(hand.password.token_reply("&scope=repository:team/app:pull")["scope"], "");
}

#[test]
fn who_leaves_a_group_or_whose_group_is_removed_loses_what_it_gave() {
    let (server, admin, grant) = world();
    admin.api("DELETE", &format!("/grants/{grant}"), None).expect(204);
    admin.api("POST", "/groups", Some(&json!({ "name": "dev" }))).expect(201);
    let join = || admin.api("PUT", "/groups/dev/members/alice", None).expect(204);
    join();
    admin.grant(&json!({ "kind": "group", "name": "dev" }), "team/**", &["pull"]);
    let hand = hand(&server, "password of alice");
    admin.api("DELETE", "/groups/dev/members/alice", None).expect(204);
    hand.gives(&server, [403, 403, 403, 403, 200]);
    join();
    hand.gives(&server, [200; 5]);
    admin.api("DELETE", "/groups/dev", None).expect(204);
    hand.gives(&server, [403, 403, 403, 403, 200]);
    // A group of the same name is another one.
    admin.api("POST", "/groups", Some(&json!({ "name": "dev" }))).expect(201);
    join();
    hand.gives(&server, [403, 403, 403, 403, 200]);
}

#[test]
fn a_new_account_of_an_old_name_inherits_nothing() {
    let (server, admin, _) = world();
    let hand = hand(&server, "password of alice");
    admin.api("DELETE", "/users/alice", None).expect(204);
    hand.gives(&server, [401; 5]);
    admin.new_user("alice");
    hand.gives(&server, [403, 401, 401, 401, 401]);
}

#[test]
fn an_administrator_no_more_is_none_at_once() {
    let (server, admin, _) = world();
    admin.api("PATCH", "/users/alice", Some(&json!({ "admin": true }))).expect(200);
    let alice = server.login("alice", "password of alice");
    let token = server.bearer(&alice.token(&["registry:api:*", "repository:other:push"]));
    token.api("GET", "/users", None).expect(200);
    admin.api("PATCH", "/users/alice", Some(&json!({ "admin": false }))).expect(200);
    for client in [alice, token] {
        client.api("GET", "/users", None).refused(403, "DENIED");
        assert_eq!(client.send(&crate::testkit::client::post("/v2/other/blobs/uploads/")).status, 403);
    }
}
