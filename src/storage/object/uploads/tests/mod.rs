//! What uploads to a bucket must do: the contract, one at a time, by several processes, and in crowds.

mod alone;
mod copies;
mod crowds;
mod one;
mod rules;
mod turns;
