//! A replica is killed with SIGKILL in each step of a change.

use crate::rounds::{self, Round};
use crate::servers::Servers;
use crate::testkit::proxy_rule::Fate;
use crate::world::{World, signal};
use rustix::process::Signal;

#[test]
fn whatever_was_acknowledged_survives_a_kill_at_each_step() {
    let Some(servers) = Servers::found("a kill at each step") else { return };
    let world = World::new(servers);
    rounds::all(&world, "killed", &killed);
    world.nothing_is_left_behind();
}

fn killed(round: Round<'_>) -> bool {
    let Round { world, bench, case, wire, nth } = round;
    let pid = bench.pid();
    let count = bench.arm(wire, move |number, _| {
        if number < nth {
            return Fate::Pass;
        }
        if number == nth {
            signal(pid, Signal::KILL);
        }
        Fate::CutBefore
    });
    let end = case.act(&bench.replica().client());
    let reached = count.so_far() >= nth;
    if reached {
        bench.is_gone();
    }
    bench.disarm();
    case.inspect(&world.client(), &end);
    case.again(&world.client());
    reached
}
