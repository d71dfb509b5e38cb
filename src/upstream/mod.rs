//! Another registry, as its client: for the commands that list, inspect and remove images anywhere. Sends a
//! credential nowhere but to the host that it is for.
