//! A request on its way to S3 or PostgreSQL comes to grief, and the replica lives.

use crate::rounds::{self, Round};
use crate::servers::Servers;
use crate::steps::{End, may_pass};
use crate::testkit::proxy_rule::Fate;
use crate::world::World;

#[test]
fn a_fault_at_each_step_is_covered_by_a_retry() {
    let Some(servers) = Servers::found("a fault at each step") else { return };
    let world = World::new(servers);
    let faults = [
        ("cut before it lands", Fate::CutBefore),
        ("cut in the middle", Fate::CutWithin),
        ("landed and its answer lost", Fate::CutAfter),
        ("answered with 500", Fate::Answer(500)),
        ("answered with SlowDown", Fate::Answer(503)),
    ];
    for (what, fate) in faults {
        rounds::all(&world, what, &move |round| at_one(round, fate));
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
