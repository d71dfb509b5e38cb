//! Parameters of the token issuer: a query, or a form (`application/x-www-form-urlencoded`, where `+` is a space).

use percent_encoding::percent_decode_str;

/// Parameters in the order in which they came.
// No `Debug`: passwords come in it.
#[derive(Default)]
pub struct Form(Vec<(String, String)>);

/// Most parameters that are read; a client with more gets an error from whoever misses the rest.
const PARAMETERS_MAX: usize = 256;

impl Form {
    /// Reads `a=b&c=d`. Bytes that are no UTF-8 become U+FFFD, which nothing here accepts.
    pub fn read(text: &str) -> Self {
        let decode =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).take(PARAMETERS_MAX).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// The first value of a parameter; an empty one counts as none.
    pub fn first(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether there are as many as are read, so that some may have been left out.
    pub fn is_full(&self) -> bool {
        self.0.len() == PARAMETERS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_read_as_html_says() {
        let form =
            Form::read("scope=repository%3Aa%2Fb%3Apull+repository:c:push&scope=x&empty=&flag&=z&p=a%2Bb");
        assert_eq!(form.all("scope").collect::<Vec<_>>(), ["repository:a/b:pull repository:c:push", "x"]);
        assert_eq!(form.first("empty"), None);
        assert_eq!(form.first("p"), Some("a+b"));
        assert_eq!(form.all("flag").collect::<Vec<_>>(), [""]);
        assert!(!form.is_full());
        assert!(Form::read(&"scope=a&".repeat(10_000)).is_full());
    }
}
