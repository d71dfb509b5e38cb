//! Tables and figures for people: columns that stand under each other, sizes and times in short. Nothing in them can steer
//! a terminal.

use crate::upstream::error::printable;
use chrono::DateTime;
use indicatif::DecimalBytes;

/// Lays out rows under a head. The last column is not filled up.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let cell = |text: &str| if text.is_empty() { "-".to_owned() } else { printable(text) };
    let mut lines: Vec<[String; N]> = vec![head.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| row.each_ref().map(|text| cell(text))));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let laid_out = lines.iter().map(|line| {
        let cells = line.iter().zip(widths).map(|(text, width)| format!("{text:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    laid_out.collect::<Vec<_>>().join("\n")
}

/// Bytes in short.
pub fn size(bytes: u64) -> String {
    DecimalBytes(bytes).to_string()
}

/// A time as an image writes it, in short; what is no time as it is.
pub fn time(text: &str) -> String {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.to_utc().format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => printable(text),
    }
}

/// When that was, for sorting; unknown times are the oldest.
pub fn moment(text: Option<&str>) -> i64 {
    text.and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .map_or(i64::MIN, |time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows =
            [["a".into(), "10 kB".into(), "x".into()], ["longer".into(), String::new(), "é\u{1b}".into()]];
        let laid_out = table(["TAG", "SIZE", "KIND"], &rows);
        assert_eq!(laid_out, "TAG     SIZE   KIND\na       10 kB  x\nlonger  -      é\u{fffd}");
    }

    #[test]
    fn times_are_told_in_one_zone() {
        assert_eq!(time("2026-01-02T03:04:05.123+01:00"), "2026-01-02 02:04:05 UTC");
        assert_eq!(time("yester\u{7}day"), "yester\u{fffd}day");
        assert!(moment(Some("2026-01-02T03:04:05Z")) > moment(Some("2026-01-02T03:04:05+01:00")));
        assert!(moment(None) < moment(Some("0001-01-01T00:00:00Z")) && moment(Some("x")) == moment(None));
    }
}
