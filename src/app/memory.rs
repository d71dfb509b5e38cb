//! How the process treats memory that it has freed.

use std::hint::black_box;

/// Bodies come and go in buffers of up to 256 KiB. By default glibc gives such memory back to the system with
/// each free, and faults it in anew with each allocation: an eighth of the processor time of a large push.
///
/// glibc learns from the largest block that it has mapped and been given back what is worth keeping (mallopt(3),
/// `M_MMAP_THRESHOLD`, "dynamic"). So it is shown one, once, untouched; other allocators do not care.
pub fn keep_buffers() {
    const SHOWN_BYTES: usize = 4 << 20;
    drop(black_box(Vec::<u8>::with_capacity(SHOWN_BYTES)));
}
