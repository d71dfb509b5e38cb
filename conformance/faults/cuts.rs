//! A request on its way to S3 or PostgreSQL comes to grief, and the replica lives. That an answer is lost is tried at each
//! request; of the other faults one at each, by turns, or with `HOLDFAST_FAULTS_EACH=1` each at each.

use crate::rounds::{self, Round};
use crate::servers::{Servers, number};
use crate::steps::{End, may_pass};
use crate::testkit::proxy_rule::Fate;
use crate::world::World;

#[test]
fn a_fault_at_each_step_is_covered_by_a_retry() {
    let Some(servers) = Servers::found("a fault at each step") else { return };
    let world = World::new(servers);
    rounds::all(&world, "answer lost", &|round| at_one(round, Fate::CutAfter));
    let others = [Fate::CutBefore, Fate::CutWithin, Fate::Answer(500), Fate::Answer(503)];
    let passes = if number("HOLDFAST_FAULTS_EACH", 0) == 0 { 1 } else { others.len() };
    for pass in 0..passes {
        rounds::all(&world, &format!("other faults {pass}"), &|round| {
            let fate = others[(round.nth + pass) % others.len()];
            at_one(round, fate)
        });
    }
    world.nothing_is_left_behind();
}

fn at_one(round: Round<'_>, fate: Fate) -> bool {
    let Round { world, bench, case, wire, nth } = round;
    let client = bench.replica().client();
    let count = bench.arm(wire, move |number, _| if number == nth { fate } else { Fate::Pass });
    let end = case.act(&client);
    let reached = count.so_far() >= nth;
    bench.disarm();
    case.inspect(&world.client(), &end);
    match &end {
        End::Acknowledged => {}
        End::Refused(request, status) => {
            assert!(may_pass(*status), "{fate:?} at {nth} of {wire:?}: {request}");
            case.again(&client);
            case.inspect(&world.client(), &End::Acknowledged);
        }
        End::Lost => panic!("{fate:?} at {nth} of {wire:?}: no answer for {:?} {}", case.step, case.repo),
    }
    reached
}
