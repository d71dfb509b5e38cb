//! The proxy itself: each fate does what it says. It must not know Holdfast.

use crate::testkit::client::{Client, Connection, get, put};
use crate::testkit::fake::{Fake, reply};
use crate::testkit::postgres::{Postgres, psql};
use crate::testkit::proxy::Proxy;
use crate::testkit::proxy_rule::Fate;
use crate::testkit::server::eventually;
use std::time::{Duration, Instant};

/// A server that takes what it is given, and a proxy in front of it.
fn http() -> (Fake, Proxy, Client) {
    let server = Fake::start(|seen| reply(200, format!("{} bytes", seen.body.len())));
    let proxy = Proxy::s3(server.addr.expect("an address"));
    let client = Client::at(proxy.addr);
    (server, proxy, client)
}

#[test]
fn http_passes_unchanged_and_is_counted() {
    let (server, proxy, client) = http();
    let body = vec![b'x'; 100_000];
    assert_eq!(client.send(&put("/bucket/a%20b?partNumber=1").body(&body)).expect(200).body, b"100000 bytes");
    client.send(&get("/bucket?list-type=2").header("X-Signed", "As It Is")).expect(200);
    let seen: Vec<_> = proxy.forget().into_iter().map(|asked| (asked.number, asked.what)).collect();
    assert_eq!(seen, [(1, "PUT /bucket/a%20b?partNumber=1".into()), (2, "GET /bucket?list-type=2".into())]);
    assert_eq!(server.lines(), ["PUT /bucket/a%20b?partNumber=1", "GET /bucket?list-type=2"]);
    assert_eq!(server.seen()[1].header("x-signed"), "As It Is");
    assert_eq!(server.seen()[1].header("host"), "registry.test");
    client.send(&get("/again")).expect(200);
    assert_eq!(proxy.seen()[0].number, 1);
}

#[test]
fn http_is_cut_before_within_and_after() {
    let (server, proxy, client) = http();
    let big = put("/big").body(vec![b'x'; 4_000_000]);
    for (fate, reached) in [(Fate::CutBefore, 0), (Fate::CutWithin, 0), (Fate::CutAfter, 1)] {
        proxy.decide(move |_| fate);
        assert!(client.try_send(&big).is_err(), "{fate:?}");
        assert_eq!(server.seen().len(), reached, "{fate:?}");
    }
    proxy.pass();
    client.send(&big).expect(200);
}

#[test]
fn http_is_answered_by_the_proxy_on_the_same_connection() {
    let (server, proxy, _) = http();
    proxy.decide(|asked| if asked.number == 1 { Fate::Answer(503) } else { Fate::Pass });
    let mut connection = Connection::open(proxy.addr).unwrap();
    let refused = connection.exchange(&put("/object").body(b"bytes")).unwrap();
    assert!(
        refused.status == 503 && String::from_utf8_lossy(&refused.body).contains("<Code>SlowDown</Code>")
    );
    assert_eq!(connection.exchange(&put("/object").body(b"bytes")).unwrap().status, 200);
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn http_waits_is_held_and_is_refused() {
    let (_server, proxy, client) = http();
    proxy.decide(|_| Fate::Delay(Duration::from_millis(200)));
    let began = Instant::now();
    client.send(&get("/late")).expect(200);
    assert!(began.elapsed() >= Duration::from_millis(200));
    proxy.decide(|asked| if asked.what == "GET /held" { Fate::Hold } else { Fate::Pass });
    std::thread::scope(|scope| {
        let held = scope.spawn(|| client.send(&get("/held")).status);
        eventually("it is held", || proxy.held() == 1);
        client.send(&get("/passed")).expect(200);
        assert!(!held.is_finished());
        proxy.release();
        assert_eq!(held.join().unwrap(), 200);
    });
    proxy.refuse(true);
    assert!(client.try_send(&get("/refused")).is_err());
    proxy.refuse(false);
    client.send(&get("/welcome")).expect(200);
}

#[test]
fn statements_are_named_counted_and_cut() {
    let server = match Postgres::found() {
        Ok(server) => server,
        Err(why) => return crate::servers::skipped("statements through a proxy", &why),
    };
    let database = server.database();
    let proxy = Proxy::postgres(server.addr);
    let url = server.url(proxy.addr, &database);
    let run = |statement: &str| psql(&url, statement).status.success();
    assert!(run("CREATE TABLE seen (n int)"));
    assert!(run("INSERT INTO seen\n  VALUES (1)"));
    let seen = proxy.forget();
    assert_eq!(seen[1].what, "INSERT INTO seen VALUES (1)");
    assert_eq!(
        seen.iter().map(|asked| (asked.number, asked.statements)).collect::<Vec<_>>(),
        [(1, 1), (2, 1)]
    );
    for (fate, n) in [(Fate::CutBefore, 2), (Fate::CutWithin, 3), (Fate::Answer(0), 4), (Fate::CutAfter, 5)] {
        proxy.decide(move |_| fate);
        assert!(!run(&format!("INSERT INTO seen VALUES ({n})")), "{fate:?}");
    }
    assert_eq!(server.ask(&database, "SELECT string_agg(n::text, ' ' ORDER BY n) FROM seen"), "1 5");
    proxy.pass();
    assert!(run("INSERT INTO seen VALUES (6)"));
    proxy.refuse(true);
    assert!(!run("SELECT 1"));
}
