//! `longshore configure`: writes an AWS profile for this region, only when asked.

use crate::commands::env::region_of;
use crate::data_dir::write_private;
use anyhow::{Context, Result};
use clap::Args;
use std::path::{Path, PathBuf};

/// Write a profile for the aws CLI and the SDKs into ~/.aws.
#[derive(Args)]
pub(crate) struct ConfigureArgs {
    /// Data directory of the region [default: as `longshore up`]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Name of the profile
    #[arg(long, default_value = "longshore")]
    profile: String,
}

/// Writes the profile; other profiles stay as they are.
pub(crate) fn run(arguments: ConfigureArgs) -> Result<()> {
    let (endpoint, key) = region_of(arguments.data_dir)?;
    let home = std::env::var_os("HOME").map(PathBuf::from).context("HOME is not set")?;
    let config = file("AWS_CONFIG_FILE", &home.join(".aws/config"));
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", &home.join(".aws/credentials"));
    let config_section = if arguments.profile == "default" {
        "default".to_owned()
    } else {
        format!("profile {}", arguments.profile)
    };
    write_section(
        &config,
        &config_section,
        &[
            ("region", &endpoint.region),
            ("endpoint_url", &endpoint.endpoint),
            // As `longshore env` has it, for DiscoverInstances of Cloud Map.
            ("disable_host_prefix_injection", "true"),
        ],
    )?;
    write_section(
        &credentials,
        &arguments.profile,
        &[("aws_access_key_id", &key.access_key_id), ("aws_secret_access_key", &key.secret_access_key)],
    )?;
    println!("wrote profile {} to {} and {}", arguments.profile, config.display(), credentials.display());
    println!("use it with: aws --profile {} ecs list-clusters", arguments.profile);
    Ok(())
}

fn file(variable: &str, default: &Path) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| default.to_owned(), PathBuf::from)
}

fn write_section(path: &Path, section: &str, values: &[(&str, &str)]) -> Result<()> {
    let old = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    }
    write_private(path, &with_section(&old, section, values))
}

/// `text` with the section replaced, or added at the end.
fn with_section(text: &str, section: &str, values: &[(&str, &str)]) -> String {
    let header = format!("[{section}]");
    let mut out = String::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with('[') {
            inside = line.trim() == header;
        }
        if !inside {
            out.push_str(line);
            out.push('\n');
        }
    }
    if !out.is_empty() && !out.ends_with("\n\n") {
        out.push('\n');
    }
    out.push_str(&header);
    out.push('\n');
    for (name, value) in values {
        out.push_str(name);
        out.push_str(" = ");
        out.push_str(value);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_profiles_stay() {
        let old = "[default]\nregion = a\n\n[profile x]\nregion = b\n[profile y]\nregion = c\n";
        let new = with_section(old, "profile x", &[("region", "z")]);
        assert_eq!(new, "[default]\nregion = a\n\n[profile y]\nregion = c\n\n[profile x]\nregion = z\n");
        assert_eq!(with_section(&new, "profile x", &[("region", "z")]), new);
    }
}
