//! Whether changes are taken. A registry that is to be read alone takes none, ever; one that is being moved takes none
//! for a while: whoever moves it holds it, and has to say so again and again, so that a move that has died lets go by
//! itself. It must not know what a change is.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

/// Why a change is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The configuration says so.
    #[error("this registry is for reading alone: it takes no changes")]
    Always,
    /// It is held.
    #[error(
        "the registry is being moved and takes no changes for the moment; reading goes on; try again in a minute"
    )]
    ForNow,
}

/// Whether changes are taken, and which are under way.
#[derive(Debug, Default)]
pub struct ReadOnly {
    always: bool,
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    under_way: usize,
    hold: Option<Hold>,
}

#[derive(Debug, Clone, Copy)]
struct Hold {
    id: Uuid,
    /// `None`: until the process ends.
    until: Option<Instant>,
}

/// A change that is under way until this is dropped.
#[derive(Debug)]
pub struct Change<'a>(&'a ReadOnly);

impl ReadOnly {
    /// Changes are taken; if `always`, none of images.
    pub fn new(always: bool) -> Self {
        Self { always, ..Self::default() }
    }

    /// Begins a change of what the registry holds.
    pub fn change(&self) -> Result<Change<'_>, Refused> {
        if self.always { Err(Refused::Always) } else { self.change_of_accounts() }
    }

    /// Begins a change of accounts. A registry that is for reading alone takes those: somebody has to be let in.
    pub fn change_of_accounts(&self) -> Result<Change<'_>, Refused> {
        let mut state = self.state();
        if state.held().is_some() {
            return Err(Refused::ForNow);
        }
        state.under_way += 1;
        Ok(Change(self))
    }

    /// Takes no changes from now on for `term`, or until the process ends; never for less than was said before. Answers
    /// what names this time without changes: the same as the last one for as long as none was taken in between.
    pub fn hold(&self, term: Option<Duration>) -> Uuid {
        let mut state = self.state();
        let until = term.map(|term| Instant::now() + term);
        let hold = match state.held() {
            Some(hold) => Hold { until: hold.until.zip(until).map(|(old, new)| old.max(new)), ..hold },
            None => Hold { id: Uuid::new_v4(), until },
        };
        state.hold = Some(hold);
        hold.id
    }

    /// Takes changes again.
    pub fn give_back(&self) {
        self.state().hold = None;
    }

    /// What names the time without changes, while there is one.
    pub fn held(&self) -> Option<Uuid> {
        self.state().held().map(|hold| hold.id)
    }

    /// Changes that are under way.
    pub fn under_way(&self) -> usize {
        self.state().under_way
    }

    /// Waits until no change is under way, at most so long. False: some still are.
    pub async fn quiet(&self, at_most: Duration) -> bool {
        let waited = async {
            loop {
                let ended = self.ended.notified();
                if self.under_way() == 0 {
                    return;
                }
                ended.await;
            }
        };
        tokio::time::timeout(at_most, waited).await.is_ok()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn held(&self) -> Option<Hold> {
        self.hold.filter(|hold| hold.until.is_none_or(|until| Instant::now() < until))
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.0.state().under_way -= 1;
        self.0.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_hold_ends_by_itself_and_the_next_one_has_another_name() {
        let read_only = ReadOnly::new(false);
        let first = read_only.hold(Some(TERM));
        assert_eq!(read_only.change().err(), Some(Refused::ForNow));
        tokio::time::advance(TERM / 2).await;
        assert_eq!(read_only.hold(Some(TERM)), first, "renewed in time");
        tokio::time::advance(TERM / 4 * 3).await;
        assert_eq!(read_only.held(), Some(first));
        tokio::time::advance(TERM / 4).await;
        assert_eq!(read_only.held(), None);
        drop(read_only.change().unwrap());
        assert_ne!(read_only.hold(None), first, "something may have changed in between");
        tokio::time::advance(TERM * 1000).await;
        read_only.hold(Some(TERM));
        tokio::time::advance(TERM * 2).await;
        assert!(read_only.change_of_accounts().is_err(), "a shorter hold does not end a longer one");
        read_only.give_back();
        assert!(read_only.change_of_accounts().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_quiet_when_the_last_change_has_ended() {
        let read_only = ReadOnly::new(false);
        let (one, two) = (read_only.change().unwrap(), read_only.change_of_accounts().unwrap());
        read_only.hold(None);
        drop(one);
        assert!(!read_only.quiet(TERM).await);
        let (quiet, ()) = tokio::join!(read_only.quiet(TERM), async {
            tokio::time::sleep(TERM / 2).await;
            drop(two);
        });
        assert!(quiet);
    }

    #[test]
    fn for_reading_alone_is_about_images() {
        let read_only = ReadOnly::new(true);
        assert_eq!(read_only.change().err(), Some(Refused::Always));
        assert!(read_only.change_of_accounts().is_ok());
    }
}
