//! The access keys that a region makes for itself at its first start.

use crate::data_dir::{AccessKeyFile, DataDir, KeyFile};
use access::{Access, Caller};
use anyhow::Result;
use identifiers::AccountId;
use node_agent::Credentials;
use resources::access::Secret;

/// The root key: from its file, else made and written there.
pub(super) async fn root_key(dir: &DataDir, access: &Access, account: &AccountId) -> Result<AccessKeyFile> {
    key_of(dir, KeyFile::Root, access, &Caller::root(account)).await
}

/// The key of this machine's agent.
pub(super) async fn host_key(dir: &DataDir, access: &Access, account: &AccountId) -> Result<Credentials> {
    let file = key_of(dir, KeyFile::Host, access, &access::host(account)).await?;
    Ok(Credentials { access_key_id: file.access_key_id, secret_access_key: file.secret_access_key })
}

async fn key_of(dir: &DataDir, which: KeyFile, access: &Access, principal: &Caller) -> Result<AccessKeyFile> {
    if let Some(file) = dir.key(which)? {
        let secret = Secret::new(file.secret_access_key.as_str());
        access.ensure_key(&file.access_key_id, &secret, principal).await?;
        return Ok(file);
    }
    let made = access.create_key(principal).await?;
    // Exposed to be written to the owner's file.
    let secret_access_key = made.secret.expose().to_owned();
    let file = AccessKeyFile { access_key_id: made.key.access_key_id, secret_access_key };
    dir.write_key(which, &file)?;
    Ok(file)
}
