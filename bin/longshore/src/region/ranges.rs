//! Which address ranges the regions of this machine have, those that are stopped as well: a region that is stopped has no
//! bridge that shows its range, and would not start again if another one had taken it meanwhile.

use container_network::Subnet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where ranges are claimed: one link for each, named after it, that leads to the region's data directory.
pub(super) const DIRECTORY: &str = "/run/longshore/ranges";

/// The claims of this machine, which no other process changes as long as this value lives.
pub(super) struct Ranges {
    directory: PathBuf,
    _lock: File,
}

impl Ranges {
    /// Waits until no other process looks at the claims. Fails where the directory cannot be written.
    pub(super) fn lock(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let lock = File::create(directory.join(".lock"))?;
        lock.lock()?;
        Ok(Self { directory: directory.to_owned(), _lock: lock })
    }

    /// The ranges of other regions. A claim whose data directory holds no region any more is removed.
    pub(super) fn of_others(&self, data_dir: &Path) -> io::Result<Vec<Subnet>> {
        let mut found = vec![];
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Ok(subnet) = name.replace('_', "/").parse() else { continue };
            let owner = fs::read_link(&path)?;
            if !owner.join(super::host::PLAN_FILE).exists() {
                fs::remove_file(&path)?;
            } else if owner != data_dir {
                found.push(subnet);
            }
        }
        Ok(found)
    }

    /// Claims a range that no other region has.
    pub(super) fn claim(&self, subnet: Subnet, data_dir: &Path) -> io::Result<()> {
        let path = self.directory.join(subnet.to_string().replace('/', "_"));
        match symlink(data_dir, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_another_region_s_as_long_as_its_directory_is_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mine, other) = (dir.path().join("mine"), dir.path().join("other"));
        for region in [&mine, &other] {
            fs::create_dir(region).expect("a data directory");
            fs::write(region.join(super::super::host::PLAN_FILE), "").expect("a plan");
        }
        let ranges = Ranges::lock(&dir.path().join("ranges")).expect("the claims");
        let subnet: Subnet = "10.88.0.0/16".parse().expect("a subnet");
        ranges.claim(subnet, &other).expect("a claim");
        ranges.claim(subnet, &other).expect("the same claim");
        assert_eq!(ranges.of_others(&mine).expect("claims"), [subnet]);
        assert_eq!(ranges.of_others(&other).expect("claims"), []);
        fs::remove_dir_all(&other).expect("no region any more");
        assert_eq!(ranges.of_others(&mine).expect("claims"), []);
        ranges.claim(subnet, &mine).expect("it is free");
        assert_eq!(ranges.of_others(&other).expect("claims"), [subnet]);
    }
}
