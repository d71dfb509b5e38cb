//! Logins under attack: guessed passwords, floods, and names that are asked for to find out who is there.

use crate::testkit::accounts::{ADMIN_PASSWORD, basic, guarded, user};
use crate::testkit::client::{Client, get};
use crate::testkit::image::image;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[test]
fn guesses_are_slowed_and_lock_nobody_out_from_elsewhere() {
    let server = guarded();
    let guess = |nth: usize| get("/v2/").header("Authorization", basic("admin", &format!("guess {nth}")));
    let mut statuses = Vec::new();
    let throttled = (0..40).find_map(|nth| {
        let answer = server.send_from(NEIGHBOUR, &guess(nth));
        statuses.push(answer.status);
        (answer.status == 429).then_some(answer)
    });
    let throttled =
        throttled.unwrap_or_else(|| panic!("never slowed: {statuses:?}")).refused(429, "TOOMANYREQUESTS");
    assert!(statuses.len() > 3, "a few mistakes are forgiven: {statuses:?}");
    assert!(throttled.need("retry-after").parse::<u64>().unwrap() >= 1, "{throttled}");
    // While it is slowed the right password is not told from a wrong one.
    let right = get("/v2/").header("Authorization", basic("admin", ADMIN_PASSWORD));
    for nth in 0..30 {
        server.send_from(NEIGHBOUR, &guess(nth));
    }
    server.send_from(NEIGHBOUR, &right).refused(429, "TOOMANYREQUESTS");
    // The same at the issuer, and for the form.
    server.send_from(NEIGHBOUR, &right.clone().at("/token?service=holdfast")).refused(429, "TOOMANYREQUESTS");
    // From elsewhere the administrator gets in at once.
    server.send(&right).expect(200);
    server.send(&right.at("/token?service=holdfast")).expect(200);
    // And what was got before goes on from the slowed address: a token is no guess.
    let token = server.admin().token(&["registry:catalog:*"]);
    server.bearer(&token).send_from(NEIGHBOUR, &get("/v2/_catalog")).expect(200);
}

#[test]
fn an_address_that_guesses_at_many_names_is_slowed_too() {
    let server = guarded();
    let slowed = (0..60).any(|nth| {
        let call = get("/v2/").header("Authorization", basic(&format!("user{nth}"), "guess"));
        server.send_from(NEIGHBOUR, &call).status == 429
    });
    assert!(slowed);
    server.admin().send(&get("/v2/")).expect(200);
}

#[test]
fn a_claimed_address_does_not_help_a_guesser() {
    let server = guarded();
    let slowed = (0..40).any(|nth| {
        let call = get("/v2/").header("Authorization", basic("admin", "guess"));
        let claimed = format!("198.51.100.{nth}");
        let call = call
            .header("X-Forwarded-For", &claimed)
            .header("X-Real-IP", &claimed)
            .header("Forwarded", format!("for={claimed}"));
        server.send_from(NEIGHBOUR, &call).status == 429
    });
    assert!(slowed, "each guess counted as another address");
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn two_hundred_logins_at_once_leave_room_for_pulls() {
    let server = guarded();
    let admin = server.admin();
    admin.push("team/app", "1", &image(["base"]));
    let puller = server.bearer(&admin.token(&["repository:team/app:pull"]));
    let (over, pulls, slowest) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let before = resident_kib(server.server.pid());
    let most = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                puller.manifest("team/app", "1");
                slowest.fetch_max(begun.elapsed().as_millis() as usize, Ordering::Relaxed);
                pulls.fetch_add(1, Ordering::Relaxed);
                most.fetch_max(resident_kib(server.server.pid()) as usize, Ordering::Relaxed);
            }
        });
        let client: Client = *server;
        let logins: Vec<_> = (0..200_u8)
            .map(|nth| {
                // Each from an address of its own, so that it is hashed, not slowed.
                scope.spawn(move || {
                    let call = get("/v2/").header("Authorization", basic(&format!("user{nth}"), "guess"));
                    client.send_from(Ipv4Addr::new(127, 0, 1, nth), &call)
                })
            })
            .collect();
        for login in logins {
            let answer = login.join().unwrap();
            assert!(matches!(answer.status, 401 | 429), "{answer}");
            if answer.status == 429 {
                assert!(answer.need("retry-after").parse::<u64>().unwrap() >= 1);
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    let grown = (most.load(Ordering::Relaxed) as u64).saturating_sub(before) / 1024;
    let (pulls, slowest) = (pulls.load(Ordering::Relaxed), slowest.load(Ordering::Relaxed));
    println!("{pulls} pulls meanwhile, the slowest {slowest} ms; {grown} MiB more");
    assert!(grown < 256, "{grown} MiB");
    assert!(pulls >= 20, "{pulls} pulls while 200 logged in");
    // The administrator still can, too.
    admin.send(&get("/v2/")).expect(200);
}

#[test]
fn unknown_disabled_and_known_accounts_are_refused_alike() {
    let server = guarded();
    let admin = server.admin();
    admin.new_user("alice");
    admin.new_user("gone");
    admin.api("PATCH", "/users/gone", Some(&serde_json::json!({ "disabled": true }))).expect(200);
    admin.api("POST", "/users", Some(&serde_json::json!({ "name": "nopassword" }))).expect(201);
    admin.api("POST", "/service-accounts", Some(&serde_json::json!({ "name": "robot" }))).expect(201);
    admin.grant(&user("alice"), "team/**", &["pull"]);
    let names = [
        ("alice", "wrong"),
        ("gone", "password of gone"),
        ("nopassword", ""),
        ("robot", "wrong"),
        ("nobody", "wrong"),
        ("admin", "wrong"),
    ];
    for path in [
        "/v2/",
        "/v2/team/app/tags/list",
        "/token?service=holdfast&scope=repository:team/app:pull",
        "/api/v1/me",
    ] {
        let answers = names.map(|(name, password)| {
            let call = get(path).header("Authorization", basic(name, password));
            // From an address of its own for each, so that no throttle tells them apart.
            let source = Ipv4Addr::new(127, 0, path.len() as u8, name.len() as u8 + name.as_bytes()[0]);
            server.send_from(source, &call).seen(&[])
        });
        assert_eq!(answers[0].0, 401, "{answers:?}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{path}: {answers:#?}");
    }
    // The form of OAuth likewise.
    let form = |name: &str| {
        let answer = server.token_form(&format!(
            "grant_type=password&service=holdfast&client_id=x&username={name}&password=wrong"
        ));
        answer.seen(&[])
    };
    assert_eq!(form("alice"), form("nobody"));
}

#[test]
fn unknown_and_known_accounts_take_as_long() {
    let server = guarded();
    server.admin().new_user("alice");
    let mut times = [Vec::new(), Vec::new()];
    for nth in 0..30_u8 {
        for (which, name) in ["alice", "nobody"].into_iter().enumerate() {
            let call = get("/v2/").header("Authorization", basic(name, &format!("guess {nth}")));
            let source = Ipv4Addr::new(127, 0, 10 + which as u8, nth);
            let begun = Instant::now();
            let answer = server.send_from(source, &call);
            assert_eq!(answer.status, 401, "{answer}");
            times[which].push(begun.elapsed());
        }
    }
    let [known, unknown] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    println!("known {known:?}, unknown {unknown:?}");
    // An account that is not hashed for would be ten times as fast and more; machines under load are not steady.
    let (short, long) = (known.min(unknown), known.max(unknown));
    assert!(long < short * 3 + Duration::from_millis(20), "known {known:?}, unknown {unknown:?}");
}
