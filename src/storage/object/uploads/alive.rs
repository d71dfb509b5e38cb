//! Shows that somebody is at work on an upload of which the bucket alone tells: as long as anything of it is young, nobody
//! takes it for left behind.

use crate::oci::upload::Checkpoint;
use crate::storage::blobs::Staging;
use crate::storage::object::uploads::store::Uploads;
use bytes::Bytes;
use std::pin::pin;
use tokio::time::{Instant, MissedTickBehavior};

/// Does some work on an upload, beside an object that is written again and again meanwhile, if one is asked for.
pub async fn shown<T>(uploads: &Uploads, staging: Staging, work: impl Future<Output = T>) -> T {
    let Some(each) = staging.shown_each else { return work.await };
    let name = format!("{}.alive", Checkpoint::random());
    let mut ticks = tokio::time::interval_at(Instant::now() + each, each);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut work, mut written) = (pin!(work), false);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            _ = ticks.tick() => {}
        }
        written = true;
        tokio::select! {
            done = &mut work => break done,
            put = uploads.objects.put(staging.upload, &name, Bytes::new(), vec![]) => {
                if let Err(error) = put {
                    tracing::warn!(%error, upload = %staging.upload, "it could not be shown that an upload goes on");
                }
            }
        }
    };
    if written {
        uploads.objects.clear(staging.upload, vec![name]).await;
    }
    done
}
