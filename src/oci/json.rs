//! What every reader must agree on before JSON is believed: how deep it is, and what its fields are called.
//!
//! Readers differ: some stop at a depth, some match names without regard to case. A document that two of them
//! could read differently is refused, so that nobody is shown another manifest than the one that was checked.

/// Deepest nesting that is taken.
const DEPTH_MAX: usize = 100;

/// Whether a document nests no deeper than is good, and no field at its top is spelled almost like one of
/// `names`. The document need not be valid: what is not is left to the parser.
pub fn check(json: &[u8], names: &[&str]) -> Result<(), &'static str> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(&byte) = json.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let text = string(json.get(at..).unwrap_or_default());
                at += text.len() + 1;
                let rest = json.get(at..).unwrap_or_default();
                if depth == 1 && rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':') {
                    name(text, names)?;
                }
            }
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err("it is nested too deeply");
        }
    }
    Ok(())
}

/// The inside of a string that has just been opened.
fn string(rest: &[u8]) -> &[u8] {
    let mut escaped = false;
    let end = rest.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.and_then(|end| rest.get(..end)).unwrap_or(rest)
}

fn name(text: &[u8], names: &[&str]) -> Result<(), &'static str> {
    let decoded: Option<String> = if text.contains(&b'\\') {
        serde_json::from_slice(&[b"\"", text, b"\""].concat()).ok()
    } else {
        None
    };
    let text = decoded.as_ref().map_or(text, String::as_bytes);
    let almost = |name: &&str| name.as_bytes().eq_ignore_ascii_case(text) && name.as_bytes() != text;
    if names.iter().any(almost) { Err("a field's name differs from a known one by its case") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAMES: [&str; 2] = ["layers", "mediaType"];

    #[test]
    fn what_readers_disagree_on_is_refused() {
        let deep = |levels: usize| format!("{{\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(check(deep(90).as_bytes(), &NAMES).is_ok());
        assert!(check(deep(101).as_bytes(), &NAMES).is_err());
        for bad in [r#"{"Layers":[]}"#, r#"{"a":{},"MEDIATYPE" : ""}"#, r#"{"\u004cayers":1}"#] {
            assert!(check(bad.as_bytes(), &NAMES).is_err(), "{bad}");
        }
        for good in [
            r#"{"layers":[{"Layers":1}],"x":"Layers"}"#,
            r#"{"a":"\"Layers\":"}"#,
            r#"{"annotations":{"Layers":"x"}}"#,
            r#"{"a":"[[[{{{"}"#,
            r#"{"\u006cayers":[]}"#,
            "",
            "\"",
        ] {
            assert!(check(good.as_bytes(), &NAMES).is_ok(), "{good}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(json in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = check(&json, &NAMES);
        }
    }
}
