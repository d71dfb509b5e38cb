//! What metadata on a disk of its own must do, with both engines: the contract of all backends, and what no backend
//! but these can get wrong.

mod damage;
mod engines;
mod folders;
mod kills;
mod rules;
