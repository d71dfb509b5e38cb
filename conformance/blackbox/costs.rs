//! The table of docs/scaling.md that tells what each request costs in statements and calls to the bucket: every row of it is
//! done, between the program and a real PostgreSQL and an S3 server, and counted. It must not know why a request costs what
//! it does. Without a PostgreSQL it says that it was skipped.

use crate::testkit::answer::Answer;
use crate::testkit::bucket::Bucket;
use crate::testkit::client::{Client, Request, delete, get, head, patch, post, put};
use crate::testkit::image::{Manifest, image, sha256_of};
use crate::testkit::postgres::Postgres;
use crate::testkit::proxy::Proxy;
use crate::testkit::push::{closing, get_manifest, put_manifest};
use crate::testkit::server::{Home, Server};
use crate::testkit::skip::skipped;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

/// A part of an upload, in bytes: the default.
const PART: u64 = 12 << 20;

/// What the letters of the table stand for in what is done here: full parts of a large upload, tags that
/// a manifest has, manifests that a tag has meant.
const LETTERS: [(char, u64); 3] = [('n', 2), ('t', 2), ('h', 2)];

/// A row of the table: what is asked, and what the table says that it costs.
struct Row {
    request: String,
    statements: u64,
    calls: u64,
    /// The calls by name, if all of them are told.
    named: Option<BTreeMap<String, u64>>,
}

/// The rows of the table, with its letters filled in.
fn table() -> Vec<Row> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scaling.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| request | SQL |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [request, statements, calls, named] = cells[..] else { panic!("no four cells: {line}") };
        Row {
            request: request.replace('`', ""),
            statements: worth(statements),
            calls: worth(calls),
            named: by_name(named),
        }
    });
    rows.collect()
}

/// What a sum of products is worth: `t * (h + 2) + 1`.
fn worth(sum: &str) -> u64 {
    let (open, close) = (sum.find('('), sum.rfind(')'));
    if let (Some(open), Some(close)) = (open, close) {
        let inner = worth(&sum[open + 1..close]).to_string();
        return worth(&[&sum[..open], &inner, &sum[close + 1..]].concat());
    }
    let of = |text: &str| -> u64 {
        let letter = LETTERS.iter().find(|(letter, _)| text.trim() == letter.to_string());
        letter.map_or_else(|| text.trim().parse().expect("a number or a letter"), |(_, worth)| *worth)
    };
    sum.split('+').map(|product| product.split('*').map(of).product::<u64>()).sum()
}

/// `begin, *n* parts, 2 PUT` as counts; nothing if it says something else.
fn by_name(cell: &str) -> Option<BTreeMap<String, u64>> {
    let known = ["GET", "HEAD", "PUT", "DELETE", "LIST", "copy", "begin", "part", "complete"];
    let mut counts = BTreeMap::new();
    for each in cell.split(',').map(str::trim).filter(|each| !each.is_empty()) {
        let (count, name) = each.split_once(' ').unwrap_or(("1", each));
        let name = name.trim_end_matches('s');
        known.contains(&name).then_some(())?;
        *counts.entry(name.to_owned()).or_insert(0) += worth(count.trim_matches('*'));
    }
    Some(counts)
}

/// Two replicas on one bucket and one database, which are counted: of one that keeps manifests in memory and sends nobody
/// away, and of one that keeps none and redirects.
struct Shared {
    keeping: Replica,
    redirecting: Replica,
    bucket: Bucket,
    /// Statements that replicas ask by the clock, and not for a request.
    by_the_clock: Vec<String>,
    token: String,
    made: Cell<u64>,
}

/// A replica, and what it asks the database.
struct Replica {
    server: Server,
    sql: Proxy,
    _home: Home,
}

impl Shared {
    fn client(&self) -> Client {
        self.keeping.server.client().bearer(&self.token)
    }

    /// A name or a content that nothing had before.
    fn fresh(&self) -> String {
        self.made.set(self.made.get() + 1);
        format!("new-{}", self.made.get())
    }

    /// So many bytes that nobody has pushed yet.
    fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = self.fresh().into_bytes();
        bytes.resize(length, b'.');
        bytes
    }

    /// An image of three blobs that is held, but for its manifest.
    fn parts(&self) -> Manifest {
        let manifest = image([self.fresh().as_str(), self.fresh().as_str()]);
        self.client().push_parts("team/app", &manifest);
        manifest
    }

    /// An image that is held under this tag.
    fn pushed(&self, tag: &str) -> Manifest {
        let manifest = self.parts();
        self.client().send(&put_manifest("team/app", tag, &manifest)).expect(201);
        manifest
    }

    /// A blob that is held, and its path.
    fn blob(&self, repository: &str) -> String {
        let digest = self.client().push_blob(repository, &self.bytes(2000));
        format!("/v2/{repository}/blobs/{digest}")
    }

    /// The end of an upload to which these bytes have been sent already, with these ones as its body.
    fn end(&self, sent: &[u8], body: &[u8]) -> Request {
        let client = self.client();
        let mut location = client.open_upload("team/app");
        if !sent.is_empty() {
            let answer = client.send(&patch(&location).body(sent)).expect(202);
            answer.need("location").clone_into(&mut location);
        }
        put(closing(&location, &sha256_of(&[sent, body].concat()))).body(body)
    }

    fn open(&self) -> String {
        self.client().open_upload("team/app")
    }

    /// Makes all that the request of a row needs, and gives it.
    fn prepared(&self, row: &str) -> Request {
        let (small, large) = (1000, 2 * PART as usize + 1000);
        let client = self.client();
        match row {
            "GET /v2/" => get("/v2/"),
            "HEAD manifest" => get_manifest("team/app", &self.pushed("1").digest).with_method("HEAD"),
            "GET manifest" => get_manifest("team/app", &self.pushed("1").digest),
            "GET manifest, bytes in memory" => {
                self.pushed("1");
                client.manifest("team/app", "1");
                get_manifest("team/app", "1")
            }
            "GET manifest above 60 KiB" => {
                let large = self.parts().annotated("text", &"x".repeat(61 << 10));
                client.send(&put_manifest("team/app", "large", &large)).expect(201);
                get_manifest("team/app", "large")
            }
            "HEAD blob" => head(self.blob("team/app")),
            "GET blob" | "GET blob, redirected" => get(self.blob("team/app")),
            "POST upload" => post("/v2/team/app/blobs/uploads/"),
            "PATCH upload, small" => patch(self.open()).body(self.bytes(small)),
            "PATCH upload, large" => patch(self.open()).body(self.bytes(large)),
            "PUT upload, after a small PATCH" => self.end(&self.bytes(small), &[]),
            "PUT upload, after a large PATCH" => self.end(&self.bytes(large), &[]),
            "PUT upload with a small body" => self.end(&[], &self.bytes(small)),
            "PUT upload with a large body" => self.end(&[], &self.bytes(large)),
            "POST upload with a small body" => whole(&self.bytes(small)),
            "POST upload with a large body" => whole(&self.bytes(large)),
            "POST mount" => {
                let blob = self.blob("team/other");
                let digest = blob.rsplit('/').next().unwrap();
                post(format!("/v2/team/app/blobs/uploads/?mount={digest}&from=team/other"))
            }
            "PUT manifest by digest" => {
                let manifest = self.parts();
                put_manifest("team/app", &manifest.digest, &manifest)
            }
            "PUT manifest by tag" => put_manifest("team/app", &self.fresh(), &self.parts()),
            "DELETE tag" => {
                let tag = self.fresh();
                self.pushed(&tag);
                self.pushed(&tag);
                delete(format!("/v2/team/app/manifests/{tag}"))
            }
            "DELETE manifest" => {
                let tags = [self.fresh(), self.fresh()];
                for tag in &tags {
                    self.pushed(tag);
                }
                let manifest = self.parts();
                for tag in tags {
                    client.send(&put_manifest("team/app", &tag, &manifest)).expect(201);
                }
                delete(format!("/v2/team/app/manifests/{}", manifest.digest))
            }
            "DELETE blob" => delete(self.blob("team/app")),
            "GET tags/list" => get("/v2/team/app/tags/list"),
            "GET referrers" => get(format!("/v2/team/app/referrers/{}", self.pushed("1").digest)),
            "GET _catalog" => get("/v2/_catalog"),
            "GET /token with a password" => get("/token?service=holdfast&scope=repository:team/app:pull"),
            "POST /token with a refresh token" => {
                let token = self.keeping.server.client().admin().token_reply("&offline_token=true");
                let refresh = token["refresh_token"].as_str().expect("a refresh token");
                let form =
                    format!("grant_type=refresh_token&service=holdfast&client_id=t&refresh_token={refresh}");
                post("/token").header("Content-Type", "application/x-www-form-urlencoded").body(form)
            }
            "GET /token, which leaves a refresh token" => get("/token?service=holdfast&offline_token=true"),
            unknown => panic!("the table has a row that nobody does: {unknown}"),
        }
    }

    /// The replica that is asked what a row says.
    fn asked(&self, row: &str) -> &Replica {
        match row {
            "GET manifest" | "GET manifest above 60 KiB" | "GET blob, redirected" => &self.redirecting,
            _ => &self.keeping,
        }
    }

    /// Whoever asks it.
    fn who(&self, row: &str) -> Client {
        let client = self.asked(row).server.client();
        match row {
            "POST /token with a refresh token" => client,
            _ if row.contains("/token") => client.admin(),
            _ => client.bearer(&self.token),
        }
    }

    /// Does what a row says, and gives what it has cost: statements, and calls by name.
    fn done(&self, row: &str) -> (u64, Vec<String>) {
        let (request, client, sql) = (self.prepared(row), self.who(row), &self.asked(row).sql);
        self.bucket.calls();
        sql.forget();
        let answer: Answer = client.send(&request);
        let (calls, asked) = (self.bucket.calls(), sql.forget());
        assert!((200..400).contains(&answer.status), "{row}: {answer}");
        assert_eq!(answer.status == 307, row == "GET blob, redirected", "{row}: {answer}");
        let for_it = asked.iter().filter(|asked| !self.by_the_clock.contains(&asked.what));
        (for_it.map(|asked| asked.statements as u64).sum(), calls)
    }
}

/// An upload in one request.
fn whole(bytes: &[u8]) -> Request {
    post(format!("/v2/team/app/blobs/uploads/?digest={}", sha256_of(bytes))).body(bytes)
}

/// Both replicas, each of which reaches the database by a proxy of its own.
fn shared(postgres: &Postgres) -> Shared {
    let (bucket, database) = (Bucket::start(), postgres.database());
    let replica = |more: &str, registry: &str| {
        let sql = Proxy::postgres(postgres.addr);
        let url = format!("url = \"{}\"\n", postgres.url(sql.addr, &database));
        let config = [&bucket.config(PART), more, "[metadata.postgres]\n", &url, registry].concat();
        let home = Home::new().with_accounts().config(&config);
        Replica { server: home.start(), sql, _home: home }
    };
    let keeping = replica("", "");
    let redirecting = replica("redirect = \"on\"\n", "[registry]\nmanifest_cache_bytes = 0\n");
    let scopes = ["team/app", "team/other"].map(|name| format!("repository:{name}:pull,push,delete"));
    let token = keeping.server.client().admin().token(&[&scopes[0], &scopes[1], "registry:catalog:*"]);
    let by_the_clock = idle([&keeping.sql, &redirecting.sql]);
    Shared { keeping, redirecting, bucket, by_the_clock, token, made: Cell::new(0) }
}

/// What replicas ask when nobody asks them anything, for longer than the slowest of their clocks.
fn idle(replicas: [&Proxy; 2]) -> Vec<String> {
    for sql in replicas {
        sql.forget();
    }
    std::thread::sleep(Duration::from_secs(7));
    replicas.iter().flat_map(|sql| sql.forget()).map(|asked| asked.what).collect()
}

#[test]
fn the_table_of_costs_is_true() {
    let postgres = match Postgres::found() {
        Ok(postgres) => postgres,
        Err(why) => return skipped("what requests cost in statements and calls", why),
    };
    let shared = shared(&postgres);
    let rows = table();
    assert!(rows.len() > 25, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        // What is written for many at once, as the audit trail is, may fall into one of them.
        let tries: Vec<_> = (0..3).map(|_| shared.done(&row.request)).collect();
        let statements = tries.iter().map(|(statements, _)| *statements).min().unwrap();
        let calls = &tries.iter().min_by_key(|(_, calls)| calls.len()).unwrap().1;
        let mut named = BTreeMap::new();
        for name in calls {
            *named.entry(name.clone()).or_insert(0) += 1;
        }
        let names_agree = row.named.as_ref().is_none_or(|told| row.calls == 0 || *told == named);
        if (statements, calls.len() as u64) != (row.statements, row.calls) || !names_agree {
            let told =
                format!("{}: {} statements, {} calls are told", row.request, row.statements, row.calls);
            wrong.push(format!("{told}, and it was {statements} and {calls:?}"));
        }
    }
    assert!(wrong.is_empty(), "docs/scaling.md:\n{}", wrong.join("\n"));
}
