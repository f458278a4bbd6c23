//! Keys in memory, and the text of their file: a line for each, oldest first.

use crate::KeyInfo;
use environment::{Environment, Timestamp};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
/// Most keys of a ring: rotation is refused until old ones are retired.
pub(crate) const MOST_KEYS: usize = 100;

/// Names a key in what was sealed under it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(u64);

/// A key.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: KeyId,
    created_at: Timestamp,
    pub(crate) bytes: Zeroizing<[u8; KEY_BYTES]>,
}

/// At least one key; the last is the newest.
pub(crate) struct Keys(Vec<Key>);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = u64::from_str_radix(text, 16).map_err(|_| ())?;
        digits.then_some(Self(id)).ok_or(())
    }
}

impl Key {
    pub(crate) fn generate(environment: &Environment) -> Self {
        let mut id = [0; 8];
        environment.fill_random(&mut id);
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        environment.fill_random(&mut *bytes);
        Self { id: KeyId(u64::from_le_bytes(id)), created_at: environment.now(), bytes }
    }

    /// Reads `id created_at key`.
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split_ascii_whitespace();
        let id = parts.next()?.parse().ok()?;
        let created_at = Timestamp::parse_rfc3339(parts.next()?)?;
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        hex::decode_to_slice(parts.next()?, &mut *bytes).ok()?;
        parts.next().is_none().then_some(Self { id, created_at, bytes })
    }
}

impl Keys {
    /// `keys` is not empty.
    pub(crate) fn new(keys: Vec<Key>) -> Self {
        assert!(!keys.is_empty(), "a ring has a key");
        Self(keys)
    }

    pub(crate) fn newest(&self) -> &Key {
        // Not empty by construction.
        &self.0[self.0.len() - 1]
    }

    pub(crate) fn find(&self, id: KeyId) -> Option<&Key> {
        self.0.iter().rev().find(|key| key.id == id)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn with(&self, key: Key) -> Self {
        Self(self.0.iter().cloned().chain([key]).collect())
    }

    /// The keys that stay, and those that another superseded at `before` or earlier.
    pub(crate) fn split(&self, before: Timestamp) -> (Self, Vec<KeyInfo>) {
        let old = self.0.windows(2).take_while(|pair| pair[1].created_at <= before).count();
        (Self(self.0[old..].to_vec()), self.info().drain(..old).collect())
    }

    pub(crate) fn info(&self) -> Vec<KeyInfo> {
        self.0.iter().map(|key| KeyInfo { id: key.id, created_at: key.created_at }).collect()
    }

    /// Reads a file; the error is the number of the line that cannot be read, or 0 when there is no key at all.
    pub(crate) fn parse(text: &str) -> Result<Self, usize> {
        let lines = text.lines().enumerate();
        let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let keys = lines.map(|(index, line)| Key::parse(line).ok_or(index + 1));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(0) } else { Ok(Self(keys)) }
    }

    /// The text of the file.
    pub(crate) fn print(&self) -> Zeroizing<String> {
        const HEAD: &str = "# Keys of this region, newest last. Whoever reads them can open its secrets; without them \
                            nobody can.\n";
        // As large as it gets, so that no piece of it is left behind by growing.
        let mut text = Zeroizing::new(String::with_capacity(HEAD.len() + self.0.len() * 128));
        text.push_str(HEAD);
        for key in &self.0 {
            let mut digits = Zeroizing::new([0; 2 * KEY_BYTES]);
            // The buffer has two digits for every byte, and hexadecimal digits are ASCII.
            let encoded = hex::encode_to_slice(*key.bytes, &mut *digits);
            let digits = std::str::from_utf8(&*digits).unwrap_or_default();
            assert!(encoded.is_ok() && digits.len() == 2 * KEY_BYTES, "a key is written whole");
            text.push_str(&key.id.to_string());
            text.push(' ');
            text.push_str(&key.created_at.to_rfc3339());
            text.push(' ');
            text.push_str(digits);
            text.push('\n');
        }
        text
    }
}
