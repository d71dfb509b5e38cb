//! What one process at a time does, of all that share the metadata: whatever is true of several records at once. Whoever
//! has its turn knows what others have done before it. `locks.rs` sees to the same within a process, and comes first.
//!
//! Turns are leases: that of a process which is no more ends by itself, and that of one which works is renewed.

use crate::auth::accounts::directory::{Directory, Others};
use crate::auth::accounts::name::folded;
use crate::auth::error::{Error, Result};
use crate::metadata::news::News;
use crate::record::Shelf;
use std::time::Duration;
use tokio::time::Instant;

/// How long others wait for a process that says nothing more.
const TERM: Duration = Duration::from_secs(30);
/// How long a turn is waited for. After that the change came too late.
const WAIT_MAX: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Does what is about the account of this name, user or service account.
pub async fn account<T>(
    directory: &Directory,
    name: &str,
    act: impl Future<Output = Result<T>>,
) -> Result<T> {
    alone(directory, &format!("account:{}", folded(name)), act).await
}

/// Does what is about the group of this name.
pub async fn group<T>(directory: &Directory, name: &str, act: impl Future<Output = Result<T>>) -> Result<T> {
    alone(directory, &format!("group:{}", folded(name)), act).await
}

/// Does what makes one administrator less. Where the turn of an account is taken too, that comes first.
pub async fn admins<T>(directory: &Directory, act: impl Future<Output = Result<T>>) -> Result<T> {
    alone(directory, "administrators", act).await
}

async fn alone<T>(directory: &Directory, turn: &str, act: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(others) = &directory.others else { return act.await };
    let taken = wait(others, turn).await?;
    let done = async {
        catch_up(directory, others).await?;
        act.await
    };
    let done = tokio::select! {
        biased; // once it is lost nothing more is done
        () = lost(others, turn, taken) => Err(Error::Stale),
        done = done => done,
    };
    if let Err(error) = others.leases.give_back(turn).await {
        tracing::debug!(%error, turn, "a turn could not be given back; it ends by itself");
    }
    done
}

/// Answers when the turn was taken.
async fn wait(others: &Others, turn: &str) -> Result<Instant> {
    let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        let asked = Instant::now();
        if others.leases.take(turn, TERM).await? {
            return Ok(asked);
        }
        if began.elapsed() > WAIT_MAX {
            return Err(Error::Stale);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Renews the turn for as long as it is polled; done when it may be another one's.
async fn lost(others: &Others, turn: &str, mut taken: Instant) {
    while taken.elapsed() < TERM * 2 / 3 {
        tokio::time::sleep(TERM / 6).await;
        let asked = Instant::now();
        let renewed = tokio::time::timeout(TERM / 6, others.leases.take(turn, TERM)).await;
        if matches!(renewed, Ok(Ok(true))) {
            taken = asked;
        }
    }
}

/// Takes up what others have changed of which this process may not have heard.
async fn catch_up(directory: &Directory, others: &Others) -> Result<()> {
    match others.newspaper.unread().await? {
        News::Records(records) => {
            for (shelf, name) in records {
                look_again(directory, shelf, &name).await?;
            }
            Ok(())
        }
        // All of it is being read again; whoever asks a moment later finds it.
        News::Nothing => Ok(()),
        News::Anything => Err(Error::Stale),
    }
}

async fn look_again(directory: &Directory, shelf: Shelf, name: &str) -> Result<()> {
    // A change of ours that is under way ends first, or what it has just done could be undone in memory.
    let _alone = directory.locks.record(shelf, name).await;
    let record = directory.accounts.find(shelf, name).await?;
    directory.absorb(shelf, name, record.as_ref());
    Ok(())
}
