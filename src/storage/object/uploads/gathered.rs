//! Bytes of a body that are gathered in memory until they are worth a request.

use bytes::{Bytes, BytesMut};

/// Below so many bytes a chunk is copied to its neighbours: each keeps alive the whole buffer that it was read into.
const LOOSE_BYTES: usize = 4 << 10;
/// Copied chunks grow to so many bytes.
const JOINED_BYTES: usize = 64 << 10;

/// Bytes in order.
#[derive(Default)]
pub struct Gathered {
    pieces: Vec<Bytes>,
    loose: BytesMut,
    bytes: u64,
    seen: usize,
}

impl Gathered {
    /// Adds bytes at the end.
    pub fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len() as u64;
        if piece.len() < LOOSE_BYTES {
            self.loose.extend_from_slice(&piece);
            if self.loose.len() >= JOINED_BYTES {
                self.join();
            }
        } else {
            self.join();
            self.pieces.push(piece);
        }
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What was added since the last call; of the last few bytes only if `all`.
    pub fn unseen(&mut self, all: bool) -> Vec<Bytes> {
        if all {
            self.join();
        }
        let unseen = self.pieces.get(self.seen..).unwrap_or_default().to_vec();
        self.seen = self.pieces.len();
        unseen
    }

    /// All bytes; none are left.
    pub fn take(&mut self) -> Vec<Bytes> {
        self.join();
        (self.bytes, self.seen) = (0, 0);
        std::mem::take(&mut self.pieces)
    }

    fn join(&mut self) {
        if !self.loose.is_empty() {
            self.pieces.push(std::mem::take(&mut self.loose).freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_keep_their_order(sizes in prop::collection::vec(prop_oneof![0..20_usize, 4000..5000_usize, 60_000..70_000_usize], 0..60), looks in any::<u64>()) {
            let (mut gathered, mut all, mut seen, mut joined) = (Gathered::default(), Vec::new(), Vec::new(), 1);
            for (nth, size) in sizes.into_iter().enumerate() {
                let piece: Vec<u8> = (0..size).map(|at| (at * 7 + nth) as u8).collect();
                all.extend_from_slice(&piece);
                gathered.push(piece.into());
                if looks >> (nth % 64) & 1 == 1 {
                    seen.extend(gathered.unseen(nth % 2 == 0));
                    joined += 1;
                }
            }
            prop_assert_eq!(gathered.bytes(), all.len() as u64);
            seen.extend(gathered.unseen(true));
            prop_assert!(seen.concat() == all);
            let pieces = gathered.take();
            prop_assert!(pieces.len() <= all.len() / LOOSE_BYTES * 2 + 1 + joined);
            prop_assert!(pieces.concat() == all);
            prop_assert_eq!(gathered.bytes(), 0);
        }
    }
}
