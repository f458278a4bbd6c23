//! Sealed names of blobs, for links that can be followed without credentials for a while.

use crate::Access;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a link is good, as on AWS.
const LIFE: Duration = Duration::from_secs(3600);
/// What links are sealed for.
const PURPOSE: &str = "layer-download";
/// Longest link that is looked at.
const MOST_BYTES: usize = 4 * 1024;

/// A blob of a repository that may be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// Owner of the repository.
    pub account: AccountId,
    /// The repository.
    pub repository: String,
    /// The blob.
    pub digest: String,
}

#[derive(Serialize, Deserialize)]
struct Content {
    download: Download,
    expires: Timestamp,
}

impl Access {
    /// A text that lets its bearer read a blob for an hour. Whether it may be had is the caller's to check.
    pub fn download_token(&self, download: Download) -> String {
        let content = Content { download, expires: self.environment().now() + LIFE };
        // A structure of texts and numbers always has a JSON form.
        self.keys.seal(PURPOSE, &serde_json::to_vec(&content).unwrap_or_default())
    }

    /// What a text lets its bearer read; `None` when it is forged or over.
    pub fn open_download_token(&self, token: &str) -> Option<Download> {
        if token.len() > MOST_BYTES {
            return None;
        }
        let plain = self.keys.open(PURPOSE, token).ok()?;
        let content: Content = serde_json::from_slice(&plain).ok()?;
        (content.expires > self.environment().now()).then_some(content.download)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encryption::KeyRing;
    use environment::Environment;
    use store::{MemoryStore, Tables};

    #[tokio::test]
    async fn a_link_ends() {
        let (environment, clock) = Environment::simulated(Timestamp::from_seconds(1_000_000), 1);
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
        let access = Access::new(tables, KeyRing::in_memory(environment));
        let download = Download {
            account: "123456789012".parse().expect("an account"),
            repository: "team/app".to_owned(),
            digest: "sha256:aa".to_owned(),
        };
        let token = access.download_token(download.clone());
        assert_eq!(access.open_download_token(&token), Some(download));
        assert_eq!(access.open_download_token(&token[1..]), None);
        clock.advance(LIFE);
        assert_eq!(access.open_download_token(&token), None);
    }
}
