//! `longshore env`: export lines for a shell.

use crate::data_dir::{AccessKeyFile, DataDir, EndpointFile, KeyFile};
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

/// Print export lines for `eval "$(longshore env)"`.
#[derive(Args)]
pub(crate) struct EnvArgs {
    /// Data directory of the region [default: as `longshore up`]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// The endpoint and root key of the region in `data_dir`, or what to do when there is none.
pub(crate) fn region_of(data_dir: Option<PathBuf>) -> Result<(EndpointFile, AccessKeyFile)> {
    let dir = DataDir::new(data_dir.unwrap_or_else(crate::settings::default_data_dir));
    let (Some(endpoint), Some(key)) = (dir.endpoint()?, dir.key(KeyFile::Root)?) else {
        bail!(
            "there is no region in {}; start one with `longshore up`, or name its directory with --data-dir",
            dir.path().display()
        );
    };
    Ok((endpoint, key))
}

/// Prints the lines.
pub(crate) fn run(arguments: EnvArgs) -> Result<()> {
    let (endpoint, key) = region_of(arguments.data_dir)?;
    // Every value is made of letters, digits and a few signs that a shell leaves alone.
    println!("export AWS_ENDPOINT_URL={}", endpoint.endpoint);
    println!("export AWS_ACCESS_KEY_ID={}", key.access_key_id);
    println!("export AWS_SECRET_ACCESS_KEY='{}'", key.secret_access_key);
    println!("export AWS_DEFAULT_REGION={}", endpoint.region);
    // SDKs would put `data-` in front of the endpoint's host for DiscoverInstances, and an address has no such names.
    println!("export AWS_DISABLE_HOST_PREFIX_INJECTION=true");
    Ok(())
}
