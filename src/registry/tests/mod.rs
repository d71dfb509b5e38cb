//! What becomes of operations that are cut short, above all where several replicas share the metadata.

mod again;
mod replica;
mod turns;
