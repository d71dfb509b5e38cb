//! An index of globs by how the names that fit begin: of ten thousand globs it tells the few that a name has to be
//! compared with. Knows neither rules nor grants, only their numbers.

use crate::acl::tokens::Tokens;
use std::collections::{BTreeSet, HashMap};

/// Numbers of globs.
#[derive(Debug, Clone, Default)]
pub struct Prefixes {
    /// Globs that one name fits.
    exact: HashMap<Box<str>, Vec<u32>>,
    /// All others, by the text before their first star, question mark, class or slot.
    open: HashMap<Box<[u8]>, Vec<u32>>,
    /// The lengths of those texts.
    lengths: BTreeSet<usize>,
}

impl Prefixes {
    /// Adds a glob. The numbers of one index only grow.
    pub fn add(&mut self, glob: &Tokens, number: u32) {
        match glob.literal() {
            Some(name) => self.exact.entry(name.into()).or_default().push(number),
            None => self.add_open(glob.prefix(), number),
        }
    }

    /// Adds what all begins with a text.
    pub fn add_open(&mut self, prefix: &str, number: u32) {
        self.lengths.insert(prefix.len());
        self.open.entry(prefix.as_bytes().into()).or_default().push(number);
    }

    /// Lists of numbers, each in order, of all that a name may fit.
    pub fn candidates(&self, name: &str) -> impl Iterator<Item = &[u32]> {
        let open =
            self.lengths.range(..=name.len()).filter_map(|length| self.open.get(&name.as_bytes()[..*length]));
        self.exact.get(name).into_iter().chain(open).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::glob::Glob;

    #[test]
    fn only_what_begins_alike_is_a_candidate() {
        let globs = ["a/b", "a/*", "a/b*", "**", "b/*", "é/*", "a/b"];
        let mut index = Prefixes::default();
        for (number, glob) in globs.iter().enumerate() {
            index.add(Glob::new(glob).unwrap().tokens(), number as u32);
        }
        let found = |name| {
            let mut all: Vec<_> = index.candidates(name).flatten().copied().collect();
            all.sort_unstable();
            all
        };
        assert_eq!(found("a/b"), [0, 1, 2, 3, 6]);
        assert_eq!(found("a/c"), [1, 3]);
        assert_eq!(found("é/c"), [3, 5]);
        assert_eq!(found(""), [3]);
    }
}
