//! Who calls, and may they: access keys, sessions, registry tokens, and the policies that decide.
//!
//! A request names an access key, and a session token when the key is temporary. [`Access::credential`] finds the secret
//! that its signature must show and the [`Caller`] it speaks for. Keys are read from the store at each call; the facts
//! of a session are sealed in its token, and the user or role behind it must still be there. So what is deleted or made
//! inactive stops working at once.
//!
//! [`Access::authorize`] decides what a caller asks for: it loads the policies of the user, its groups or the role, the
//! boundary and the session's policies, and evaluates them with `iam_policy`. Compiled policies are remembered by the
//! revision of their row, so a changed policy counts from the next call on.
//!
//! It never sees the wire: which resources a request touches is said by the services.

mod accounts;
mod assume;
mod authorize;
mod caller;
mod credential;
mod denied;
mod download_token;
mod host;
mod identity;
mod key_id;
mod keys;
mod message;
mod mfa;
mod policies;
mod principals;
mod public_token;
mod registry_token;
mod session;

pub use accounts::CreateAccountError;
pub use assume::AssumeError;
pub use authorize::{Asked, RequestFacts};
pub use caller::{Caller, CallerKind, Session, SessionPolicies, Subject};
pub use credential::{Credential, NoCredential};
pub use denied::{Denied, NotAllowed};
pub use download_token::Download;
pub use host::host;
pub use identity::identity;
pub use key_id::account_of_key;
pub use keys::{NewKey, new_key};
pub use mfa::{MfaError, code_of, find_codes, open_seed, step_at};
pub use policies::{AccessError, NotAPolicy};
pub use principals::{BindError, bind_resource_policy, bind_trust_policy, show_principals};
pub use public_token::PUBLIC_TOKEN_LIFE;
pub use registry_token::{RegistryToken, TOKEN_LIFE};
pub use session::SessionCredentials;

use encryption::KeyRing;
use environment::Environment;
use policies::Compiled;
use quick_cache::sync::Cache;
use session::Sealed;
use std::sync::Arc;
use store::Tables;

/// Compiled policies kept in memory, one entry for each principal or managed policy.
const COMPILED: usize = 10_000;
/// Opened session tokens kept in memory.
const SESSIONS: usize = 10_000;
/// Opened secrets of access keys kept in memory.
const OPENED: usize = 10_000;
/// Keys whose last use is remembered in memory.
const USES: usize = 10_000;

/// Who calls and may they; cheap to clone.
#[derive(Clone)]
pub struct Access {
    tables: Tables,
    keys: KeyRing,
    compiled: Arc<Cache<Box<str>, Arc<Compiled>>>,
    sessions: Arc<Cache<Box<str>, Arc<Sealed>>>,
    opened: Arc<Cache<Box<str>, Arc<keys::OpenedKey>>>,
    uses: Arc<Cache<Box<str>, keys::Used>>,
    /// Nobody is denied anything.
    open: bool,
}

impl Access {
    /// Access over a region's tables; secrets of access keys, sessions and tokens are sealed with `keys`.
    pub fn new(tables: Tables, keys: KeyRing) -> Self {
        Self {
            tables,
            keys,
            compiled: Arc::new(Cache::new(COMPILED)),
            sessions: Arc::new(Cache::new(SESSIONS)),
            opened: Arc::new(Cache::new(OPENED)),
            uses: Arc::new(Cache::new(USES)),
            open: false,
        }
    }

    /// The same, but nobody is denied anything: for test suites that were written against mocks.
    pub fn without_policies(self) -> Self {
        Self { open: true, ..self }
    }

    fn environment(&self) -> &Environment {
        self.tables.environment()
    }
}

#[cfg(test)]
mod tests;
