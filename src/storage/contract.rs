//! The contract of storage.
