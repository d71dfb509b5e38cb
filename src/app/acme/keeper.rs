//! Keeps a certificate from an ACME server: the one of the last run, a new one when two thirds of its life are
//! over, and patience when the ACME server does not give one.

use crate::app::acme::answers::Answers;
use crate::app::acme::cache::Cache;
use crate::app::acme::config::Config;
use crate::app::acme::order::{self, order};
use crate::app::tls::pair::{Bad, Pair};
use crate::app::tls::shown::Shown;
use crate::clock::Clock;
use std::sync::Arc;
use std::time::Duration;

/// How long one try may take.
const TRY: Duration = Duration::from_mins(10);
/// How long we sleep at most before the clock is asked again: it may be set, and machines are put to sleep.
const NAP_SECS: u64 = 3600;
/// The pause after the first failure and the longest one. Let's Encrypt takes five failures for a name in an hour.
const PAUSE_SECS: u64 = 150;
const PAUSE_SECS_MAX: u64 = 6 * 3600;

/// Keeps a certificate.
pub struct Keeper {
    /// What is to be had, and from whom.
    pub config: Config,
    /// Where it is kept.
    pub cache: Cache,
    /// Where challenges are answered.
    pub answers: Arc<Answers>,
    /// Where it is shown.
    pub shown: Arc<Shown>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Order(#[from] order::Error),
    #[error("what the ACME server gave is no certificate for our key: {0}")]
    Bad(#[from] Bad),
    #[error("the ACME server did not come to an end in time")]
    Time,
}

/// The certificate of the last run, if there is one that reads. One that has expired is better than none: clients
/// then say what is wrong.
pub fn kept(cache: &Cache) -> Option<Pair> {
    let read = match cache.certificate() {
        Ok(Some(bytes)) => Pair::parse(&bytes, &bytes).map_err(|bad| bad.to_string()),
        Ok(None) => return None,
        Err(error) => Err(error.to_string()),
    };
    match read {
        Ok(pair) => Some(pair),
        Err(error) => {
            tracing::warn!(error, "the certificate of the last run does not read; a new one is ordered");
            None
        }
    }
}

impl Keeper {
    /// Keeps it for as long as the server runs.
    pub async fn keep(self, mut current: Option<Pair>) {
        let mut failures = 0_u32;
        let mut due = current.as_ref().map_or(0, |pair| renewal(pair, chance()));
        loop {
            let now = self.clock.unix_secs();
            if now < due {
                tokio::time::sleep(Duration::from_secs((due - now).min(NAP_SECS))).await;
                continue;
            }
            let tried = tokio::time::timeout(TRY, self.renew()).await.unwrap_or(Err(Error::Time));
            let now = self.clock.unix_secs();
            match tried {
                Ok(pair) => {
                    failures = 0;
                    due = renewal(&pair, chance()).max(now + rest(&pair));
                    tracing::info!(
                        certificate = pair.told(),
                        "a certificate from the ACME server is shown from now on"
                    );
                    current = Some(pair);
                }
                Err(error) => {
                    failures += 1;
                    let next = pause(failures, chance());
                    due = now + next;
                    let shown =
                        current.as_ref().map_or("a temporary one that nobody trusts".into(), Pair::told);
                    tracing::error!(
                        %error, failures, next_try_secs = next, shown, "no new certificate from the ACME server"
                    );
                }
            }
        }
    }

    async fn renew(&self) -> Result<Pair, Error> {
        let issued = order(&self.config, &self.cache, &self.answers).await?;
        let pair = Pair::parse(issued.chain.as_bytes(), issued.key.as_bytes())?;
        self.shown.replace(Arc::clone(&pair.shown));
        // Shown even where it cannot be kept: the next start then orders another one.
        if let Err(error) = self.cache.put_certificate(format!("{}\n{}", issued.key, issued.chain).as_bytes())
        {
            tracing::error!(%error, "the new certificate could not be kept on disk");
        }
        Ok(pair)
    }
}

/// A number that differs from one server to the next, so that they do not all ask at once.
fn chance() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}

/// When to renew: after two thirds of its life, give or take a sixtieth.
fn renewal(pair: &Pair, chance: u32) -> u64 {
    let life = i128::from(pair.ends.saturating_sub(pair.begins).max(0));
    let about = i128::from(chance) * life / 30 / i128::from(u32::MAX) - life / 60;
    u64::try_from(i128::from(pair.begins) + life * 2 / 3 + about).unwrap_or(0)
}

/// The least time between two certificates: a clock that is wrong must not make us order one after the other.
fn rest(pair: &Pair) -> u64 {
    (u64::try_from(pair.ends.saturating_sub(pair.begins)).unwrap_or(0) / 3).clamp(1, NAP_SECS)
}

/// How long to wait after so many failures: twice as long each time, up to six hours, give or take a tenth.
fn pause(failures: u32, chance: u32) -> u64 {
    let doubled = PAUSE_SECS << (failures.saturating_sub(1)).min(16);
    let pause = doubled.min(PAUSE_SECS_MAX);
    pause - pause / 10 + u64::from(chance) * (pause / 5) / u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::acme::selfmade;
    use proptest::prelude::*;

    fn pair(begins: i64, ends: i64) -> Pair {
        let shown = selfmade::temporary(&["r.example".into()]).unwrap();
        Pair { shown, begins, ends, names: Vec::new() }
    }

    #[test]
    fn a_certificate_of_ninety_days_is_renewed_after_sixty() {
        let day = 24 * 3600;
        let begins = 1_000_000;
        let pair = pair(begins, begins + 90 * day);
        let after = |chance| i64::try_from(renewal(&pair, chance)).unwrap() - begins;
        let near = |chance, expected: i64| (after(chance) - expected).abs() <= 1;
        assert!(near(0, 60 * day - 36 * 3600), "{}", after(0));
        assert!(near(u32::MAX / 2, 60 * day), "{}", after(u32::MAX / 2));
        assert!(near(u32::MAX, 60 * day + 36 * 3600), "{}", after(u32::MAX));
    }

    #[test]
    fn failures_wait_longer_and_longer_and_then_six_hours() {
        let middle = |failures| pause(failures, u32::MAX / 2);
        assert!((149..=151).contains(&middle(1)) && (299..=301).contains(&middle(2)));
        assert!((21_598..=21_602).contains(&middle(9)) && middle(u32::MAX) == middle(9));
        let first_hour: u64 = (1..=5).map(|failures| pause(failures, 0)).sum();
        assert!(first_hour > 3600, "at most five tries in the first hour: {first_hour}");
    }

    proptest! {
        #[test]
        fn no_certificate_is_renewed_in_a_hurry(
            begins in any::<i64>(), ends in any::<i64>(), chance in any::<u32>(), failures in any::<u32>(),
        ) {
            let pair = pair(begins, ends);
            let due = renewal(&pair, chance);
            prop_assert!(due <= u64::try_from(ends.max(begins)).unwrap_or(0));
            prop_assert!((1..=NAP_SECS).contains(&rest(&pair)));
            prop_assert!((PAUSE_SECS * 9 / 10..=PAUSE_SECS_MAX * 11 / 10).contains(&pause(failures, chance)));
        }
    }
}
