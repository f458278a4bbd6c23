//! `longshore registry ls`: the repositories of all accounts, and how large they are.

use crate::client::Client;
use crate::commands::env::region_of;
use anyhow::Result;
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;

/// List the repositories of all accounts with their images, tags and sizes
#[derive(Args)]
pub(crate) struct ListArgs {
    /// Print JSON, with sizes in bytes
    #[arg(long)]
    json: bool,
    /// Data directory of the region [default: as `longshore up`]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Asks the region and prints what it counted.
pub(crate) async fn run(arguments: ListArgs) -> Result<()> {
    let (endpoint, key) = region_of(arguments.data_dir)?;
    let usage = Client::new(&endpoint.endpoint, &endpoint.region, &key).registry_tells("usage").await?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&usage)?);
        return Ok(());
    }
    let repositories = usage["repositories"].as_array().map_or(&[][..], Vec::as_slice);
    let name = |repository: &Value| repository["repository"].as_str().unwrap_or_default().to_owned();
    let width = repositories.iter().map(|repository| name(repository).len()).max().unwrap_or(0).max(10);
    println!("{:<width$}  {:>7}  {:>7}  {:>10}", "REPOSITORY", "IMAGES", "TAGS", "SIZE");
    for repository in repositories {
        let count = |what: &str| repository[what].as_u64().unwrap_or(0);
        let (images, tags, bytes) = (count("images"), count("tags"), size(count("bytes")));
        println!("{:<width$}  {images:>7}  {tags:>7}  {bytes:>10}", name(repository));
    }
    let (blobs, bytes) = (usage["blobs"].as_u64().unwrap_or(0), usage["blob_bytes"].as_u64().unwrap_or(0));
    println!("{blobs} blobs of {}, each stored once", size(bytes));
    Ok(())
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        let shown: Vec<String> = [0, 1023, 1024, 1_572_864, 1 << 30, 1 << 50].map(size).into();
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "1.0 GiB", "1024.0 TiB"]);
    }
}
