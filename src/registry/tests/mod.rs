//! What becomes of operations that are cut short, above all where several replicas share the metadata.

mod again;
mod heirs;
mod refused;
mod replica;
mod slow;
mod turns;
