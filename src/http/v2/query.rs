//! The query of a URL. Values are percent-decoded once; `+` stays `+`, since media types hold it and no value
//! of this API holds a space.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The parameters of a query, read where they stand.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// A query without its question mark.
    pub fn new(query: Option<&'a str>) -> Self {
        Self(query.unwrap_or_default())
    }

    /// Every value of a parameter. Bytes that are no UTF-8 become U+FFFD, which no grammar here accepts.
    pub fn all(self, name: &'static str) -> impl Iterator<Item = Cow<'a, str>> {
        self.0.split('&').filter_map(move |pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then(|| percent_decode_str(value).decode_utf8_lossy())
        })
    }

    /// The first value of a parameter.
    pub fn first(self, name: &'static str) -> Option<Cow<'a, str>> {
        self.all(name).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once() {
        let query = Query::new(Some("a=x%2By&b=x+y&a=%2525&c&&=z"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["x+y", "%25"]);
        assert_eq!(query.first("b").as_deref(), Some("x+y"));
        assert_eq!(query.first("c").as_deref(), Some(""));
        assert_eq!(query.first("d"), None);
    }
}
