//! Names of load balancers in the machine's file of hosts, for programs that ask the C library.
//!
//! Each region has a block of its own between two marks; everything else in the file stays as it is.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// The file of the machine.
pub(crate) const PATH: &str = "/etc/hosts";

/// The block of one region.
#[derive(Clone, Debug)]
pub(crate) struct HostsFile {
    path: PathBuf,
    /// Data directory of the region, which tells its block from those of others.
    region: PathBuf,
}

impl HostsFile {
    /// The block of the region with this data directory.
    pub(crate) fn new(path: &Path, region: &Path) -> Self {
        Self { path: path.to_owned(), region: region.to_owned() }
    }

    /// Replaces the block; without names it goes. The file is written in place, because it may be mounted.
    pub(crate) fn write(&self, names: &BTreeMap<String, Vec<Ipv4Addr>>) -> Result<()> {
        let context = || format!("change {}", self.path.display());
        let old = std::fs::read_to_string(&self.path).with_context(context)?;
        let new = self.replaced(&old, names);
        if new != old {
            std::fs::write(&self.path, new).with_context(context)?;
        }
        Ok(())
    }

    fn replaced(&self, old: &str, names: &BTreeMap<String, Vec<Ipv4Addr>>) -> String {
        let (begin, end) = self.marks();
        let mut is_ours = false;
        let mut new = String::with_capacity(old.len());
        for line in old.lines() {
            is_ours |= line == begin;
            if !is_ours {
                new.push_str(line);
                new.push('\n');
            }
            is_ours &= line != end;
        }
        if !names.is_empty() {
            new.push_str(&begin);
            new.push('\n');
            for (name, addresses) in names {
                for address in addresses {
                    // Writing to a text does not fail.
                    let _ = writeln!(new, "{address} {name}");
                }
            }
            new.push_str(&end);
            new.push('\n');
        }
        new
    }

    fn marks(&self) -> (String, String) {
        let region = self.region.display();
        (format!("# longshore {region} begins"), format!("# longshore {region} ends"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_block_changes() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let before = "127.0.0.1 localhost\n# longshore /other begins\n10.0.0.1 x\n# longshore /other ends\n";
        std::fs::write(file.path(), before).expect("writes");
        let own = HostsFile::new(file.path(), Path::new("/own"));
        let addresses = vec![Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 3)];
        let names = |text: &str| BTreeMap::from([(text.to_owned(), addresses.clone())]);
        own.write(&names("a.elb.localhost")).expect("writes");
        own.write(&names("b.elb.localhost")).expect("writes");
        let text = std::fs::read_to_string(file.path()).expect("reads");
        assert!(text.starts_with(before) && text.contains("10.0.0.2 b.elb.localhost\n10.0.0.3 b."), "{text}");
        assert!(!text.contains("a.elb.localhost"));
        own.write(&BTreeMap::new()).expect("writes");
        assert_eq!(std::fs::read_to_string(file.path()).expect("reads"), before);
    }
}
