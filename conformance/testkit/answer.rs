//! What the server answered: status, headers, body, and the demands that tests make of them.
//! It must not know sockets.

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header lines in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, unframed.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// A header that must be there.
    #[track_caller]
    pub fn need(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name} header in {self}"))
    }

    /// The comma separated members of every header line of that name.
    pub fn members(&self, name: &str) -> Vec<String> {
        let lines = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        lines.flat_map(|(_, v)| v.split(',')).map(|m| m.trim().to_owned()).filter(|m| !m.is_empty()).collect()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("body is not JSON ({e}): {self}"))
    }

    /// The codes of the error body, in order.
    #[track_caller]
    pub fn codes(&self) -> Vec<String> {
        let json = self.json();
        let errors = json["errors"].as_array().unwrap_or_else(|| panic!("no `errors` list in {self}"));
        errors.iter().map(|e| e["code"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What a caller can compare with another answer: all but dates and ids. What `hide` names counts for the same.
    pub fn seen(&self, hide: &[&str]) -> (u16, Vec<(String, String)>, String) {
        let hidden = |text: &str| hide.iter().fold(text.to_owned(), |text, word| text.replace(word, "#"));
        let told = |name: &str| !matches!(name, "date" | "x-request-id" | "content-length");
        let headers = self.headers.iter().filter(|(name, _)| told(name));
        let headers = headers.map(|(name, value)| (name.clone(), hidden(value))).collect();
        (self.status, headers, hidden(&String::from_utf8_lossy(&self.body)))
    }

    /// Demands this status and hands the answer on.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "unexpected answer {self}");
        self
    }

    /// Demands this status, a well-formed error body with this code first, and a message for a person.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status, status, "unexpected answer {self}");
        assert_eq!(self.codes().first().map(String::as_str), Some(code), "unexpected code in {self}");
        let message = self.json()["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
        assert!(!message.is_empty(), "no message in {self}");
        self
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(&self.body[..self.body.len().min(600)]).into_owned();
        write!(f, "{} {:?} body of {} bytes: {shown}", self.status, self.headers, self.body.len())
    }
}

/// Parses a status line with its headers; the body is still empty.
pub fn parse_head(head: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Answer { status, headers, body: Vec::new() })
}
