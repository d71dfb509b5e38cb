//! A pattern of a rule: a glob, or a regular expression between slashes, either with placeholders. Reads what
//! docker_auth reads and matches what it matches, `**` aside, which is ours. Knows nothing of a rule but the other
//! patterns of its `match`.

use crate::acl::asked::Asked;
use crate::acl::config::Match;
use crate::acl::glob::{Part, read};
use crate::acl::placeholder::{Piece, pieces};
use crate::acl::regexes::{Fits, Memo, between_slashes, compile};
use crate::acl::template::Template;
use crate::acl::tokens::Tokens;
use regex::Regex;

/// A pattern.
#[derive(Debug, Clone)]
pub struct Pattern(Form);

#[derive(Debug, Clone)]
enum Form {
    Glob(Tokens),
    Regex(Regex),
    Template(Box<Template>),
}

impl Pattern {
    /// Reads a pattern of a `match`, one of the labels' if `of_label`: there, `${labels:..}` has no value.
    pub fn compile(text: &str, entry: &Match, of_label: bool) -> Result<Self, String> {
        let pieces = pieces(text)?;
        if pieces.iter().any(|piece| !matches!(piece, Piece::Text(_))) {
            let template = Template::compile(&pieces, entry, of_label)?;
            return Ok(Self(Form::Template(Box::new(template))));
        }
        let form = match between_slashes(text) {
            Some(inner) => {
                Form::Regex(compile(inner).map_err(|wrong| format!("the expression {text:?}: {wrong}"))?)
            }
            None => Form::Glob(
                read(&[Part::Text(text)]).map_err(|wrong| format!("the glob {text:?} {wrong}"))?,
            ),
        };
        Ok(Self(form))
    }

    /// Whether a text fits.
    pub fn fits(&self, text: &str, asked: &Asked<'_>, memo: &Memo) -> Fits {
        match &self.0 {
            Form::Glob(glob) => glob.fit(text, &[]).into(),
            Form::Regex(regex) => regex.is_match(text).into(),
            Form::Template(template) => template.fits(text, asked, memo),
        }
    }

    /// Whether a text fits, if that does not depend on who asks.
    pub fn always_fits(&self, text: &str) -> Option<bool> {
        match &self.0 {
            Form::Glob(glob) => Some(glob.fit(text, &[])),
            Form::Regex(regex) => Some(regex.is_match(text)),
            Form::Template(_) => None,
        }
    }

    /// The one text that fits, if there is only one whoever asks.
    pub fn literal(&self) -> Option<&str> {
        self.glob().and_then(Tokens::literal)
    }

    /// What it consists of, if it is a glob without placeholders.
    pub fn glob(&self) -> Option<&Tokens> {
        match &self.0 {
            Form::Glob(glob) => Some(glob),
            Form::Regex(_) | Form::Template(_) => None,
        }
    }

    /// How every text that fits begins, whoever asks.
    pub fn prefix(&self) -> &str {
        match &self.0 {
            Form::Glob(glob) => glob.prefix(),
            Form::Regex(_) => "",
            Form::Template(template) => template.prefix(),
        }
    }
}
