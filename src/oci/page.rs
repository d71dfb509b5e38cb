//! Pages of lists: how many entries, after which one.

/// What a caller asks of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// At most so many entries. May be 0: an empty answer without a next page.
    pub entries_max: usize,
    /// Only entries that sort after this text, byte by byte; from the beginning if `None`.
    pub last: Option<String>,
}

impl Page {
    /// The first page of so many entries.
    pub fn first(entries_max: usize) -> Self {
        Self { entries_max, last: None }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The entries in order.
    pub entries: Vec<T>,
    /// Whether entries follow.
    pub more: bool,
}

impl<T> Listed<T> {
    /// A page without entries, and none after it.
    pub fn empty() -> Self {
        Self { entries: Vec::new(), more: false }
    }
}
