//! The region's keys, and values sealed under them.
//!
//! A [`KeyRing`] holds one or more keys of 256 bits. The newest seals; every key of the ring opens. A value is sealed
//! with XChaCha20-Poly1305 under a random nonce of 192 bits, for a *purpose*: the purpose and the id of the key are
//! authenticated with it, so that a sealed value moved to another place does not open there.
//!
//! **Where keys live.** In one file of the data directory, readable by its owner alone and replaced as a whole. A ring
//! of another process is never written over: each change reads the file anew under a lock.
//!
//! **Rotation.** [`KeyRing::rotate`] adds a key, which seals from then on. Whoever stores sealed values goes through
//! them, seals anew what [`KeyRing::is_current`] denies, and only then lets [`KeyRing::retire`] drop the keys that
//! were superseded long enough ago; what is not stored (session tokens) has expired by then.
//!
//! Keys and opened values are overwritten in memory when they are dropped, and none has a `Debug` form that shows it.

mod file;
mod keys;
mod sealed;

pub use file::KeyFileError;
pub use keys::KeyId;
pub use sealed::OpenError;

use environment::{Environment, Timestamp};
use file::KeyFile;
use keys::{Key, Keys};
use parking_lot::{Mutex, RwLock};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The keys of a region; cheap to clone, and all clones see a rotation.
#[derive(Clone)]
pub struct KeyRing {
    environment: Environment,
    /// One change at a time.
    file: Arc<Mutex<Option<KeyFile>>>,
    keys: Arc<RwLock<Arc<Keys>>>,
}

/// What may be known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its id.
    pub id: KeyId,
    /// When it was made.
    pub created_at: Timestamp,
}

impl KeyRing {
    /// The ring in a file, which is made with its first key when there is none.
    pub fn load(path: &Path, environment: Environment) -> Result<Self, KeyFileError> {
        let file = KeyFile::new(path);
        let keys =
            file.change(|keys| Ok(keys.is_none().then(|| Keys::new(vec![Key::generate(&environment)]))))?;
        Ok(Self::new(environment, Some(file), keys))
    }

    /// A ring that is kept nowhere.
    pub fn in_memory(environment: Environment) -> Self {
        let keys = Keys::new(vec![Key::generate(&environment)]);
        Self::new(environment, None, keys)
    }

    fn new(environment: Environment, file: Option<KeyFile>, keys: Keys) -> Self {
        Self { environment, file: Arc::new(Mutex::new(file)), keys: Arc::new(RwLock::new(Arc::new(keys))) }
    }

    /// Seals bytes for a purpose; the text is URL-safe.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> String {
        let keys = self.current();
        sealed::seal(keys.newest(), purpose, plain, &self.environment)
    }

    /// Opens what was sealed for the same purpose.
    pub fn open(&self, purpose: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        sealed::open(&self.current(), purpose, text)
    }

    /// Whether a sealed text was sealed with the newest key.
    pub fn is_current(&self, text: &str) -> bool {
        sealed::key_of(text).is_some_and(|id| id == self.current().newest().id)
    }

    /// The keys, oldest first.
    pub fn list(&self) -> Vec<KeyInfo> {
        self.current().info()
    }

    /// Adds a key, which seals from now on.
    pub fn rotate(&self) -> Result<KeyId, KeyFileError> {
        let fresh = Key::generate(&self.environment);
        let id = fresh.id;
        self.change(|keys| Ok(Some(keys.with(fresh.clone()))))?;
        Ok(id)
    }

    /// Reads the file again, for keys that another process has added; whether there were any.
    pub fn reload(&self) -> Result<bool, KeyFileError> {
        let before = self.list();
        self.change(|_| Ok(None))?;
        Ok(before != self.list())
    }

    /// Drops the keys that another key has superseded for at least `kept`; returns them. Call it only when nothing
    /// stored is sealed under them any more.
    pub fn retire(&self, kept: Duration) -> Result<Vec<KeyInfo>, KeyFileError> {
        let now = self.environment.now();
        let mut gone = Vec::new();
        self.change(|keys| {
            let (left, old) = keys.split(now - kept);
            gone = old;
            Ok((!gone.is_empty()).then_some(left))
        })?;
        Ok(gone)
    }

    fn change(
        &self,
        change: impl FnOnce(&Keys) -> Result<Option<Keys>, KeyFileError>,
    ) -> Result<(), KeyFileError> {
        let file = self.file.lock();
        let keys = match &*file {
            Some(file) => file.change(|keys| match keys {
                Some(keys) => change(keys),
                None => Err(KeyFileError::Lost(file.path().to_owned())),
            })?,
            None => match change(&self.current())? {
                Some(keys) => keys,
                None => return Ok(()),
            },
        };
        // Held only here, so that nobody who seals waits for the disk.
        *self.keys.write() = Arc::new(keys);
        Ok(())
    }

    fn current(&self) -> Arc<Keys> {
        self.keys.read().clone()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.list()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
