//! A password as it is stored: a bcrypt hash, or argon2id as a PHC string.
//!
//! A hash may come from anywhere, so its cost is bounded before anything is computed: a planted one must take
//! neither the processor nor the memory. Pure: whoever calls decides on which thread, and with which memory.

use crate::auth::error::{Error, Result};
use crate::secret::Secret;
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What we store: OWASP's first choice for argon2id, 19 MiB and two passes on one lane.
pub const OURS: Scheme = Scheme::Argon2id { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
/// Most memory that a hash may ask for.
pub const MEMORY_KIB_MAX: u32 = 128 << 10;
/// Most memory that a hash may have written in all passes together: about a second.
const WORK_KIB_MAX: u64 = 1 << 20;
const LANES_MAX: u32 = 16;
/// Some four seconds; each step doubles it.
const BCRYPT_COST_MAX: u32 = 16;
const BCRYPT_COST_MIN: u32 = 4;
const HASH_BYTES_MAX: usize = 512;
/// bcrypt sees no byte of a password beyond these.
pub const BCRYPT_BYTES: usize = 72;
const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;
const BCRYPT_ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// How a hash is computed, and so what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// RFC 9106.
    Argon2id {
        /// Memory.
        memory_kib: u32,
        /// Passes over it.
        passes: u32,
        /// Lanes; computed one after the other here.
        lanes: u32,
    },
    /// `$2a$`, `$2b$`, `$2y$`, which are the same.
    Bcrypt {
        /// The logarithm of its rounds.
        cost: u32,
    },
}

impl Scheme {
    /// The memory that it takes.
    pub fn memory_kib(self) -> u32 {
        match self {
            Self::Argon2id { memory_kib, .. } => memory_kib,
            Self::Bcrypt { .. } => 4,
        }
    }
}

/// A hash that reads and whose cost is bounded. Its `Debug` does not show it.
#[derive(Debug, Clone)]
pub struct StoredHash {
    text: Secret,
    scheme: Scheme,
}

impl StoredHash {
    /// Reads a hash, or tells in a sentence why it is none that can be taken.
    pub fn parse(text: &str) -> std::result::Result<Self, &'static str> {
        if text.len() > HASH_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it is no hash of a password: want bcrypt ($2y$..) or argon2id ($argon2id$..)");
        }
        if text.starts_with("$2") {
            return bcrypt(text);
        }
        if text.starts_with("$argon2") {
            return argon2id(text);
        }
        Err(match text {
            _ if text.starts_with("$apr1$") || text.starts_with("$1$") => {
                "it is an MD5 hash, which anybody can reverse: make a bcrypt one, with `htpasswd -B`"
            }
            _ if text.starts_with("{SHA}") => {
                "it is a SHA-1 hash, which anybody can reverse: make a bcrypt one, with `htpasswd -B`"
            }
            _ if text.starts_with("$5$") || text.starts_with("$6$") => {
                "it is a sha-crypt hash, which is not taken: make a bcrypt one, with `htpasswd -B`"
            }
            _ => "it is neither a bcrypt ($2y$..) nor an argon2id ($argon2id$..) hash",
        })
    }

    /// A hash that no password has and that costs as much as any other of its scheme.
    pub fn dummy(scheme: Scheme) -> Result<Self> {
        let mut output = [0; OUTPUT_BYTES];
        random(&mut output)?;
        let text = match scheme {
            Scheme::Argon2id { .. } => phc(scheme, &salt()?, &output),
            Scheme::Bcrypt { cost } => {
                let mut chars = [0; 53];
                random(&mut chars)?;
                let tail = chars.map(|byte| char::from(BCRYPT_ALPHABET[usize::from(byte) % 64]));
                // The last character of the salt and that of the output are not full: their spare bits are none.
                let tail = tail.iter().enumerate().map(|(at, c)| if at == 21 || at == 52 { &'.' } else { c });
                format!("$2b${cost:02}${}", tail.collect::<String>())
            }
        };
        Ok(Self { text: Secret::new(text), scheme })
    }

    /// Hashes a new password as `OURS`. Takes the memory that `OURS` says.
    pub fn make(password: &[u8], memory: &mut Vec<Block>) -> Result<Self> {
        let salt = salt()?;
        let mut output = [0; OUTPUT_BYTES];
        compute(OURS, password, &salt, (memory, &mut output))
            .ok_or_else(|| Error::Key("a password could not be hashed".into()))?;
        Ok(Self { text: Secret::new(phc(OURS, &salt, &output)), scheme: OURS })
    }

    /// The hash itself, to be stored.
    pub fn text(&self) -> &str {
        self.text.expose()
    }

    /// What it costs.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether it should be replaced by `OURS` when its password is next seen.
    pub fn is_weak(&self) -> bool {
        match (self.scheme, OURS) {
            (
                Scheme::Argon2id { memory_kib, passes, .. },
                Scheme::Argon2id { memory_kib: ours, passes: ours_passes, .. },
            ) => memory_kib < ours || passes < ours_passes,
            _ => true,
        }
    }

    /// Whether it is the hash of this password. Takes processor and memory as its scheme says; `memory` is scratch
    /// space, which grows to that and may be used again.
    pub fn verify(&self, password: &[u8], memory: &mut Vec<Block>) -> bool {
        match self.scheme {
            Scheme::Bcrypt { .. } => bcrypt::verify(password, self.text()).unwrap_or(false),
            Scheme::Argon2id { .. } => {
                let Ok(parsed) = PasswordHash::new(self.text()) else { return false };
                let (Some(salt), Some(expected)) = (parsed.salt, parsed.hash) else { return false };
                let mut output = vec![0; expected.len()];
                let computed = compute(self.scheme, password, salt.as_ref(), (memory, &mut output));
                let same = aws_lc_rs::constant_time::verify_slices_are_equal(&output, expected.as_bytes());
                computed.is_some() && same.is_ok()
            }
        }
    }
}

fn bcrypt(text: &str) -> std::result::Result<StoredHash, &'static str> {
    const MALFORMED: &str = "it begins as a bcrypt hash and is none: one has 60 characters";
    if !["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
        return Err("it is a bcrypt hash of a form that is not taken: only $2a$, $2b$ and $2y$ are");
    }
    // `parse` alone would take "+9" for a number.
    let cost = text.get(4..6).filter(|cost| cost.bytes().all(|byte| byte.is_ascii_digit()));
    let cost = cost.and_then(|cost| cost.parse().ok()).ok_or(MALFORMED)?;
    if !(BCRYPT_COST_MIN..=BCRYPT_COST_MAX).contains(&cost) {
        return Err("it is a bcrypt hash whose cost is not within 4 and 16: a login would take too long");
    }
    let text = without_spare_bits(text).ok_or(MALFORMED)?;
    text.parse::<bcrypt::HashParts>().map_err(|_| MALFORMED)?;
    Ok(StoredHash { text: Secret::new(text), scheme: Scheme::Bcrypt { cost } })
}

/// Some programs fill the four bits that a salt's last character has too many. They mean nothing, but our reader
/// of base64 is strict.
fn without_spare_bits(text: &str) -> Option<String> {
    const AT: usize = 28;
    let last = text.as_bytes().get(AT)?;
    let value = BCRYPT_ALPHABET.iter().position(|c| c == last)?;
    let plain = char::from(BCRYPT_ALPHABET[value & 0b11_0000]);
    Some(format!("{}{plain}{}", text.get(..AT)?, text.get(AT + 1..)?))
}

fn argon2id(text: &str) -> std::result::Result<StoredHash, &'static str> {
    const MALFORMED: &str =
        "it begins as an argon2 hash and is none of the form $argon2id$v=19$m=..,t=..,p=..$salt$hash";
    if !text.starts_with("$argon2id$v=19$") {
        return Err("it is an argon2 hash of a form that is not taken: only $argon2id$v=19$ is");
    }
    let parsed = PasswordHash::new(text).map_err(|_| MALFORMED)?;
    let params = Params::try_from(&parsed).map_err(|_| MALFORMED)?;
    let salted = parsed.salt.is_some_and(|salt| salt.as_ref().len() >= argon2::MIN_SALT_LEN);
    let long = parsed.hash.is_some_and(|hash| hash.len() >= 16);
    if !salted || !long || !params.keyid().is_empty() || !params.data().is_empty() {
        return Err(MALFORMED);
    }
    let (memory_kib, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    if memory_kib > MEMORY_KIB_MAX || lanes > LANES_MAX {
        return Err("it is an argon2id hash that takes more than 128 MiB or 16 lanes");
    }
    if u64::from(memory_kib) * u64::from(passes) > WORK_KIB_MAX {
        return Err("it is an argon2id hash whose passes take too long");
    }
    Ok(StoredHash { text: Secret::new(text), scheme: Scheme::Argon2id { memory_kib, passes, lanes } })
}

/// Fills the output, or answers `None` if these parameters cannot be computed.
fn compute(scheme: Scheme, password: &[u8], salt: &[u8], room: (&mut Vec<Block>, &mut [u8])) -> Option<()> {
    let Scheme::Argon2id { memory_kib, passes, lanes } = scheme else { return None };
    let (memory, output) = room;
    let params = Params::new(memory_kib, passes, lanes, Some(output.len())).ok()?;
    let blocks = params.block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::new());
    }
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into_with_memory(password, salt, output, memory.get_mut(..blocks)?).ok()
}

fn phc(scheme: Scheme, salt: &[u8], output: &[u8]) -> String {
    let Scheme::Argon2id { memory_kib, passes, lanes } = scheme else { return String::new() };
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
    format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${output}")
}

fn salt() -> Result<[u8; SALT_BYTES]> {
    let mut salt = [0; SALT_BYTES];
    random(&mut salt)?;
    Ok(salt)
}

fn random(bytes: &mut [u8]) -> Result<()> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| Error::Key("the system gives no random bytes".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ARGON2: &str =
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

    fn right(hash: &str, password: &str) -> bool {
        StoredHash::parse(hash).unwrap().verify(password.as_bytes(), &mut Vec::new())
    }

    #[test]
    fn hashes_of_others_are_verified() {
        // The argon2 reference's and Openwall's crypt_blowfish's own vectors.
        assert!(right(ARGON2, "password"));
        assert!(right(
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
            "password"
        ));
        for prefix in ["$2a$", "$2b$", "$2y$"] {
            assert!(right(&BCRYPT.replace("$2a$", prefix), "U*U"), "{prefix}");
        }
        for wrong in ["", "U*", "U*U ", "u*u", "password "] {
            assert!(!right(BCRYPT, wrong) && !right(ARGON2, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_made_is_verified_and_is_ours() {
        let (mut memory, password) = (Vec::new(), "pä:ß wört".as_bytes());
        let made = StoredHash::make(password, &mut memory).unwrap();
        assert!(made.text().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", made.text());
        let read = StoredHash::parse(made.text()).unwrap();
        assert_eq!(read.scheme(), OURS);
        assert!(!read.is_weak());
        // The scratch memory still holds what the first left behind.
        assert!(read.verify(password, &mut memory));
        assert!(!read.verify(b"another", &mut memory));
        let again = StoredHash::make(password, &mut memory).unwrap();
        assert_ne!(again.text(), made.text(), "the salt is by chance");
    }

    #[test]
    fn bcrypt_sees_72_bytes() {
        let hash = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
        let password = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        assert_eq!(password.len(), BCRYPT_BYTES);
        assert!(right(hash, password));
        assert!(right(hash, &format!("{password}chars after 72 are ignored")));
        assert!(!right(hash, &password[..71]));
    }

    #[test]
    fn bits_that_mean_nothing_are_forgiven() {
        let spare = BCRYPT.replace("CC.E5", "CC/E5");
        assert_ne!(spare, BCRYPT);
        assert!(right(&spare, "U*U"));
        assert!(!right(&spare, "U*V"));
    }

    #[test]
    fn what_is_weaker_than_ours_is_told() {
        let weak = |hash: &str| StoredHash::parse(hash).unwrap().is_weak();
        assert!(weak(ARGON2) && weak(BCRYPT));
        let of = |parameters: &str| ARGON2.replace("m=256,t=2,p=1", parameters);
        assert!(weak(&of("m=19456,t=1,p=1")) && weak(&of("m=19455,t=9,p=1")));
        assert!(!weak(&of("m=19456,t=2,p=4")) && !weak(&of("m=65536,t=3,p=4")));
    }

    #[test]
    fn costs_are_bounded() {
        let told = |hash: &str| StoredHash::parse(hash).err().unwrap_or("taken");
        for cost in ["17", "31", "99", "03", "00"] {
            assert!(
                told(&BCRYPT.replace("$05$", &format!("${cost}$"))).contains("within 4 and 16"),
                "{cost}"
            );
        }
        let of = |parameters: &str| ARGON2.replace("m=256,t=2,p=1", parameters);
        assert!(told(&of("m=131073,t=1,p=1")).contains("128 MiB"));
        assert!(told(&of("m=4294967295,t=1,p=1")).contains("128 MiB"));
        assert!(told(&of("m=1024,t=1,p=17")).contains("16 lanes"));
        assert!(told(&of("m=131072,t=9,p=1")).contains("too long"));
        assert!(told(&of("m=8,t=4294967295,p=1")).contains("too long"));
        assert_eq!(told(&of("m=131072,t=8,p=1")), "taken");
        assert_eq!(told(&BCRYPT.replace("$05$", "$16$")), "taken");
    }

    #[test]
    fn what_is_no_hash_that_can_be_taken_is_told_in_a_sentence() {
        for (text, part) in [
            ("", "neither"),
            ("secret", "neither"),
            ("$apr1$abcdefgh$0123456789012345678901", "htpasswd -B"),
            ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "htpasswd -B"),
            ("$6$salt$hash", "sha-crypt"),
            ("$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "only $2a$"),
            ("$2$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "only $2a$"),
            ("$2a$+5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "60 characters"),
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe", "60 characters"),
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC!E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "60 characters"),
            ("$2a$05", "60 characters"),
            ("$2y$05$ééééééééééééééééééééé.E5YPO9kmyuRGyh0XouQYb4YMJKvy", "no hash"),
            (
                "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
                "only $argon2id$",
            ),
            ("$argon2id$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "v=19"),
            ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ", "of the form"),
            ("$argon2id$v=19$m=256,t=2,p=1", "of the form"),
            ("$argon2id$v=19$c29tZXNhbHQ$nf65EOgLrQMR", "of the form"),
            (
                "$argon2id$v=19$m=0,t=0,p=0$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
                "of the form",
            ),
        ] {
            let told = StoredHash::parse(text).err().unwrap_or("taken");
            assert!(told.contains(part), "{text:?}: {told}");
        }
    }

    #[test]
    fn a_dummy_reads_costs_as_much_and_has_no_password() {
        for scheme in
            [OURS, Scheme::Argon2id { memory_kib: 64, passes: 3, lanes: 2 }, Scheme::Bcrypt { cost: 5 }]
        {
            let dummy = StoredHash::dummy(scheme).unwrap();
            assert_eq!(StoredHash::parse(dummy.text()).unwrap().scheme(), scheme);
            assert!(!dummy.verify(b"", &mut Vec::new()));
        }
    }

    #[test]
    fn a_hash_is_not_shown() {
        let shown = format!("{:?}", StoredHash::parse(ARGON2).unwrap());
        assert!(!shown.contains("nf65EOgL") && !shown.contains("c29tZXNhbHQ"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            let _ = StoredHash::parse(&text);
        }

        #[test]
        fn no_text_that_begins_well_panics(
            head in prop::sample::select(vec!["$2y$", "$2y$05$", "$argon2id$v=19$", "$argon2id$v=19$m=8,t=1,p=1$"]),
            text in "[!-~]{0,70}",
        ) {
            if let Ok(hash) = StoredHash::parse(&format!("{head}{text}"))
                && hash.scheme().memory_kib() < 1024 && hash.scheme() <= (Scheme::Bcrypt { cost: 6 })
            {
                hash.verify(b"x", &mut Vec::new());
            }
        }

        #[test]
        fn a_changed_hash_never_panics(at in 0usize..60, byte in prop::num::u8::ANY, password in prop::collection::vec(any::<u8>(), 0..90)) {
            for hash in [ARGON2, BCRYPT] {
                let mut bytes = hash.as_bytes().to_vec();
                bytes[at] = byte;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                if let Ok(hash) = StoredHash::parse(&text)
                    && hash.scheme() <= (Scheme::Bcrypt { cost: 6 })
                    && hash.scheme().memory_kib() < 1024
                {
                    hash.verify(&password, &mut Vec::new());
                }
            }
        }
    }
}
