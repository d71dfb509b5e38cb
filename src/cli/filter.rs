//! Which names of a list are shown.

/// A pattern: with `*` or `?` in it, of the whole name; else a part of it.
#[derive(Debug, Clone)]
pub struct Filter(String);

impl Filter {
    /// Any text is a filter.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether a name is shown. `*` and `?` stay within one part of a name, `**` crosses `/`, as in rules.
    pub fn shows(&self, name: &str) -> bool {
        if !self.0.contains(['*', '?']) {
            return name.contains(&self.0);
        }
        let name: Vec<char> = name.chars().collect();
        // open[i]: the pattern so far can have taken the first i characters of the name.
        let mut open = vec![false; name.len() + 1];
        open[0] = true;
        let mut pattern = self.0.chars().peekable();
        while let Some(c) = pattern.next() {
            let star = c == '*';
            let crosses = star && pattern.next_if_eq(&'*').is_some();
            let mut next = vec![false; name.len() + 1];
            for at in 0..=name.len() {
                next[at] = match at.checked_sub(1) {
                    None => star && open[0],
                    Some(before) if star => open[at] || next[before] && (crosses || name[before] != '/'),
                    Some(before) => open[before] && (c == name[before] || c == '?' && name[before] != '/'),
                };
            }
            open = next;
        }
        open[name.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_glob_is_of_the_whole_name_and_a_text_of_a_part() {
        for (filter, name, shown) in [
            ("app", "team/app-1", true),
            ("app", "team/ap", false),
            ("team/*", "team/app", true),
            ("team/*", "team/app/x", false),
            ("team/**", "team/app/x", true),
            ("**/app", "a/b/app", true),
            ("**app", "app", true),
            ("*", "team/app", false),
            ("**", "team/app", true),
            ("1.?", "1.2", true),
            ("1.?", "1.20", false),
            ("a?b", "a/b", false),
            ("*.*", "1.2.3", true),
            ("", "anything", true),
        ] {
            assert_eq!(Filter::new(filter).shows(name), shown, "{filter:?} of {name:?}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        assert!(!Filter::new(&"*a".repeat(200)).shows(&"a".repeat(199)));
    }

    proptest! {
        #[test]
        fn a_name_with_its_end_replaced_by_a_star_is_shown(name in "[a-z]{1,9}", at in 0usize..9) {
            let cut = at.min(name.len());
            let glob = format!("{}*", &name[..cut]);
            prop_assert!(Filter::new(&glob).shows(&name));
        }
    }
}
