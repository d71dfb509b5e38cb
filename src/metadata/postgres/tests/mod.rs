//! What metadata in PostgreSQL must do: the contract of all backends, and what no backend but a shared one can get wrong.

mod adoption;
mod holds;
mod lending;
mod news;
mod outages;
mod plans;
mod replicas;
mod rules;
mod statements;
