//! Lengths of time as Go writes them: `168h`, `2h45m`, `1.5s`; a bare number is a number of nanoseconds.

/// Whole seconds, rounded up so that nothing short becomes nothing. None for what is no length of time, is negative,
/// or is longer than Go can hold (292 years).
pub fn seconds(text: &str) -> Option<u64> {
    let nanoseconds = nanoseconds(text.trim())?;
    u64::try_from(nanoseconds.div_ceil(1_000_000_000)).ok()
}

fn nanoseconds(text: &str) -> Option<u128> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().filter(within);
    }
    let mut total = 0u128;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(end);
        let end = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        total = total.checked_add(times(number, size(unit)?)?)?;
        rest = behind;
    }
    Some(total).filter(within)
}

fn within(nanoseconds: &u128) -> bool {
    i64::try_from(*nanoseconds).is_ok()
}

fn size(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// A decimal number of units. Digits beyond the twelfth behind the point do not count.
fn times(number: &str, unit: u128) -> Option<u128> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && part.is_empty() || whole.len() > 20 || part.contains('.') {
        return None;
    }
    let part = &part[..part.len().min(12)];
    let read = |digits: &str| if digits.is_empty() { Some(0u128) } else { digits.parse().ok() };
    let scale = 10u128.pow(u32::try_from(part.len()).ok()?);
    let whole = read(whole)?.checked_mul(unit)?;
    let part = read(part)?.checked_mul(unit)? / scale;
    whole.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_reads_them() {
        for (text, expected) in [
            ("168h", Some(604_800)),
            ("2h45m", Some(9900)),
            ("1h30m10.5s", Some(5411)),
            ("1.5h", Some(5400)),
            (".5m", Some(30)),
            ("10ms", Some(1)),
            ("0", Some(0)),
            ("3000000000", Some(3)),
            ("+60s", Some(60)),
            ("-60s", None),
            ("", None),
            ("7", Some(1)),
            ("7d", None),
            ("60 s", None),
            ("1h2", None),
            ("h", None),
            ("1..5s", None),
            ("99999999999999999999h", None),
            ("3000000h", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9.hmsnuµ+-]{0,40}") {
            let _ = seconds(&text);
        }

        #[test]
        fn hours_minutes_and_seconds_add_up(h in 0u64..1000, m in 0u64..1000, s in 0u64..1000) {
            proptest::prop_assert_eq!(seconds(&format!("{h}h{m}m{s}s")), Some(h * 3600 + m * 60 + s));
        }
    }
}
