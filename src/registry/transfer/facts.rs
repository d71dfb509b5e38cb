//! Carries the facts that no storage tells: signing keys, when tokens were last used, the audit trail. All of it may be
//! lost without harm, so it is carried where the metadata of the source can be read, and told where it cannot.

use crate::metadata::error::Result;
use crate::metadata::open::Metadata;
use crate::oci::page::Page;
use crate::record::Shelf;

/// Rows that are read at once.
const BATCH: usize = 1000;

/// Carries them. What was carried before is not carried twice.
pub async fn carry(from: &Metadata, to: &Metadata) -> Result<()> {
    keys(from, to).await?;
    uses(from, to).await?;
    audit(from, to).await
}

async fn keys(from: &Metadata, to: &Metadata) -> Result<()> {
    for key in from.signing_keys.all().await? {
        // One that is there already stays; nothing is younger than the end of time.
        to.signing_keys.add(&key, u64::MAX).await?;
    }
    Ok(())
}

async fn uses(from: &Metadata, to: &Metadata) -> Result<()> {
    let mut page = Page::first(BATCH);
    loop {
        let listed = to.accounts.list(Shelf::Tokens, &page).await?;
        let mut uses = Vec::new();
        for (token, _) in &listed.entries {
            if let Some(at) = from.accounts.last_used(token).await? {
                uses.push((token.clone(), at));
            }
        }
        to.accounts.used(&uses).await?;
        page.last = listed.entries.into_iter().next_back().map(|(name, _)| name);
        if !listed.more || page.last.is_none() {
            return Ok(());
        }
    }
}

/// The target's newest event tells how far an earlier run has come. The trail is bounded, and so is this.
async fn audit(from: &Metadata, to: &Metadata) -> Result<()> {
    let reached = to.audit.newest(None, 1).await?.pop().map(|entry| (entry.unix_millis, entry.json));
    let (mut events, mut before) = (Vec::new(), None);
    'pages: loop {
        let entries = from.audit.newest(before, BATCH).await?;
        let count = entries.len();
        before = entries.last().map(|entry| entry.id);
        for entry in entries {
            let event = (entry.unix_millis, entry.json);
            if reached.as_ref() == Some(&event) {
                break 'pages;
            }
            events.push(event);
        }
        if count < BATCH {
            break;
        }
    }
    events.reverse();
    for batch in events.chunks(BATCH) {
        to.audit.append(batch.to_vec()).await?;
    }
    Ok(())
}
