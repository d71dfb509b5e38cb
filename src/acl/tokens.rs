//! Globs that were read: what they consist of, and whether a text fits. `*`, `?` and classes mean exactly what Go's
//! `path.Match` makes of them, since docker_auth's rules were written for that; `**` is ours. Knows no syntax.
//!
//! Fitting takes at most length of the glob x length of the text, and no memory for names of repositories.

/// A part of a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// This text.
    Literal(String),
    /// `?`: one character other than `/`.
    One,
    /// `[..]`
    Class(Class),
    /// `*`: anything without a `/`.
    Star,
    /// `**`: anything.
    Across,
    /// The next one of the values that come with the question, as a literal.
    Slot,
}

/// One character out of these ranges, or out of none of them. As in Go that may be a `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// `[^..]`
    pub negated: bool,
    /// First and last.
    pub ranges: Vec<(char, char)>,
}

impl Class {
    /// Whether it has this character.
    pub fn has(&self, one: char) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&one)) != self.negated
    }
}

/// A whole glob.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    /// No two neighbours are literals, or stars.
    tokens: Vec<Token>,
    crosses: bool,
}

/// A set of places in a text that fits on the stack for a text of 319 bytes; names of repositories have 255.
const WORDS: usize = 5;

impl Tokens {
    /// Puts a token at the end, or melts it into the last one.
    pub fn push(&mut self, token: Token) {
        self.crosses |= token == Token::Across;
        match (self.tokens.last_mut(), &token) {
            (Some(Token::Literal(text)), Token::Literal(more)) => text.push_str(more),
            (Some(Token::Star | Token::Across), Token::Star) | (Some(Token::Across), Token::Across) => {}
            (Some(last @ Token::Star), Token::Across) => *last = token,
            _ => self.tokens.push(token),
        }
    }

    /// Its parts.
    pub fn parts(&self) -> &[Token] {
        &self.tokens
    }

    /// The one text that fits, if there is only one.
    pub fn literal(&self) -> Option<&str> {
        match self.tokens.as_slice() {
            [] => Some(""),
            [Token::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// How every text that fits begins.
    pub fn prefix(&self) -> &str {
        match self.tokens.first() {
            Some(Token::Literal(text)) => text,
            _ => "",
        }
    }

    /// Whether the whole text fits, with these values in the slots.
    pub fn fit(&self, text: &str, slots: &[&str]) -> bool {
        if !text.starts_with(self.prefix()) {
            return false;
        }
        match self.tokens.as_slice() {
            [Token::Across] | [Token::Literal(_), Token::Across] => true,
            tokens if self.crosses => crossing(tokens, text, slots),
            tokens => within(tokens, text.as_bytes(), slots),
        }
    }
}

/// Go's way: every piece between two stars is put at the first place where it fits, and stays there.
fn within(tokens: &[Token], mut text: &[u8], mut slots: &[&str]) -> bool {
    let mut rest = tokens;
    'pieces: while !rest.is_empty() {
        let star = rest[0] == Token::Star;
        let piece = &rest[usize::from(star)..];
        let end = piece.iter().position(|token| *token == Token::Star).unwrap_or(piece.len());
        let (piece, after) = piece.split_at(end);
        if star && piece.is_empty() {
            return !text.contains(&b'/');
        }
        rest = after;
        let used = piece.iter().filter(|token| **token == Token::Slot).count();
        let (here, later) = slots.split_at(used.min(slots.len()));
        slots = later;
        let fits = |text| begins(piece, text, here).filter(|left| left.is_empty() || !after.is_empty());
        if let Some(left) = fits(text) {
            text = left;
            continue;
        }
        if star {
            let open = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
            for skipped in 1..=open {
                if let Some(left) = fits(&text[skipped..]) {
                    text = left;
                    continue 'pieces;
                }
            }
        }
        return false;
    }
    text.is_empty()
}

/// What is left of a text after a piece without stars.
fn begins<'t>(piece: &[Token], mut text: &'t [u8], slots: &[&str]) -> Option<&'t [u8]> {
    let mut slots = slots.iter();
    for token in piece {
        text = match token {
            Token::Literal(literal) => text.strip_prefix(literal.as_bytes())?,
            Token::Slot => text.strip_prefix(slots.next()?.as_bytes())?,
            Token::One => {
                let (one, long) = first(text)?;
                if one == '/' {
                    return None;
                }
                &text[long..]
            }
            Token::Class(class) => {
                let (one, long) = first(text)?;
                if !class.has(one) {
                    return None;
                }
                &text[long..]
            }
            Token::Star | Token::Across => return None,
        };
    }
    Some(text)
}

/// The first character and its length. Go's stars step over bytes; inside a character it then sees U+FFFD, of one byte.
fn first(text: &[u8]) -> Option<(char, usize)> {
    let long = match text.first()? {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0.. => 4,
        _ => 1,
    };
    let one = text.get(..long).and_then(|bytes| std::str::from_utf8(bytes).ok()?.chars().next());
    Some(one.map_or((char::REPLACEMENT_CHARACTER, 1), |one| (one, long)))
}

/// With `**`: all the places where the text may be cut after the first token, the second, and so on.
fn crossing(tokens: &[Token], text: &str, slots: &[&str]) -> bool {
    let words = text.len() / 64 + 1;
    let (mut small, mut large) = ([0; WORDS], Vec::new());
    let places = if words <= WORDS {
        &mut small[..words]
    } else {
        large.resize(words, 0);
        &mut large[..]
    };
    let mut reach = Reach { places, text };
    reach.add(0);
    let mut slots = slots.iter();
    for token in tokens {
        match token {
            Token::Literal(literal) => reach.step(|rest| rest.starts_with(literal).then_some(literal.len())),
            Token::Slot => {
                let value = slots.next();
                reach.step(|rest| value.and_then(|value| rest.starts_with(value).then_some(value.len())));
            }
            Token::One => reach.step(|rest| rest.chars().next().filter(|c| *c != '/').map(char::len_utf8)),
            Token::Class(class) => {
                reach.step(|rest| rest.chars().next().filter(|c| class.has(*c)).map(char::len_utf8));
            }
            Token::Star => reach.spread(|byte| byte != b'/'),
            Token::Across => reach.spread(|_| true),
        }
    }
    reach.has(text.len())
}

/// A set of places in a text, a bit each.
struct Reach<'a> {
    places: &'a mut [u64],
    text: &'a str,
}

impl Reach<'_> {
    fn has(&self, place: usize) -> bool {
        self.places[place / 64] >> (place % 64) & 1 == 1
    }

    fn add(&mut self, place: usize) {
        self.places[place / 64] |= 1 << (place % 64);
    }

    /// Moves every place on by what is told of the text behind it, or drops it. From the last place to the first,
    /// since places only move on.
    fn step(&mut self, long: impl Fn(&str) -> Option<usize>) {
        for word in (0..self.places.len()).rev() {
            let mut left = std::mem::take(&mut self.places[word]);
            while left != 0 {
                let bit = left.ilog2() as usize;
                left &= !(1 << bit);
                let place = word * 64 + bit;
                if let Some(long) = long(&self.text[place..]) {
                    self.add(place + long);
                }
            }
        }
    }

    /// From every place on as long as bytes may be stepped over.
    fn spread(&mut self, over: impl Fn(u8) -> bool) {
        let mut on = false;
        for (place, byte) in self.text.bytes().enumerate() {
            on |= self.has(place);
            if on && self.text.is_char_boundary(place) {
                self.add(place);
            }
            on &= over(byte);
        }
        if on {
            self.add(self.text.len());
        }
    }
}
