//! Failed logins are slowed, and nobody can lock another out.
//!
//! Three counts of failures, which are forgiven one by one as time goes by: of a pair of account and address, of an
//! address, and of an account. The pair's slows that pair. The address's slows whoever has not logged in from there
//! lately. The account's slows addresses that have not logged in to it lately, and those only so far that each gets
//! its turn after a few seconds, whatever all others do. So an administrator who comes from elsewhere always gets in.
//!
//! Knows no source and no password. All is lost with the process, which only makes everybody a stranger once more.

use crate::clock::Clock;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

/// How much is forgiven, and how long the waits grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Failures of a pair before its first wait.
    pub pair_free: u32,
    /// Failures from an address before its first wait.
    pub address_free: u32,
    /// Failures for an account before strangers wait.
    pub account_free: u32,
    /// Longest wait of a pair or an address.
    pub wait_secs_max: u64,
    /// Longest wait of a stranger who has not failed yet, while an account is under attack.
    pub stranger_secs_max: u64,
    /// Longest wait of a stranger who has failed, while an account is under attack.
    pub attacker_secs_max: u64,
    /// A failure of a pair is forgiven each time that so many seconds pass.
    pub pair_forgiven_secs: u64,
    /// Likewise of an address: more quickly than one pair alone can fail.
    pub address_forgiven_secs: u64,
    /// Likewise of an account: more quickly than a few addresses can fail.
    pub account_forgiven_secs: u64,
    /// How long somebody who logged in is no stranger.
    pub known_secs: u64,
    /// Most entries of each table; the one that was not used for longest goes.
    pub entries_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pair_free: 5,
            address_free: 20,
            account_free: 50,
            wait_secs_max: 60,
            stranger_secs_max: 8,
            attacker_secs_max: 900,
            pair_forgiven_secs: 600,
            address_forgiven_secs: 30,
            account_forgiven_secs: 12,
            known_secs: 30 * 24 * 3600,
            entries_max: 1 << 15,
        }
    }
}

/// A stranger's turn that was not taken for so long is lost.
const TURN_SECS: u64 = 600;

/// Failures, which drain away at a steady pace.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    failures: u32,
    /// When the last one was.
    last: u64,
    /// From when on they drain.
    since: u64,
}

impl Tally {
    /// What is left of the failures.
    fn left(self, now: u64, forgiven_secs: u64) -> u32 {
        let forgiven = now.saturating_sub(self.since) / forgiven_secs.max(1);
        u32::try_from(forgiven).map_or(0, |forgiven| self.failures.saturating_sub(forgiven))
    }

    /// One more; no more than `most`, so that they are forgiven in time.
    fn more(self, now: u64, forgiven_secs: u64, most: u32) -> Self {
        let left = self.left(now, forgiven_secs);
        let begun = u64::from(self.failures - left) * forgiven_secs;
        let since = if left == 0 { now } else { self.since + begun };
        Self { failures: (left + 1).min(most), last: now, since }
    }

    /// What is left of a wait that began with the last failure. A clock that was set back ends it: better one guess
    /// too many than a lock of unknown length.
    fn rest(self, now: u64, wait: u64) -> u64 {
        if now < self.last { 0 } else { (self.last + wait).saturating_sub(now) }
    }
}

/// An account and an address.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    tally: Tally,
    /// When a stranger first asked for an account under attack; 0: not yet.
    asked: u64,
}

/// Names are digested with a key that nobody knows: long ones take no room, and none can be made to collide.
type PairKey = (u64, u64);

/// The counts.
pub struct Throttle {
    clock: Arc<dyn Clock>,
    limits: Limits,
    digest: RandomState,
    pairs: Cache<PairKey, Pair>,
    addresses: Cache<u64, Tally>,
    accounts: Cache<u64, Tally>,
    /// When a pair last logged in.
    known: Cache<PairKey, u64>,
}

impl Throttle {
    /// Nobody has failed yet.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            digest: RandomState::new(),
            pairs: table(&limits),
            addresses: table(&limits),
            accounts: table(&limits),
            known: table(&limits),
            limits,
        }
    }

    /// Somebody is about to try a password. `Err`: not now, but in so many seconds.
    pub fn begin(&self, account: &str, address: Option<IpAddr>) -> Result<Attempt<'_>, u64> {
        let pair = (self.digest.hash_one(account), self.digest.hash_one(address.map(network)));
        let now = self.clock.unix_secs();
        let stranger = self.is_stranger(pair, now);
        let mut wait = self.closed(pair, stranger, now);
        if stranger {
            wait = wait.max(self.turn(pair, now));
        }
        if wait > 0 { Err(wait) } else { Ok(Attempt { throttle: self, pair, stranger, ended: false }) }
    }

    fn is_stranger(&self, pair: PairKey, now: u64) -> bool {
        let known = self.known.get(&pair);
        known.is_none_or(|since| now.saturating_sub(since) > self.limits.known_secs)
    }

    /// How long the pair or its address has to wait for what it did itself.
    fn closed(&self, pair: PairKey, stranger: bool, now: u64) -> u64 {
        let Limits { pair_free, pair_forgiven_secs, address_free, address_forgiven_secs, .. } = self.limits;
        let own = self.pairs.get(&pair).unwrap_or_default().tally;
        let mut wait = own.rest(now, self.wait(own.left(now, pair_forgiven_secs), pair_free));
        if stranger {
            let all = self.addresses.get(&pair.1).unwrap_or_default();
            wait = wait.max(all.rest(now, self.wait(all.left(now, address_forgiven_secs), address_free)));
        }
        wait
    }

    /// None at first, then one second, doubled with each failure.
    fn wait(&self, failures: u32, free: u32) -> u64 {
        match failures.checked_sub(free) {
            None => 0,
            Some(beyond) => (1 << beyond.min(32)).min(self.limits.wait_secs_max),
        }
    }

    /// How long a stranger has to wait because of what others did to the account. The wait runs from when this
    /// stranger first asked, so nobody can prolong it for another.
    fn turn(&self, pair: PairKey, now: u64) -> u64 {
        let limits = &self.limits;
        let attacked = self.accounts.get(&pair.0).unwrap_or_default().left(now, limits.account_forgiven_secs);
        let Some(beyond) = attacked.checked_sub(limits.account_free) else { return 0 };
        let first = (1 << (beyond / 16).min(32)).min(limits.stranger_secs_max);
        let entry = self.pairs.entry(pair).and_upsert_with(|entry| {
            let mut pair = entry.map(moka::Entry::into_value).unwrap_or_default();
            if now.saturating_sub(pair.asked) > TURN_SECS || pair.asked > now {
                pair.asked = now;
            }
            pair
        });
        let Pair { tally, asked } = entry.into_value();
        match tally.left(now, limits.pair_forgiven_secs) {
            0 => (asked + first).saturating_sub(now),
            failed => tally.rest(now, (first << failed.min(32)).min(limits.attacker_secs_max)),
        }
    }

    fn failed(&self, pair: PairKey) {
        let (now, limits) = (self.clock.unix_secs(), &self.limits);
        self.pairs.entry(pair).and_upsert_with(|entry| {
            let mut pair = entry.map(moka::Entry::into_value).unwrap_or_default();
            pair.tally = pair.tally.more(now, limits.pair_forgiven_secs, limits.pair_free + 12);
            pair
        });
        let count = |table: &Cache<u64, Tally>, key, forgiven_secs, most| {
            table.entry(key).and_upsert_with(|entry| {
                entry.map(moka::Entry::into_value).unwrap_or_default().more(now, forgiven_secs, most)
            });
        };
        count(&self.addresses, pair.1, limits.address_forgiven_secs, limits.address_free + 12);
        count(&self.accounts, pair.0, limits.account_forgiven_secs, limits.account_free * 4);
    }
}

/// One try of a password. Dropped without a word it counts as a failure: who hangs up while the password is being
/// checked has made us work all the same.
pub struct Attempt<'a> {
    throttle: &'a Throttle,
    pair: PairKey,
    stranger: bool,
    ended: bool,
}

impl Attempt<'_> {
    /// The password was right. `Err`: so many others of the same pair or address failed meanwhile that this one is not
    /// to be told either; else a thousand guesses at once would be as good as one by one.
    pub fn right(mut self) -> Result<(), u64> {
        self.ended = true;
        self.overtaken()?;
        self.throttle.pairs.invalidate(&self.pair);
        self.throttle.known.insert(self.pair, self.throttle.clock.unix_secs());
        Ok(())
    }

    /// The password was wrong. `Err`: as in `right`, so that the two cannot be told apart.
    pub fn wrong(mut self) -> Result<(), u64> {
        self.ended = true;
        let overtaken = self.overtaken();
        self.throttle.failed(self.pair);
        overtaken
    }

    /// Nobody could tell.
    pub fn void(mut self) {
        self.ended = true;
    }

    fn overtaken(&self) -> Result<(), u64> {
        let now = self.throttle.clock.unix_secs();
        match self.throttle.closed(self.pair, self.stranger, now) {
            0 => Ok(()),
            wait => Err(wait),
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.throttle.failed(self.pair);
        }
    }
}

/// What counts as one address: of IPv6 a /64, since that is what one customer is given.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn table<K, V>(limits: &Limits) -> Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    // Not the default policy, which keeps what is used often and would not let a newcomer in during a flood.
    Cache::builder().max_capacity(limits.entries_max).eviction_policy(EvictionPolicy::lru()).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FixedClock;
    use proptest::prelude::*;

    const A: &str = "198.51.100.1";
    const B: &str = "203.0.113.9";

    struct Door {
        clock: Arc<FixedClock>,
        throttle: Throttle,
    }

    impl Door {
        fn new() -> Self {
            let clock = Arc::new(FixedClock::at(1_700_000_000));
            let throttle = Throttle::new(Limits::default(), Arc::clone(&clock) as Arc<dyn Clock>);
            Self { clock, throttle }
        }

        fn begin(&self, account: &str, address: &str) -> Result<Attempt<'_>, u64> {
            self.throttle.begin(account, Some(address.parse().unwrap()))
        }

        /// Whether the try was let through to a check of the password.
        fn fail(&self, account: &str, address: &str) -> Result<(), u64> {
            self.begin(account, address)?.wrong()
        }

        /// How long somebody with the right password is kept waiting in all.
        fn log_in(&self, account: &str, address: &str) -> u64 {
            let begun = self.clock.unix_secs();
            while let Err(wait) = self.begin(account, address).and_then(Attempt::right) {
                self.clock.advance(wait);
            }
            self.clock.unix_secs() - begun
        }

        /// A thousand addresses fail for a while, each as soon as it is told that it may; how many guesses they had.
        fn distributed_attack(&self, account: &str, secs: u64) -> usize {
            let mut next = vec![0; 1000];
            let mut guesses = 0;
            for _ in 0..secs {
                let now = self.clock.unix_secs();
                for (n, at) in next.iter_mut().enumerate() {
                    if *at > now {
                        continue;
                    }
                    match self.fail(account, &format!("10.0.{}.{}", n / 250, n % 250)) {
                        Ok(()) => guesses += 1,
                        Err(wait) => *at = now + wait,
                    }
                }
                self.clock.advance(1);
            }
            guesses
        }
    }

    #[test]
    fn a_pair_is_forgiven_a_few_times_and_then_waits_twice_as_long_each_time() {
        let door = Door::new();
        for _ in 0..5 {
            assert_eq!(door.fail("amy", A), Ok(()));
        }
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(door.begin("amy", A).err(), Some(expected));
            door.clock.advance(expected - 1);
            assert_eq!(
                door.begin("amy", A).err(),
                Some(1),
                "the wait runs down and is not prolonged by asking"
            );
            door.clock.advance(1);
            assert_eq!(door.fail("amy", A), Ok(()));
        }
    }

    #[test]
    fn a_success_clears_its_own_pair_and_nothing_else() {
        let door = Door::new();
        for _ in 0..4 {
            door.fail("amy", A).unwrap();
            door.fail("bob", A).unwrap();
        }
        assert_eq!(door.log_in("amy", A), 0);
        for _ in 0..5 {
            assert_eq!(door.fail("amy", A), Ok(()));
        }
        assert!(door.begin("amy", A).is_err());
        door.fail("bob", A).unwrap();
        assert!(door.begin("bob", A).is_err(), "four of five were left");
    }

    #[test]
    fn failures_are_forgiven_one_by_one() {
        let door = Door::new();
        for _ in 0..5 {
            door.fail("amy", A).unwrap();
        }
        for secs in [600, 599, 601] {
            door.clock.advance(secs);
            assert_eq!(door.fail("amy", A), Ok(()), "after {secs}");
            assert!(door.begin("amy", A).is_err(), "after {secs}");
            door.clock.advance(1);
        }
        door.clock.advance(7 * 24 * 3600);
        for _ in 0..5 {
            assert_eq!(door.fail("amy", A), Ok(()));
        }
    }

    #[test]
    fn a_slow_and_steady_machine_with_an_old_password_makes_no_attack() {
        let door = Door::new();
        for _ in 0..1000 {
            door.fail("ci", A).unwrap();
            door.clock.advance(60);
        }
        assert_eq!(door.log_in("ci", B), 0);
        assert_eq!(door.log_in("amy", A), 0);
    }

    proptest! {
        #[test]
        fn a_tally_never_grows_by_itself(steps in prop::collection::vec((any::<bool>(), 0u64..2000), 1..60), drain in 0u64..700) {
            let (mut tally, mut now, mut failed) = (Tally::default(), 1_700_000_000, 0);
            for (fails, secs) in steps {
                let before = tally.left(now, drain);
                now += secs;
                let left = tally.left(now, drain);
                prop_assert!(left <= before && left <= failed);
                if fails {
                    failed += 1;
                    tally = tally.more(now, drain, 17);
                    prop_assert_eq!(tally.left(now, drain), (left + 1).min(17));
                }
            }
        }
    }

    #[test]
    fn many_accounts_tried_from_one_address_slow_that_address() {
        let door = Door::new();
        assert_eq!(door.log_in("amy", A), 0);
        let tried = (0..1000).filter(|n| door.fail(&format!("user{n}"), A).is_ok()).count();
        assert_eq!(tried, 20);
        assert!(door.begin("new", A).is_err());
        assert!(
            door.begin("amy", A).is_ok(),
            "who logged in from there lately does not suffer for the others"
        );
        assert!(door.begin("new", B).is_ok());
    }

    #[test]
    fn ten_thousand_failures_from_one_address_do_not_keep_an_administrator_out() {
        for seconds_between in [0, 1, 61] {
            let door = Door::new();
            assert_eq!(door.log_in("admin", B), 0);
            for _ in 0..10_000 {
                let _ = door.fail("admin", A);
                door.clock.advance(seconds_between);
            }
            assert_eq!(door.log_in("admin", B), 0, "one who logged in before");
            assert!(door.log_in("admin", "192.0.2.77") <= 8, "one who comes from a new address");
            assert!(door.begin("admin", A).is_err() || seconds_between == 61);
        }
    }

    #[test]
    fn a_distributed_attack_is_slowed_and_keeps_no_administrator_out() {
        let door = Door::new();
        assert_eq!(door.log_in("admin", B), 0);
        let guesses = door.distributed_attack("admin", 3600);
        // Each address alone would have had some 65 in the hour.
        assert!(guesses < 15_000, "{guesses}");
        assert!(guesses > 1000, "{guesses}: the test attacks");
        assert_eq!(door.log_in("admin", B), 0, "one who logged in before");
        assert!(door.log_in("admin", "192.0.2.77") <= 8, "one who comes from a new address");
        assert_eq!(door.log_in("amy", "192.0.2.77"), 0, "other accounts do not suffer");
    }

    #[test]
    fn an_attack_that_goes_on_cannot_take_the_turn_of_a_stranger() {
        let door = Door::new();
        door.distributed_attack("admin", 60);
        let address = "192.0.2.77";
        let told = door.begin("admin", address).err().unwrap();
        assert!((1..=8).contains(&told));
        door.distributed_attack("admin", told);
        assert!(door.begin("admin", address).and_then(Attempt::right).is_ok());
        door.distributed_attack("admin", 60);
        assert_eq!(door.log_in("admin", address), 0, "and is no stranger from then on");
    }

    #[test]
    fn a_stranger_who_mistypes_under_attack_waits_longer_but_gets_in() {
        let door = Door::new();
        door.distributed_attack("admin", 60);
        let wait = door.begin("admin", B).err().unwrap();
        door.clock.advance(wait);
        door.fail("admin", B).unwrap();
        assert!(door.log_in("admin", B) <= 16);
    }

    #[test]
    fn a_turn_that_nobody_takes_is_lost() {
        let door = Door::new();
        door.distributed_attack("admin", 60);
        assert!(door.begin("admin", B).is_err());
        door.clock.advance(500);
        door.distributed_attack("admin", 60);
        door.clock.advance(50);
        assert!(door.begin("admin", B).is_err());
    }

    #[test]
    fn guesses_at_once_learn_no_more_than_guesses_one_by_one() {
        let door = Door::new();
        let burst: Vec<_> = (0..100).map(|_| door.begin("amy", A).unwrap()).collect();
        let (mut told, mut burst) = (0, burst.into_iter());
        for attempt in burst.by_ref().take(99) {
            told += usize::from(attempt.wrong().is_ok());
        }
        assert_eq!(told, 5);
        assert!(burst.next().unwrap().right().is_err(), "not even the right one is told");
        assert!(door.begin("amy", A).is_err());
    }

    #[test]
    fn right_logins_at_once_are_all_let_in() {
        let door = Door::new();
        let burst: Vec<_> = (0..200).map(|_| door.begin("ci", A).unwrap()).collect();
        assert!(burst.into_iter().all(|attempt| attempt.right().is_ok()));
    }

    #[test]
    fn who_hangs_up_has_failed_and_who_could_not_be_judged_has_not() {
        let door = Door::new();
        for _ in 0..50 {
            door.begin("amy", A).unwrap().void();
        }
        for _ in 0..5 {
            drop(door.begin("amy", A).unwrap());
        }
        assert!(door.begin("amy", A).is_err());
    }

    #[test]
    fn a_neighbourhood_of_ipv6_is_one_address() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn who_has_no_address_is_counted_too() {
        let door = Door::new();
        for _ in 0..5 {
            door.throttle.begin("amy", None).unwrap().wrong().unwrap();
        }
        assert!(door.throttle.begin("amy", None).is_err());
        assert!(door.begin("amy", A).is_ok());
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let clock = Arc::new(FixedClock::at(1_700_000_000));
        let throttle = Throttle::new(Limits::default(), Arc::clone(&clock) as Arc<dyn Clock>);
        for _ in 0..5 {
            throttle.begin("amy", None).unwrap().wrong().unwrap();
        }
        clock.advance(0u64.wrapping_sub(86_400));
        assert!(throttle.begin("amy", None).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let clock = Arc::new(FixedClock::at(1_700_000_000));
        let limits = Limits { entries_max: 100, ..Limits::default() };
        let throttle = Throttle::new(limits, Arc::clone(&clock) as Arc<dyn Clock>);
        for n in 0..10_000u32 {
            let address = Some(IpAddr::from((0x0a00_0000 + n).to_be_bytes()));
            throttle.begin(&format!("user{n}"), address).unwrap().wrong().unwrap();
        }
        throttle.pairs.run_pending_tasks();
        throttle.addresses.run_pending_tasks();
        throttle.accounts.run_pending_tasks();
        assert!(throttle.pairs.entry_count() <= 100);
        assert!(throttle.addresses.entry_count() <= 100);
        assert!(throttle.accounts.entry_count() <= 100);
        // A flood of others does not let a newcomer guess freely.
        for _ in 0..5 {
            throttle.begin("amy", None).unwrap().wrong().unwrap();
        }
        assert!(throttle.begin("amy", None).is_err());
    }
}
