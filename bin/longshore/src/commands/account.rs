//! `longshore account create`: another account in a running region.

use crate::client::Client;
use crate::commands::env::region_of;
use crate::data_dir::{AccessKeyFile, DataDir};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use identifiers::AccountId;
use std::path::PathBuf;

/// Make accounts of a region.
#[derive(Args)]
pub(crate) struct AccountArgs {
    #[command(subcommand)]
    command: AccountCommand,
}

#[derive(Subcommand)]
enum AccountCommand {
    /// Make an account in a running region, and write its root access key to a file that only you can read
    Create {
        /// Id of the account [default: a random one]
        #[arg(long, value_name = "12 DIGITS")]
        id: Option<AccountId>,
        /// Data directory of the region [default: as `longshore up`]
        #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

/// Asks the region, writes the key and prints export lines as `longshore env` does.
pub(crate) async fn run(arguments: AccountArgs) -> Result<()> {
    let AccountCommand::Create { id, data_dir } = arguments.command;
    let dir = DataDir::new(data_dir.clone().unwrap_or_else(crate::settings::default_data_dir));
    let (endpoint, key) = region_of(data_dir)?;
    let client = Client::new(&endpoint.endpoint, &endpoint.region, &key);
    let answer = client.create_account(id.as_ref()).await?;
    let text = |name: &str| {
        answer[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in the answer"))
    };
    let account = text("account")?;
    let key = AccessKeyFile {
        access_key_id: text("access_key_id")?,
        secret_access_key: text("secret_access_key")?,
    };
    let name = format!("root-access-key-{account}.toml");
    dir.write_file(&name, &key)?;
    println!("# root of account {account}, also in {}", dir.join(&name).display());
    println!("export AWS_ENDPOINT_URL={}", endpoint.endpoint);
    println!("export AWS_ACCESS_KEY_ID={}", key.access_key_id);
    println!("export AWS_SECRET_ACCESS_KEY='{}'", key.secret_access_key);
    println!("export AWS_DEFAULT_REGION={}", endpoint.region);
    Ok(())
}
