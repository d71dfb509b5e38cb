//! Where a list goes on whose entries are not all for the caller: a name that they may see is told as it is, any other
//! only sealed, so that nobody learns it.

use crate::oci::repository::Repository;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, RandomizedNonceKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a sealed one begins with; no name does.
const MARK: char = '~';
const KEY_BYTES: usize = 32;
/// All names are sealed as if they had this length; none is longer.
const SEALED_BYTES: usize = 255;

/// Seals and opens places in lists. A sealed place means nothing to another process: the list then begins anew.
pub struct Cursors(Option<RandomizedNonceKey>);

impl Default for Cursors {
    fn default() -> Self {
        let mut key = [0; KEY_BYTES];
        // Without a key nothing is sealed, and such a list ends early rather than telling a name.
        let made = rand::fill(&mut key).and_then(|()| RandomizedNonceKey::new(&AES_256_GCM, &key));
        Self(made.ok())
    }
}

impl Cursors {
    /// What to give as `last` for the page that follows `next`; `shown` is the last name that the caller sees anyway.
    pub fn seal(&self, next: Option<Repository>, shown: Option<&Repository>) -> Option<String> {
        let next = next?;
        if shown == Some(&next) {
            return Some(next.to_string());
        }
        let key = self.0.as_ref()?;
        let mut text = next.as_str().as_bytes().to_vec();
        text.resize(text.len().max(SEALED_BYTES), 0); // or its length would tell of the name
        let nonce = key.seal_in_place_append_tag(Aad::empty(), &mut text).ok()?;
        let sealed = [nonce.as_ref().as_slice(), &text].concat();
        Some(format!("{MARK}{}", URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// The place that a client came with. One that does not open is the beginning.
    pub fn open(&self, last: Option<String>) -> Option<String> {
        let last = last?;
        match last.strip_prefix(MARK) {
            None => Some(last),
            Some(sealed) => self.unsealed(sealed),
        }
    }

    fn unsealed(&self, sealed: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let opened = self.0.as_ref()?.open_in_place(nonce.into(), Aad::empty(), &mut text).ok()?;
        Some(String::from_utf8(opened.to_vec()).ok()?.trim_end_matches('\0').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_names_are_sealed_and_shown_ones_are_not() {
        let cursors = Cursors::default();
        let name = |text: &str| text.parse::<Repository>().unwrap();
        let shown = cursors.seal(Some(name("team/app")), Some(&name("team/app")));
        assert_eq!(shown.as_deref(), Some("team/app"));
        for seen in [None, Some(name("team/another"))] {
            let sealed = cursors.seal(Some(name("secret/app")), seen.as_ref()).unwrap();
            assert!(sealed.starts_with(MARK) && !sealed.contains("secret"));
            assert!(sealed.parse::<Repository>().is_err());
            assert_eq!(cursors.open(Some(sealed)).as_deref(), Some("secret/app"));
        }
        assert_eq!(cursors.seal(None, Some(&name("a"))), None);
    }

    #[test]
    fn what_does_not_open_is_the_beginning() {
        let cursors = Cursors::default();
        let foreign = Cursors::default().seal(Some("a".parse().unwrap()), None);
        assert_eq!(cursors.open(foreign), None);
        for text in ["~", "~x", "~####", "~AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(cursors.open(Some(text.into())), None, "{text}");
        }
        assert_eq!(cursors.open(Some("team/app".into())).as_deref(), Some("team/app"));
    }
}
