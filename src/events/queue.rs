//! A bounded queue of events between those who tell and the one who writes them down.

use crate::events::event::Event;
use crate::events::sink::EventSink;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Events that may wait to be written down.
const WAITING_MAX: usize = 16 << 10;

/// The way in.
pub struct Queue {
    sender: mpsc::Sender<Event>,
    dropped: AtomicU64,
}

/// A queue, and where its events come out.
pub fn queue() -> (Queue, mpsc::Receiver<Event>) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Queue { sender, dropped: AtomicU64::new(0) }, receiver)
}

impl Queue {
    /// Events that found no room since this was last asked.
    pub fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

impl EventSink for Queue {
    fn emit(&self, event: Event) {
        // Before it waits here: a thousand long names would be a lot of memory.
        if self.sender.try_send(event.shortened()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::event::What;

    #[test]
    fn long_texts_of_strangers_are_cut_before_they_wait() {
        let (queue, mut events) = queue();
        for who in ["x".repeat(100_000), "\u{e9}".repeat(100_000), "short".into()] {
            queue.emit(Event {
                what: What::Login,
                who,
                object: String::new(),
                detail: String::new(),
                address: None,
            });
        }
        let lengths = std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.who.chars().count());
        assert_eq!(lengths.collect::<Vec<_>>(), [512, 512, 5]);
    }
}
