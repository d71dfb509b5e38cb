//! What a person is told about an import: mistakes, which refuse it, and remarks, which do not. Text that comes out
//! of a file is shown in quotes and cut short, so that it can neither speak in our name nor move the cursor.

use crate::app::config::tree::Mistake;

/// The longest text of a file that is shown, in characters.
const SHOWN_MAX: usize = 80;
/// The most lines of one kind that are told.
const TOLD_MAX: usize = 500;

/// How a remark is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Something is dangerous, or was never what it looked like.
    Warning,
    /// Something has no counterpart; the sentence says what to do instead.
    NotCarried,
    /// Something to know.
    Note,
}

impl Tone {
    /// The word before a remark.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::NotCarried => "not carried",
            Self::Note => "note",
        }
    }
}

/// One sentence for the person who imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// How it is meant.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
}

/// All that is found on the way.
#[derive(Debug, Default)]
pub struct Report {
    /// What refuses the import.
    pub mistakes: Vec<Mistake>,
    /// What does not.
    pub remarks: Vec<Remark>,
    /// How many more there were than are told.
    untold: usize,
}

impl Report {
    /// Something that cannot be understood, or would change its meaning.
    pub fn mistake(&mut self, text: impl Into<String>) {
        if self.mistakes.len() < TOLD_MAX {
            self.mistakes.push(text.into());
        } else {
            self.untold += 1;
        }
    }

    /// Something dangerous, or something that was never what it looked like.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.remark(Tone::Warning, text.into());
    }

    /// Something without a counterpart.
    pub fn not_carried(&mut self, text: impl Into<String>) {
        self.remark(Tone::NotCarried, text.into());
    }

    /// Something to know.
    pub fn note(&mut self, text: impl Into<String>) {
        self.remark(Tone::Note, text.into());
    }

    fn remark(&mut self, tone: Tone, text: String) {
        if self.remarks.iter().filter(|remark| remark.tone == tone).count() < TOLD_MAX {
            self.remarks.push(Remark { tone, text });
        } else {
            self.untold += 1;
        }
    }

    /// The remarks, gravest first, or every mistake.
    pub fn verdict(mut self) -> Result<Vec<Remark>, Vec<Mistake>> {
        let more = (self.untold > 0).then(|| format!("and {} more that are not told here", self.untold));
        if !self.mistakes.is_empty() {
            self.mistakes.extend(more);
            return Err(self.mistakes);
        }
        self.remarks.sort_by_key(|remark| remark.tone);
        self.remarks.extend(more.map(|text| Remark { tone: Tone::Note, text }));
        Ok(self.remarks)
    }
}

/// A text of a file, in quotes, on one line and not too long.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// ` (line 7)`, or nothing for what stands in no line of the file.
pub fn at(line: u64) -> String {
    if line == 0 { String::new() } else { format!(" (line {line})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_a_file_stays_on_one_line_and_short() {
        assert_eq!(shown("a\"b"), r#""a\"b""#);
        assert_eq!(shown("a\nb\u{1b}[2J"), r#""a\nb\u{1b}[2J""#);
        assert!(shown(&"ä".repeat(1000)).len() < 200);
    }

    #[test]
    fn a_flood_is_cut_and_said_to_be() {
        let mut report = Report::default();
        for n in 0..10_000 {
            report.warn(format!("{n}"));
        }
        let told = report.verdict().unwrap();
        assert_eq!(told.len(), TOLD_MAX + 1);
        assert!(told.last().unwrap().text.contains("9500 more"), "{:?}", told.last());
    }

    #[test]
    fn one_mistake_refuses_and_warnings_come_first() {
        let mut report = Report::default();
        report.note("c");
        report.not_carried("b");
        report.warn("a");
        let told: Vec<String> = report.verdict().unwrap().into_iter().map(|remark| remark.text).collect();
        assert_eq!(told, ["a", "b", "c"]);
        let mut report = Report::default();
        report.warn("a");
        report.mistake("m");
        assert_eq!(report.verdict().unwrap_err(), ["m"]);
    }
}
