//! The image directory on disk: where things are, how they get there, what is found at the start.
//!
//! ```text
//! layers/KEY/      an unpacked layer         layers/KEY.json   its record; a layer without record is a leftover
//! images/HEX.json  an image                  holders/ID.json   who keeps which image
//! work/            layers being unpacked; emptied at the start
//! ```
//! A record is written to a temporary name and renamed, and a layer's record comes after its directory, so what
//! has a record is whole as long as the machine runs. After a power cut contents may be missing in spite of that:
//! layers not known to be flushed are therefore not trusted after a reboot.

use crate::config::ImageConfig;
use crate::error::ImagesError;
use environment::{Environment, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use registry_client::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The longest holder id; a file is named after it.
const MAX_HOLDER: usize = 200;

/// An unpacked layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LayerRecord {
    pub(super) key: String,
    /// The layer's own digest (of the tar) last; before it those of the layers below, when they shaped it.
    pub(super) chain: Vec<Digest>,
    pub(super) bytes: u64,
    pub(super) entries: u64,
    /// The boot in which it was unpacked.
    boot: String,
    /// Whether it is known to have reached the disk.
    pub(super) flushed: bool,
}

/// An image whose layers are here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ImageRecord {
    pub(super) manifest: Digest,
    pub(super) config: ImageConfig,
    /// Keys of the layers, lowest first.
    pub(super) layers: Vec<String>,
    pub(super) bytes: u64,
    /// Indexes it was chosen from, and for which platform.
    pub(super) parents: Vec<(Digest, String)>,
    /// References that meant it when last asked, for which platform, and what they resolved to.
    pub(super) references: Vec<(String, String, Digest)>,
    pub(super) last_used: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct HolderRecord {
    manifest: Digest,
}

/// The directory.
#[derive(Clone)]
pub(super) struct Layout {
    directory: PathBuf,
    boot: String,
    environment: Environment,
}

/// Everything found in it.
#[derive(Default)]
pub(super) struct Found {
    pub(super) layers: Vec<LayerRecord>,
    pub(super) images: Vec<ImageRecord>,
    pub(super) holders: Vec<(String, Digest)>,
}

impl Layout {
    /// Makes the directory or takes it over: removes leftovers and answers what is there. Blocking.
    pub(super) fn open(directory: &Path, environment: Environment) -> Result<(Self, Found), ImagesError> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let layout = Self { directory: directory.to_owned(), boot: boot.trim().to_owned(), environment };
        // Images hold programs with set-user-id bits: nobody but root may reach them outside of a container.
        for name in ["", "layers", "images", "holders"] {
            let path = directory.join(name);
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(at("make", &path))?;
        }
        layout.set_work_aside()?;
        let found = layout.load()?;
        Ok((layout, found))
    }

    pub(super) fn layer(&self, key: &str) -> PathBuf {
        self.directory.join("layers").join(key)
    }

    /// A new empty directory to unpack into. Removing it is up to [`Work`].
    pub(super) fn new_work(&self) -> Result<Work, ImagesError> {
        let path = self.directory.join("work").join(self.environment.random_hex(16));
        fs::DirBuilder::new().mode(0o755).create(&path).map_err(at("make", &path))?;
        Ok(Work(path))
    }

    /// Makes an unpacked directory a layer. When the layer is there already, that one stays.
    pub(super) fn commit_layer(
        &self,
        work: Work,
        chain: Vec<Digest>,
        bytes: u64,
        entries: u64,
    ) -> Result<LayerRecord, ImagesError> {
        let key = layer_key(&chain);
        let record = LayerRecord { key, chain, bytes, entries, boot: self.boot.clone(), flushed: false };
        let target = self.layer(&record.key);
        if self.record_path(&record.key).exists() {
            return Ok(record);
        }
        // A directory without record is what a full disk left when the record was to be written.
        self.remove_layer(&record.key)?;
        fs::rename(&work.0, &target).map_err(at("rename to", &target))?;
        self.write(&self.record_path(&record.key), &record)?;
        Ok(record)
    }

    /// Flushes everything of this file system to the disk and notes it for these layers.
    pub(super) fn flush_layers(&self, layers: &[LayerRecord]) -> Result<(), ImagesError> {
        if layers.is_empty() {
            return Ok(());
        }
        let directory = fs::File::open(&self.directory).map_err(at("open", &self.directory))?;
        rustix::fs::syncfs(&directory).map_err(|error| at("flush", &self.directory)(error.into()))?;
        for layer in layers {
            self.write(&self.record_path(&layer.key), &LayerRecord { flushed: true, ..layer.clone() })?;
        }
        Ok(())
    }

    /// Removes a layer: first its record, so that an interruption leaves a leftover and never a torn layer.
    pub(super) fn remove_layer(&self, key: &str) -> Result<(), ImagesError> {
        remove_file(&self.record_path(key))?;
        let path = self.layer(key);
        let aside = self.directory.join("work").join(self.environment.random_hex(16));
        match fs::rename(&path, &aside) {
            Ok(()) => remove_tree(&aside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(at("move aside", &path)(error)),
        }
    }

    pub(super) fn write_image(&self, image: &ImageRecord) -> Result<(), ImagesError> {
        self.write(&self.image_path(&image.manifest), image)
    }

    pub(super) fn remove_image(&self, manifest: &Digest) -> Result<(), ImagesError> {
        remove_file(&self.image_path(manifest))
    }

    pub(super) fn write_holder(&self, holder: &str, manifest: &Digest) -> Result<(), ImagesError> {
        let path = self.holder_path(holder)?;
        self.write(&path, &HolderRecord { manifest: manifest.clone() })
    }

    pub(super) fn remove_holder(&self, holder: &str) -> Result<(), ImagesError> {
        remove_file(&self.holder_path(holder)?)
    }

    fn image_path(&self, manifest: &Digest) -> PathBuf {
        self.directory.join("images").join(format!("{}.json", manifest.hex()))
    }

    fn record_path(&self, key: &str) -> PathBuf {
        self.directory.join("layers").join(format!("{key}.json"))
    }

    fn holder_path(&self, holder: &str) -> Result<PathBuf, ImagesError> {
        let directory = self.directory.join("holders");
        if holder.is_empty() || holder.len() > MAX_HOLDER {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "the holder's id is empty or too long");
            return Err(at("name a file in", &directory)(error));
        }
        let name = utf8_percent_encode(holder, NON_ALPHANUMERIC).to_string();
        Ok(directory.join(format!("{name}.json")))
    }

    fn write(&self, path: &Path, value: &impl Serialize) -> Result<(), ImagesError> {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.new", self.environment.random_hex(8)));
        let new = PathBuf::from(name);
        let written = (|| {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec(value)?)?;
            fs::rename(&new, path)
        })();
        written.map_err(|error| {
            // The old record, if any, is still in place; the new one would only be a leftover.
            let _ = fs::remove_file(&new);
            at("write", path)(error)
        })
    }

    /// Puts what interrupted pulls left out of the way and lets a thread of its own remove it.
    fn set_work_aside(&self) -> Result<(), ImagesError> {
        let work = self.directory.join("work");
        let aside = self.directory.join(format!("removing-{}", self.environment.random_hex(16)));
        match fs::rename(&work, &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at("move aside", &work)(error)),
        }
        fs::DirBuilder::new().mode(0o700).create(&work).map_err(at("make", &work))?;
        let entries = fs::read_dir(&self.directory).map_err(at("list", &self.directory))?;
        let old: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("removing-"))
            })
            .collect();
        let remove = move || {
            for path in old {
                if let Err(error) = remove_tree(&path) {
                    tracing::warn!(%error, "a leftover of an interrupted pull stays for now");
                }
            }
        };
        std::thread::Builder::new().name("image-leftovers".to_owned()).spawn(remove).map_or_else(
            |error| Err(at("start a thread for", &self.directory)(error)),
            |_finishes_by_itself| Ok(()),
        )
    }

    fn load(&self) -> Result<Found, ImagesError> {
        let mut found = Found { layers: self.load_layers()?, ..Found::default() };
        for (path, _) in self.records("images")? {
            let image: Option<ImageRecord> = read(&path);
            let whole = image.filter(|image| {
                image.layers.iter().all(|key| found.layers.iter().any(|layer| layer.key == *key))
            });
            match whole {
                Some(image) => found.images.push(image),
                // A layer is gone, or the record is unreadable: the next pull makes it whole again.
                None => remove_file(&path)?,
            }
        }
        for (path, name) in self.records("holders")? {
            let holder = percent_decode_str(&name).decode_utf8().map(std::borrow::Cow::into_owned);
            match (holder, read::<HolderRecord>(&path)) {
                (Ok(holder), Some(record)) => found.holders.push((holder, record.manifest)),
                _ => remove_file(&path)?,
            }
        }
        Ok(found)
    }

    fn load_layers(&self) -> Result<Vec<LayerRecord>, ImagesError> {
        let mut layers = Vec::new();
        for (path, key) in self.records("layers")? {
            match read::<LayerRecord>(&path) {
                Some(layer)
                    if layer.key == key
                        && (layer.flushed || layer.boot == self.boot)
                        && self.layer(&key).is_dir() =>
                {
                    layers.push(layer);
                }
                _ => self.remove_layer(&key)?,
            }
        }
        let directory = self.directory.join("layers");
        for entry in fs::read_dir(&directory).map_err(at("list", &directory))? {
            let entry = entry.map_err(at("list", &directory))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.contains('.') && !layers.iter().any(|layer| layer.key == name) {
                self.remove_layer(&name)?;
            }
        }
        Ok(layers)
    }

    /// The records of a kind: path, and name without ending. Half-written ones are removed.
    fn records(&self, kind: &str) -> Result<Vec<(PathBuf, String)>, ImagesError> {
        let directory = self.directory.join(kind);
        let mut records = Vec::new();
        for entry in fs::read_dir(&directory).map_err(at("list", &directory))? {
            let path = entry.map_err(at("list", &directory))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(name) = name.strip_suffix(".json") {
                records.push((path, name.to_owned()));
            } else if path.extension().is_some_and(|ending| ending == "new") {
                remove_file(&path)?;
            }
        }
        Ok(records)
    }
}

/// A directory being unpacked into; removed with all its content when dropped before it became a layer.
pub(super) struct Work(pub(super) PathBuf);

impl Drop for Work {
    fn drop(&mut self) {
        // Once it is a layer, it is not here any more.
        if let Err(error) = remove_tree(&self.0) {
            tracing::warn!(%error, "an incomplete layer stays until the next start");
        }
    }
}

/// The directory name of a layer: short, because all of an image's layers must fit into one mount option. The
/// record holds the whole digests and is compared before a layer is used.
pub(super) fn layer_key(chain: &[Digest]) -> String {
    match chain {
        [alone] => format!("d{}", &alone.hex()[..32]),
        chain => {
            let text: Vec<&str> = chain.iter().map(Digest::as_str).collect();
            format!("c{}", &Digest::of(text.join(" ").as_bytes()).hex()[..32])
        }
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn remove_file(path: &Path) -> Result<(), ImagesError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

fn remove_tree(path: &Path) -> Result<(), ImagesError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

fn at(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ImagesError {
    let path = path.to_owned();
    move |source| ImagesError::new(step, path, source)
}
