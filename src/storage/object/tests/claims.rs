//! The claim on a bucket, with a term that a test can wait for.

use crate::clock::FixedClock;
use crate::storage::claim::{Claim, Claimed, Holder, Kind};
use crate::storage::layout;
use crate::storage::object::claim::BucketClaim;
use crate::storage::object::tests::server::Server;
use crate::storage::object::tests::wire::{Fault, Wire};
use std::sync::Arc;
use std::time::Duration;

const TERM: Duration = Duration::from_millis(800);

fn holder(kind: Kind, id: &str) -> Holder {
    Holder { kind, id: id.into(), place: format!("host of {id}") }
}

fn claim(server: &Server, wire: &Wire) -> BucketClaim {
    BucketClaim::with_term(server.bucket(wire), Arc::new(FixedClock::at(1_700_000_000)), TERM)
}

#[tokio::test]
async fn of_two_databases_one_has_the_bucket_for_as_long_as_it_lives() {
    let (server, wire) = (Server::start().await, Wire::default());
    let (one, two) = (holder(Kind::Embedded, "one"), holder(Kind::Embedded, "two"));
    let (first, second) = (claim(&server, &wire), claim(&server, &wire));
    assert!(!first.stands());
    assert_eq!(first.take(&one, false).await.unwrap(), Claimed::Ours);
    assert!(first.stands());
    let alive = async {
        for _ in 0..3 {
            tokio::time::sleep(TERM / 4).await;
            assert_eq!(first.renew().await.unwrap(), Claimed::Ours);
        }
    };
    let (told, ()) = tokio::join!(second.take(&two, false), alive);
    assert_eq!(told.unwrap(), Claimed::Theirs(one.clone()));
    assert!(!second.stands() && first.stands());
    // It stops: after its term another one has it, and it learns so.
    assert_eq!(second.take(&two, false).await.unwrap(), Claimed::Ours);
    assert!(!first.stands(), "it stood still for longer than its term");
    assert_eq!(first.renew().await.unwrap(), Claimed::Theirs(two));
    assert!(second.stands());
}

#[tokio::test]
async fn the_same_database_goes_on_at_once_and_what_is_given_up_is_free() {
    let (server, wire) = (Server::start().await, Wire::default());
    let (one, two) = (holder(Kind::Embedded, "one"), holder(Kind::Embedded, "two"));
    let (before, after, other) = (claim(&server, &wire), claim(&server, &wire), claim(&server, &wire));
    assert_eq!(before.take(&one, false).await.unwrap(), Claimed::Ours);
    let begun = std::time::Instant::now();
    assert_eq!(after.take(&one, false).await.unwrap(), Claimed::Ours);
    assert!(
        matches!(before.renew().await.unwrap(), Claimed::Theirs(_)),
        "a copy of the same folder is another one"
    );
    assert!(!before.stands());
    after.release().await.unwrap();
    assert!(!after.stands());
    assert_eq!(other.take(&two, false).await.unwrap(), Claimed::Ours);
    assert!(begun.elapsed() < TERM, "nobody had to be waited for");
    after.release().await.unwrap();
    assert!(other.stands());
    assert_eq!(other.renew().await.unwrap(), Claimed::Ours);
}

#[tokio::test]
async fn a_shared_database_has_it_while_one_of_its_processes_renews_it() {
    let (server, wire) = (Server::start().await, Wire::default());
    let (one, two) = (holder(Kind::Shared, "one"), holder(Kind::Shared, "two"));
    let (first, replica, second) = (claim(&server, &wire), claim(&server, &wire), claim(&server, &wire));
    assert_eq!(first.take(&one, false).await.unwrap(), Claimed::Ours);
    assert_eq!(replica.take(&one, false).await.unwrap(), Claimed::Ours);
    assert_eq!(first.renew().await.unwrap(), Claimed::Ours, "over what the other one has written");
    // One process of it lives: that is enough.
    let embedded = holder(Kind::Embedded, "one");
    for other in [&two, &embedded] {
        let keeping = async {
            loop {
                tokio::time::sleep(TERM / 4).await;
                assert_eq!(replica.renew().await.unwrap(), Claimed::Ours);
            }
        };
        tokio::select! {
            taken = second.take(other, false) => assert_eq!(taken.unwrap(), Claimed::Theirs(one.clone())),
            () = keeping => {}
        }
    }
    assert!(replica.stands());
    // None does.
    assert_eq!(second.take(&two, false).await.unwrap(), Claimed::Ours);
    assert!(!first.stands() && !replica.stands());
    assert_eq!(replica.renew().await.unwrap(), Claimed::Theirs(two));
}

#[tokio::test]
async fn of_many_who_come_at_once_one_has_it() {
    let (server, wire) = (Server::start().await, Wire::default());
    let claims: Vec<BucketClaim> = (0..4).map(|_| claim(&server, &wire)).collect();
    let holders: Vec<Holder> = (0..4).map(|n| holder(Kind::Shared, &n.to_string())).collect();
    let takes = claims.iter().zip(&holders).map(|(claim, holder)| async move {
        let taken = claim.take(holder, false).await;
        if matches!(taken, Ok(Claimed::Ours)) {
            for _ in 0..8 {
                tokio::time::sleep(TERM / 4).await;
                assert_eq!(claim.renew().await.unwrap(), Claimed::Ours);
            }
        }
        taken
    });
    let taken = futures_util::future::join_all(takes).await;
    let ours = taken.iter().filter(|taken| matches!(taken, Ok(Claimed::Ours))).count();
    assert_eq!(ours, 1, "{taken:?}");
}

#[tokio::test]
async fn a_renewal_whose_answer_is_lost_is_one() {
    let (server, wire) = (Server::start().await, Wire::default());
    let claim = claim(&server, &wire);
    claim.take(&holder(Kind::Embedded, "one"), false).await.unwrap();
    wire.fail("PUT", Fault::Lost);
    assert_eq!(claim.renew().await.unwrap(), Claimed::Ours);
    assert_eq!(claim.renew().await.unwrap(), Claimed::Ours);
    // A bucket that does not answer takes nothing away before the term has ended.
    for _ in 0..9 {
        wire.fail("PUT", Fault::Answer(503, ""));
    }
    assert!(claim.renew().await.is_err());
    assert!(claim.stands());
}

#[tokio::test]
async fn nobody_loses_a_claim_to_a_renewal_of_their_own() {
    let (server, wire) = (Server::start().await, Wire::default());
    let (one, two) = (holder(Kind::Embedded, "one"), holder(Kind::Embedded, "two"));
    let claim = claim(&server, &wire);
    claim.take(&one, false).await.unwrap();
    // The renewal lands, its answer is lost, and so is what would have told whose it is.
    wire.fail("PUT", Fault::Lost);
    wire.fail("GET", Fault::Answer(403, ""));
    assert!(claim.renew().await.is_err());
    for _ in 0..2 {
        assert_eq!(claim.renew().await.unwrap(), Claimed::Ours);
        assert!(claim.stands());
    }
    // What others have written meanwhile is theirs all the same.
    wire.fail("PUT", Fault::Lost);
    wire.fail("GET", Fault::Answer(403, ""));
    assert!(claim.renew().await.is_err());
    let other = BucketClaim::with_term(server.bucket(&wire), Arc::new(FixedClock::at(1_700_000_000)), TERM);
    assert_eq!(other.take(&two, false).await.unwrap(), Claimed::Ours);
    assert_eq!(claim.renew().await.unwrap(), Claimed::Theirs(two));
    assert!(!claim.stands() && other.stands());
}

#[tokio::test]
async fn what_is_no_claim_is_told() {
    let (server, wire) = (Server::start().await, Wire::default());
    server.write(layout::CLAIM, "{}");
    let refused = claim(&server, &wire).take(&holder(Kind::Embedded, "one"), false).await.unwrap_err();
    assert!(refused.to_string().contains("no claim"), "{refused}");
}

#[tokio::test]
async fn whoever_knows_it_all_comes_back_only_if_nobody_else_was_there() {
    let (server, wire) = (Server::start().await, Wire::default());
    let (one, two) = (holder(Kind::Embedded, "one"), holder(Kind::Shared, "two"));
    let (first, second) = (claim(&server, &wire), claim(&server, &wire));
    assert_eq!(first.last().await.unwrap(), None);
    assert_eq!(first.take(&one, true).await.unwrap(), Claimed::Ours);
    assert_eq!(first.take(&one, true).await.unwrap(), Claimed::Ours);
    first.release().await.unwrap();
    assert_eq!(second.take(&two, true).await.unwrap(), Claimed::Outdated(one.clone()));
    assert_eq!(second.last().await.unwrap(), Some(one.clone()), "nothing was changed");
    assert_eq!(second.take(&two, false).await.unwrap(), Claimed::Ours);
    // Also one whose claim has ended by itself.
    assert_eq!(first.take(&one, true).await.unwrap(), Claimed::Outdated(two));
}

#[tokio::test]
async fn what_is_handed_over_is_lost_at_the_next_renewal_and_free_for_the_other() {
    let (server, wire) = (Server::start().await, Wire::default());
    let (one, two) = (holder(Kind::Shared, "one"), holder(Kind::Embedded, "two"));
    let (first, replica) = (claim(&server, &wire), claim(&server, &wire));
    let (mover, second) = (claim(&server, &wire), claim(&server, &wire));
    assert_eq!(first.take(&one, true).await.unwrap(), Claimed::Ours);
    assert_eq!(replica.take(&one, true).await.unwrap(), Claimed::Ours);
    mover.hand_over(&two).await.unwrap();
    for old in [&first, &replica] {
        assert_eq!(old.renew().await.unwrap(), Claimed::Theirs(two.clone()));
        assert!(!old.stands());
    }
    assert_eq!(second.take(&two, true).await.unwrap(), Claimed::Ours);
    mover.hand_over(&one).await.unwrap();
    assert_eq!(second.renew().await.unwrap(), Claimed::Theirs(one.clone()));
    assert_eq!(first.take(&one, true).await.unwrap(), Claimed::Ours);
}
