//! Directories that stand for file systems of EFS.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;

/// A file system or an access point, and its directory on this machine: `fs-0123456789abcdef0=/srv/shared`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct EfsDirectory {
    pub(crate) id: String,
    pub(crate) directory: PathBuf,
}

impl FromStr for EfsDirectory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, directory) = text.split_once('=').ok_or("write fs-ID=DIRECTORY or fsap-ID=DIRECTORY")?;
        let number = id.strip_prefix("fs-").or_else(|| id.strip_prefix("fsap-"));
        if !number.is_some_and(|number| {
            !number.is_empty() && number.len() <= 40 && number.bytes().all(|b| b.is_ascii_hexdigit())
        }) {
            return Err(format!("{id} is no id of a file system (fs-...) or an access point (fsap-...)"));
        }
        let directory = PathBuf::from(directory);
        if !directory.is_absolute() {
            return Err(format!("{} is not an absolute path", directory.display()));
        }
        Ok(Self { id: id.to_owned(), directory })
    }
}

impl TryFrom<String> for EfsDirectory {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<EfsDirectory> for String {
    fn from(efs: EfsDirectory) -> Self {
        format!("{}={}", efs.id, efs.directory.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_directories() {
        for (text, good) in [
            ("fs-0123abcd=/srv/a", true),
            ("fsap-0123abcd=/srv/a b=c", true),
            ("fs-=/srv", false),
            ("fs-xyz=/srv", false),
            ("fs-0123abcd=srv", false),
            ("/srv", false),
        ] {
            assert_eq!(text.parse::<EfsDirectory>().is_ok(), good, "{text}");
        }
    }
}
