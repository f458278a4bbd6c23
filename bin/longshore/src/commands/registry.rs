//! `longshore registry`: takes care of what a running region's registry stores, and looks into its images.

mod events;
mod list;
mod sbom;

use crate::client::Client;
use crate::commands::env::region_of;
use anyhow::{Result, bail, ensure};
use clap::{Args, Subcommand};
use identifiers::AccountId;
use serde_json::Value;
use std::path::PathBuf;

/// Take care of what the registry stores, and look into its images.
#[derive(Args)]
pub(crate) struct RegistryArgs {
    #[command(subcommand)]
    command: RegistryCommand,
}

#[derive(Subcommand)]
enum RegistryCommand {
    Events(events::EventsArgs),
    #[command(visible_alias = "du")]
    Ls(list::ListArgs),
    Sbom(sbom::SbomArgs),
    /// Read all blobs and manifests again and compare their digests; fails when something is wrong
    Verify {
        /// Set damaged blobs aside, so that the next push brings them back, and remove links of missing ones
        #[arg(long)]
        repair: bool,
        /// Data directory of the region [default: as `longshore up`]
        #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Compare a tag that a pull-through cache keeps with the other registry's now, and fetch its image if it has moved
    Refresh {
        /// The tag as it is pulled here: `PREFIX/NAME:TAG`
        #[arg(value_name = "REPOSITORY:TAG")]
        image: String,
        /// Account with the repository [default: the region's own]
        #[arg(long, value_name = "12 DIGITS")]
        account: Option<AccountId>,
        /// Data directory of the region [default: as `longshore up`]
        #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Remove what no image needs, which happens every hour anyway
    Collect {
        /// Also what was pushed within the last day and may still get a manifest
        #[arg(long)]
        now: bool,
        /// Data directory of the region [default: as `longshore up`]
        #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

/// Asks the region and prints what it found.
pub(crate) async fn run(arguments: RegistryArgs) -> Result<()> {
    match arguments.command {
        RegistryCommand::Events(arguments) => events::run(arguments).await,
        RegistryCommand::Ls(arguments) => list::run(arguments).await,
        RegistryCommand::Sbom(arguments) => sbom::run(arguments).await,
        RegistryCommand::Verify { repair, data_dir } => {
            let what = if repair { "verify?repair" } else { "verify" };
            verified(&ask(data_dir, what).await?)
        }
        RegistryCommand::Refresh { image, account, data_dir } => refresh(&image, account, data_dir).await,
        RegistryCommand::Collect { now, data_dir } => {
            let done = ask(data_dir, if now { "collect?now" } else { "collect" }).await?;
            println!(
                "removed {} blobs of {} bytes, {} links and {} uploads",
                done["blobs"], done["bytes"], done["links"], done["uploads"]
            );
            Ok(())
        }
    }
}

async fn refresh(image: &str, account: Option<AccountId>, data_dir: Option<PathBuf>) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:._-".contains(&byte);
    let (_, tag) = image.rsplit_once(':').unwrap_or_default();
    ensure!(
        image.bytes().all(plain) && !tag.is_empty() && !tag.contains('/'),
        "{image} is not REPOSITORY:TAG"
    );
    let (endpoint, key) = region_of(data_dir)?;
    let account = account.map_or_else(|| endpoint.account.clone(), |account| account.to_string());
    let client = Client::new(&endpoint.endpoint, &endpoint.region, &key);
    let done = client.registry(&format!("refresh?{account}/{image}")).await?;
    let digest = done["digest"].as_str().unwrap_or_default();
    let how = if done["changed"] == true { "is now" } else { "is still" };
    println!("{image} {how} {digest}");
    Ok(())
}

async fn ask(data_dir: Option<PathBuf>, what: &str) -> Result<Value> {
    let (endpoint, key) = region_of(data_dir)?;
    Client::new(&endpoint.endpoint, &endpoint.region, &key).registry(what).await
}

fn verified(found: &Value) -> Result<()> {
    for damage in found["damage"].as_array().into_iter().flatten() {
        let text = |name: &str| damage[name].as_str().unwrap_or_default();
        println!("{} {} {} {}", text("kind"), text("repository"), text("digest"), text("blob"));
    }
    println!(
        "read {} blobs of {} bytes and {} manifests",
        found["blobs"], found["bytes"], found["manifests"]
    );
    match (&found["faults"], &found["repaired"]) {
        (faults, _) if *faults == 0 => Ok(()),
        (faults, repaired) if faults == repaired => {
            println!("repaired {repaired} faults");
            Ok(())
        }
        (faults, repaired) => bail!("{faults} faults, {repaired} of them repaired"),
    }
}
