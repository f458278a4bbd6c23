//! Layers from the lowest to the highest, and what is visible in the end.

use crate::budget::{Budget, Counted, Exceeded, Metered, SourceFailed, exceeded};
use crate::elements::{FileFormat, Said, said};
use crate::formats::rpm::{sqlite, wal};
use crate::places::{format_at, normal};
use crate::tar_stream::{Head, Kind, TarStream};
use crate::{Inventory, Limits, Package, ReadError, binaries, compression, zip_stream};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};

/// Begins the name of a file that hides another of the layers below.
const WHITEOUT: &str = ".wh.";
/// Hides all of a directory's content of the layers below.
const OPAQUE: &str = ".wh..wh..opq";

/// Reads an image.
pub struct Reader {
    limits: Limits,
    /// What the visible files say, by path.
    files: BTreeMap<String, File>,
    layer: usize,
    bytes: u64,
    entries: u64,
    packages: usize,
}

struct File {
    layer: usize,
    format: FileFormat,
    said: Said,
}

impl Reader {
    /// Reads within limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, files: BTreeMap::new(), layer: 0, bytes: 0, entries: 0, packages: 0 }
    }

    /// Reads the next higher layer: a tar stream, plain or compressed with gzip or zstd.
    pub fn layer(&mut self, content: impl Read) -> Result<(), ReadError> {
        let limits = self.limits.clone();
        let budget = Budget::new(&limits, self.bytes, self.entries);
        let read = self.read(content, &budget);
        (self.bytes, self.entries) = budget.used();
        let layer = self.layer;
        self.layer += 1;
        read.map_err(|error| classified(layer, error))
    }

    /// What is in the image.
    pub fn finish(mut self) -> Inventory {
        let distribution = ["etc/os-release", "usr/lib/os-release"]
            .iter()
            .find_map(|path| self.files.get(*path)?.said.distribution.clone());
        self.drop_lock_files_of_what_is_installed();
        let mut packages: Vec<Package> =
            self.files.into_values().flat_map(|file| file.said.packages).collect();
        packages.sort();
        packages.dedup();
        Inventory { distribution, packages }
    }

    fn read(&mut self, content: impl Read, budget: &Budget<'_>) -> io::Result<()> {
        let compressed = Cell::new(0);
        let counted = BufReader::with_capacity(128 << 10, Counted { inner: content, count: &compressed });
        let plain = compression::decompressed(counted)?;
        let metered = Metered::new(plain, budget, &compressed);
        let mut stream = TarStream::new(BufReader::with_capacity(64 << 10, metered));
        while let Some(head) = stream.next(budget)? {
            let Some(path) = normal(&head.path) else { continue };
            if self.hide(&path) {
                continue;
            }
            let old = self.replace(&path, head.kind);
            let found = match head.kind {
                Kind::File => file(&path, &head, &mut stream.content(), budget)?,
                Kind::HardLink => self.linked(&head),
                Kind::Directory | Kind::Other => None,
            };
            if let Some((format, said)) = found {
                self.keep(path, format, said, old.as_ref())?;
            }
        }
        self.apply_logs()
    }

    /// Reads databases of this layer again together with their write-ahead logs.
    fn apply_logs(&mut self) -> io::Result<()> {
        let is_log = |file: &File| file.format == FileFormat::RpmSqliteLog;
        let logs: Vec<String> =
            self.files.iter().filter(|(_, file)| is_log(file)).map(|(path, _)| path.clone()).collect();
        for log in logs {
            let Some(path) = log.strip_suffix("-wal") else { continue };
            let (Some(database), Some(log)) = (self.files.get(path), self.files.get(&log)) else { continue };
            if database.layer.max(log.layer) < self.layer {
                continue;
            }
            let (Some(whole), Some(log)) = (unpacked(database, &self.limits), unpacked(log, &self.limits))
            else {
                continue;
            };
            let Some(merged) = wal::applied(&whole, &log) else { continue };
            let said = Said { packages: sqlite::parse(&merged), ..database.said.clone() };
            let (path, format) = (path.to_owned(), database.format);
            let old = self.files.remove(&path);
            self.packages -= old.as_ref().map_or(0, |file| file.said.packages.len());
            self.keep(path, format, said, old.as_ref())?;
        }
        Ok(())
    }

    /// Whether an entry hides what is below instead of being there. What its own layer brought stays.
    fn hide(&mut self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
        let Some(hidden) = name.strip_prefix(WHITEOUT) else { return false };
        let layer = self.layer;
        if name == OPAQUE {
            let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            self.remove(|path, file| file.layer < layer && path.starts_with(&prefix));
        } else if !hidden.starts_with(WHITEOUT) {
            let hidden = if folder.is_empty() { hidden.to_owned() } else { format!("{folder}/{hidden}") };
            self.remove(|path, file| file.layer < layer && is_at_or_below(path, &hidden));
        }
        true
    }

    /// Makes room for an entry; returns what the file at its path said before.
    fn replace(&mut self, path: &str, kind: Kind) -> Option<File> {
        let old = self.files.remove(path);
        self.packages -= old.as_ref().map_or(0, |file| file.said.packages.len());
        if kind != Kind::Directory {
            self.remove(|other, _| is_at_or_below(other, path));
        }
        old
    }

    fn remove(&mut self, gone: impl Fn(&str, &File) -> bool) {
        let mut fewer = 0;
        self.files.retain(|path, file| {
            let gone = gone(path, file);
            fewer += if gone { file.said.packages.len() } else { 0 };
            !gone
        });
        self.packages -= fewer;
    }

    fn keep(
        &mut self,
        path: String,
        format: FileFormat,
        mut said: Said,
        old: Option<&File>,
    ) -> io::Result<()> {
        for package in &mut said.packages {
            // A database comes whole with every layer that changes it; a package stays its first layer's.
            let same = |other: &&Package| other.same(package);
            let first = old.and_then(|file| file.said.packages.iter().find(same));
            package.layer = first.map_or(self.layer, |first| first.layer);
            package.path = format!("{path}{}", package.path);
        }
        self.packages += said.packages.len();
        if self.packages > self.limits.packages {
            return Err(exceeded("packages", self.limits.packages as u64));
        }
        self.files.insert(path, File { layer: self.layer, format, said });
        Ok(())
    }

    /// What the file says that a hard link leads to.
    fn linked(&self, head: &Head) -> Option<(FileFormat, Said)> {
        let target = self.files.get(&normal(&head.link)?)?;
        let mut said = target.said.clone();
        for package in &mut said.packages {
            package.path =
                package.path.find('!').map_or_else(String::new, |at| package.path[at..].to_owned());
        }
        Some((target.format, said))
    }

    /// A lock file says what would be installed; where modules are installed, those are what counts.
    fn drop_lock_files_of_what_is_installed(&mut self) {
        let modules: Vec<String> = self
            .files
            .iter()
            .filter(|(_, file)| file.format == FileFormat::NodePackage)
            .filter_map(|(path, _)| path.split_once("node_modules/").map(|(project, _)| project.to_owned()))
            .collect();
        self.remove(|path, file| {
            let project = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
            file.format == FileFormat::NodeLock
                && (project.contains("node_modules/") || modules.binary_search(&project).is_ok())
        });
    }
}

/// A content that was kept for later, within the limit that it kept when it was read.
fn unpacked(file: &File, limits: &Limits) -> Option<Vec<u8>> {
    let packed = zstd::Decoder::new(file.said.whole.as_deref()?).ok()?;
    let mut content = Vec::new();
    packed.take(limits.file).read_to_end(&mut content).ok()?;
    Some(content)
}

fn is_at_or_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a regular file says; `None` when it is of no interest.
fn file(
    path: &str,
    head: &Head,
    content: &mut dyn Read,
    budget: &Budget<'_>,
) -> io::Result<Option<(FileFormat, Said)>> {
    let limits = budget.limits;
    match format_at(path) {
        Some(FileFormat::Java) => {
            let name = path.rsplit('/').next().unwrap_or(path);
            let packages = zip_stream::java_archive(name, content, budget)?;
            Ok(Some((FileFormat::Java, packages.into())))
        }
        Some(format) => {
            if head.size > limits.file {
                return Err(exceeded("bytes of a package database", limits.file));
            }
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            Ok(Some((format, said(format, &bytes))))
        }
        None if head.executable && head.size > binaries::MAGIC.len() as u64 => {
            let mut magic = [0; 4];
            content.read_exact(&mut magic)?;
            if magic != binaries::MAGIC {
                return Ok(None);
            }
            let packages = binaries::parse(magic.as_slice().chain(content), limits)?;
            Ok((!packages.is_empty()).then(|| (FileFormat::Binary, packages.into())))
        }
        None => Ok(None),
    }
}

fn classified(layer: usize, error: io::Error) -> ReadError {
    if let Some(inner) = error.get_ref() {
        if let Some(exceeded) = inner.downcast_ref::<Exceeded>() {
            return ReadError::LimitExceeded { what: exceeded.what, limit: exceeded.limit };
        }
        if inner.is::<SourceFailed>() {
            return ReadError::Io { layer, error };
        }
    }
    ReadError::Unsupported { layer, reason: error.to_string() }
}
