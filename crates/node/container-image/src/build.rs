//! Makes an image out of files of this machine: one layer, a configuration, a manifest.

use crate::config::ImageConfig;
use crate::manifest::{Descriptor, Manifest, OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST};
use crate::platform::Platform;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use registry_client::{Digest, Hasher};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// One thing to put into the image. Paths in the image are absolute.
#[derive(Clone, Debug)]
pub enum Content {
    /// A file of this machine.
    File {
        /// Where it goes.
        path: String,
        /// What to copy; a symbolic link is followed.
        source: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// A file with this text.
    Bytes {
        /// Where it goes.
        path: String,
        /// Its content.
        content: Bytes,
        /// Permission bits.
        mode: u32,
    },
    /// An empty directory.
    Directory {
        /// Where it goes.
        path: String,
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Symlink {
        /// Where it goes.
        path: String,
        /// What it points to.
        target: String,
    },
}

/// A whole image in memory, ready for [`crate::push()`].
#[derive(Clone, Debug)]
pub struct BuiltImage {
    /// The manifest document, and its digest.
    pub manifest: Bytes,
    /// Digest of the manifest.
    pub digest: Digest,
    /// The manifest, read.
    pub document: Manifest,
    /// The blobs the manifest names: configuration and layers.
    pub blobs: Vec<(Digest, Bytes)>,
}

/// A file that could not go into the image.
#[derive(Debug, thiserror::Error)]
#[error("adding {path} to the image")]
pub struct BuildError {
    path: String,
    source: std::io::Error,
}

/// Builds an image of one gzip layer. The same input gives the same digests: entries are written in the order
/// given, owned by root, dated 1970, and parent directories are added where needed. Reads files and compresses:
/// call it off the async threads.
pub fn build(content: &[Content], config: &ImageConfig) -> Result<BuiltImage, BuildError> {
    let mut layer = Layer { tar: Builder::new(Compressed::new()), made: BTreeSet::new() };
    for item in content {
        layer.add(item).map_err(|source| BuildError { path: item.path().to_owned(), source })?;
    }
    let finish = |source| BuildError { path: "the end of the layer".to_owned(), source };
    let (diff_id, blob) = layer.tar.into_inner().and_then(Compressed::finish).map_err(finish)?;
    let json =
        |source: serde_json::Error| BuildError { path: "the manifest".to_owned(), source: source.into() };
    let config = Bytes::from(serde_json::to_vec(&config_file(config, &diff_id)).map_err(json)?);
    let describe = |media_type: &str, bytes: &Bytes| Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        platform: None,
        annotations: BTreeMap::new(),
    };
    let document = Manifest {
        schema_version: 2,
        media_type: Some(OCI_MANIFEST.to_owned()),
        config: describe(OCI_CONFIG, &config),
        layers: vec![describe(OCI_LAYER_GZIP, &blob)],
    };
    let manifest = Bytes::from(serde_json::to_vec(&document).map_err(json)?);
    Ok(BuiltImage {
        digest: Digest::of(&manifest),
        manifest,
        blobs: vec![(document.config.digest.clone(), config), (document.layers[0].digest.clone(), blob)],
        document,
    })
}

impl Content {
    fn path(&self) -> &str {
        match self {
            Self::File { path, .. }
            | Self::Bytes { path, .. }
            | Self::Directory { path, .. }
            | Self::Symlink { path, .. } => path,
        }
    }
}

/// A tar archive, compressed as it is written, with the digest of what it was before.
struct Compressed {
    gzip: GzEncoder<Vec<u8>>,
    plain: Hasher,
}

impl Compressed {
    fn new() -> Self {
        Self { gzip: GzEncoder::new(Vec::new(), Compression::fast()), plain: Hasher::sha256() }
    }

    fn finish(self) -> io::Result<(Digest, Bytes)> {
        Ok((self.plain.finish(), self.gzip.finish()?.into()))
    }
}

impl Write for Compressed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.gzip.write(bytes)?;
        self.plain.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.gzip.flush()
    }
}

struct Layer {
    tar: Builder<Compressed>,
    /// Directories in the archive already.
    made: BTreeSet<PathBuf>,
}

impl Layer {
    fn add(&mut self, content: &Content) -> io::Result<()> {
        let path = Path::new(content.path().trim_start_matches('/'));
        if path.as_os_str().is_empty() || path.components().any(|part| !matches!(part, Component::Normal(_)))
        {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a path inside an image"));
        }
        self.parents_of(path)?;
        match content {
            Content::Directory { mode, .. } => {
                if self.made.insert(path.to_owned()) {
                    self.tar.append_data(&mut header(EntryType::Directory, *mode, 0), path, io::empty())?;
                }
                Ok(())
            }
            Content::Symlink { target, .. } => {
                self.tar.append_link(&mut header(EntryType::Symlink, 0o777, 0), path, target)
            }
            Content::Bytes { content, mode, .. } => {
                let mut header = header(EntryType::Regular, *mode, content.len() as u64);
                self.tar.append_data(&mut header, path, content.as_ref())
            }
            Content::File { source, mode, .. } => {
                let file = File::open(source)?;
                let length = file.metadata()?.len();
                // Exactly as long as the header says, should the file grow meanwhile.
                self.tar.append_data(&mut header(EntryType::Regular, *mode, length), path, file.take(length))
            }
        }
    }

    fn parents_of(&mut self, path: &Path) -> io::Result<()> {
        let mut parents: Vec<&Path> =
            path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).collect();
        parents.reverse();
        for parent in parents {
            if self.made.insert(parent.to_owned()) {
                self.tar.append_data(&mut header(EntryType::Directory, 0o755, 0), parent, io::empty())?;
            }
        }
        Ok(())
    }
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// The configuration document; members without content are left out, as other builders do.
fn config_file(config: &ImageConfig, diff_id: &Digest) -> Value {
    let platform = config.platform.clone().unwrap_or_else(Platform::host);
    let set = |names: &[String]| names.iter().map(|name| (name.clone(), json!({}))).collect::<Map<_, _>>();
    let mut run = Map::new();
    let mut put = |name: &str, value: Value| {
        let empty = match &value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        if !empty {
            run.insert(name.to_owned(), value);
        }
    };
    put("Entrypoint", json!(config.entrypoint));
    put("Cmd", json!(config.cmd));
    put("Env", json!(config.env));
    put("WorkingDir", json!(config.working_dir));
    put("User", json!(config.user));
    put("StopSignal", json!(config.stop_signal));
    put("Labels", json!(config.labels));
    put("Volumes", Value::Object(set(&config.volumes)));
    put("ExposedPorts", Value::Object(set(&config.exposed_ports)));
    if let Some(check) = &config.healthcheck {
        put(
            "Healthcheck",
            json!({
                "Test": check.test,
                "Interval": check.interval.as_nanos() as u64,
                "Timeout": check.timeout.as_nanos() as u64,
                "StartPeriod": check.start_period.as_nanos() as u64,
                "Retries": check.retries,
            }),
        );
    }
    json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "config": run,
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_input_gives_the_same_image() {
        let config = ImageConfig {
            entrypoint: vec!["/bin/x".to_owned()],
            env: vec!["A=b".to_owned()],
            exposed_ports: vec!["80/tcp".to_owned()],
            ..ImageConfig::default()
        };
        let content = [
            Content::Bytes { path: "/bin/x".to_owned(), content: "hello".into(), mode: 0o755 },
            Content::Symlink { path: "/bin/y".to_owned(), target: "x".to_owned() },
            Content::Directory { path: "/tmp".to_owned(), mode: 0o1777 },
        ];
        let image = build(&content, &config).expect("builds");
        assert_eq!(image.digest, build(&content, &config).expect("builds").digest);
        let read: crate::config::ConfigFile = serde_json::from_slice(&image.blobs[0].1).expect("reads");
        let read = read.run_config();
        assert_eq!(
            (read.entrypoint, read.env, read.exposed_ports),
            (config.entrypoint, config.env, config.exposed_ports)
        );
        let outside = [Content::Directory { path: "/../x".to_owned(), mode: 0o755 }];
        assert!(build(&outside, &ImageConfig::default()).is_err());
    }
}
