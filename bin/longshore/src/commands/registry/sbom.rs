//! `longshore registry sbom`: the bill of materials of an image.

use crate::commands::env::region_of;
use crate::registry_client::{FetchedManifest, RegistryClient, sha256};
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use container_image::Platform;
use environment::Environment;
use futures::TryStreamExt;
use http_body_util::BodyExt;
use image_packages::{Inventory, Limits, Reader};
use sbom::{Format, Subject};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::path::PathBuf;
use tokio_util::io::{StreamReader, SyncIoBridge};

const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Print the bill of materials (SBOM) of an image: its packages, read from its layers
#[derive(Args)]
pub(crate) struct SbomArgs {
    /// The image; without a tag or a digest, the one with the tag latest
    #[arg(value_name = "REPOSITORY[:TAG|@DIGEST]")]
    image: String,
    /// Form of the document
    #[arg(long, value_enum, default_value_t = SbomFormat::Cyclonedx)]
    format: SbomFormat,
    /// Push the document as a referrer of the image, too
    #[arg(long)]
    attach: bool,
    /// Write the document to a file instead of printing it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Which image of an index [default: this machine's]
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    platform: Option<String>,
    /// Data directory of the region [default: as `longshore up`]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Forms of the document.
#[derive(Clone, Copy, ValueEnum)]
enum SbomFormat {
    /// CycloneDX 1.6, JSON
    Cyclonedx,
    /// SPDX 2.3, JSON
    Spdx,
}

/// Reads the image and writes the document.
pub(crate) async fn run(arguments: SbomArgs) -> Result<()> {
    let (repository, reference) = split(&arguments.image)?;
    let (endpoint, key) = region_of(arguments.data_dir)?;
    let registry = RegistryClient::connect(&endpoint, &key).await?;
    let found = registry.manifest(repository, reference).await?;
    let image = image_of(&registry, repository, found, arguments.platform.as_deref()).await?;
    let layers = layers(&image)?;
    let inventory = inventory(&registry, repository, &layers).await?;
    let environment = Environment::real();
    let host = endpoint.endpoint.split_once("://").map_or(endpoint.endpoint.as_str(), |(_, host)| host);
    let subject = Subject {
        name: format!("{host}/{repository}"),
        tag: (!reference.contains(':')).then(|| reference.to_owned()),
        digest: image.digest.clone(),
        layers,
        id: environment.uuid(),
        created: environment.now().to_rfc3339_seconds(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let format = match arguments.format {
        SbomFormat::Cyclonedx => Format::CycloneDx,
        SbomFormat::Spdx => Format::Spdx,
    };
    let document = sbom::document(format, &subject, &inventory);
    let text = serde_json::to_string_pretty(&document)? + "\n";
    if arguments.attach {
        let digest = attach(&registry, repository, &image, format, text.clone().into()).await?;
        eprintln!("attached to {repository}@{} as {digest}", image.digest);
    }
    match arguments.output {
        Some(path) => std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?,
        None => print!("{text}"),
    }
    Ok(())
}

/// Repository, and tag or digest.
fn split(image: &str) -> Result<(&str, &str)> {
    let (repository, reference) = match image.split_once('@') {
        Some((repository, digest)) => (repository, digest),
        // A colon before a slash is part of a host, which is left out.
        None => match image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((repository, tag)) => (repository, tag),
            None => (image, "latest"),
        },
    };
    // The region's own names of its registry may stand before the repository.
    let repository = match repository.split_once('/') {
        Some((host, rest)) if host.contains([':', '.']) => rest,
        _ => repository,
    };
    let repository =
        repository.split_once(':').filter(|_| image.contains('@')).map_or(repository, |(name, _)| name);
    ensure!(!repository.is_empty() && !reference.is_empty(), "{image} is no REPOSITORY[:TAG|@DIGEST]");
    Ok((repository, reference))
}

/// The image itself, where an index was named the one for a platform.
async fn image_of(
    registry: &RegistryClient,
    repository: &str,
    found: FetchedManifest,
    platform: Option<&str>,
) -> Result<FetchedManifest> {
    let Some(manifests) = found.value["manifests"].as_array() else { return Ok(found) };
    let host = Platform::host();
    let wanted = platform.map_or_else(|| format!("{}/{}", host.os, host.architecture), str::to_owned);
    let name = |manifest: &Value| {
        let text = |key: &str| manifest["platform"][key].as_str().unwrap_or("unknown").to_owned();
        format!("{}/{}", text("os"), text("architecture"))
    };
    let Some(chosen) = manifests.iter().find(|manifest| name(manifest) == wanted) else {
        let known: Vec<String> = manifests.iter().map(name).collect();
        bail!(
            "the index has no image for {wanted}, but for {}; choose one with --platform",
            known.join(", ")
        );
    };
    registry.manifest(repository, chosen["digest"].as_str().context("a digest in the index")?).await
}

fn layers(image: &FetchedManifest) -> Result<Vec<String>> {
    let layers = image.value["layers"].as_array();
    let layers =
        layers.with_context(|| format!("{} is no image, its type is {}", image.digest, image.media_type))?;
    let digest =
        |layer: &Value| layer["digest"].as_str().map(str::to_owned).context("a layer without a digest");
    layers.iter().map(digest).collect()
}

async fn inventory(registry: &RegistryClient, repository: &str, layers: &[String]) -> Result<Inventory> {
    let mut reader = Reader::new(Limits::default());
    for digest in layers {
        let body = registry.blob(repository, digest).await?;
        let stream = body.into_data_stream().map_err(io::Error::other);
        let content = SyncIoBridge::new(StreamReader::new(stream));
        let mut hashed = Hashed { content, hash: Sha256::new() };
        let read = tokio::task::spawn_blocking(move || -> Result<_> {
            reader.layer(&mut hashed)?;
            // What follows the end of the tar stream counts for the digest, too.
            io::copy(&mut hashed, &mut io::sink())?;
            Ok((reader, format!("sha256:{}", hex::encode(hashed.hash.finalize()))))
        });
        let hash;
        (reader, hash) = read.await?.with_context(|| format!("read the layer {digest}"))?;
        ensure!(
            hash == *digest || !digest.starts_with("sha256:"),
            "the layer {digest} has the digest {hash}"
        );
    }
    Ok(reader.finish())
}

struct Hashed<R> {
    content: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

/// Pushes the document as an artifact whose subject is the image.
async fn attach(
    registry: &RegistryClient,
    repository: &str,
    image: &FetchedManifest,
    format: Format,
    document: Bytes,
) -> Result<String> {
    let empty = Bytes::from_static(b"{}");
    let size = document.len();
    registry.push_blob(repository, empty.clone()).await?;
    let blob = registry.push_blob(repository, document).await?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": format.media_type(),
        "config": {"mediaType": EMPTY, "digest": sha256(&empty), "size": empty.len()},
        "layers": [{"mediaType": format.media_type(), "digest": blob, "size": size}],
        "subject": {"mediaType": image.media_type, "digest": image.digest, "size": image.size},
    });
    registry.push_manifest(repository, &manifest).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_as_elsewhere() {
        for (image, repository, reference) in [
            ("app", "app", "latest"),
            ("team/app:v1", "team/app", "v1"),
            ("team/app@sha256:aa", "team/app", "sha256:aa"),
            ("app:v1@sha256:aa", "app", "sha256:aa"),
            ("localhost:4566/team/app:v1", "team/app", "v1"),
            ("localhost:4566/app", "app", "latest"),
            ("123456789012.dkr.ecr.us-east-1.localhost:4566/app:v1", "app", "v1"),
        ] {
            assert_eq!(split(image).expect("splits"), (repository, reference), "{image}");
        }
        split(":v1").expect_err("has no repository");
    }
}
