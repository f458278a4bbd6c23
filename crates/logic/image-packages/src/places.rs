//! Which files of an image say what packages there are.

use crate::elements::FileFormat;

/// The path of an entry as a relative path without `.`, `..` and doubled slashes; `None` for the root itself and for
/// names that are no text, which no package database has.
pub(crate) fn normal(path: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?;
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { None } else { Some(parts.join("/")) }
}

/// What the file at a path is, judged by its name alone.
pub(crate) fn format_at(path: &str) -> Option<FileFormat> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let format = match (folder, name) {
        ("etc" | "usr/lib", "os-release") => FileFormat::OsRelease,
        ("var/lib/dpkg", "status") => FileFormat::Dpkg,
        ("var/lib/dpkg/status.d", name) if !name.ends_with(".md5sums") => FileFormat::Dpkg,
        ("lib/apk/db" | "usr/lib/apk/db", "installed") => FileFormat::Apk,
        ("var/lib/rpm" | "usr/lib/sysimage/rpm" | "usr/share/rpm", name) => match name {
            "Packages" => FileFormat::RpmBerkeley,
            "Packages.db" => FileFormat::RpmNdb,
            "rpmdb.sqlite" => FileFormat::RpmSqlite,
            "rpmdb.sqlite-wal" => FileFormat::RpmSqliteLog,
            _ => return None,
        },
        (folder, "METADATA") if folder.ends_with(".dist-info") => FileFormat::PythonMetadata,
        (folder, "PKG-INFO") if folder.ends_with(".egg-info") || folder.ends_with("EGG-INFO") => {
            FileFormat::PythonMetadata
        }
        (_, name) if name.ends_with(".egg-info") => FileFormat::PythonMetadata,
        (folder, "package.json") if is_node_package(folder) => FileFormat::NodePackage,
        (_, "package-lock.json") => FileFormat::NodeLock,
        (_, name) if is_java(name) => FileFormat::Java,
        _ => return None,
    };
    Some(format)
}

/// `node_modules/name` or `node_modules/@scope/name`.
fn is_node_package(folder: &str) -> bool {
    let mut parts = folder.rsplit('/');
    let (_, above) = (parts.next(), parts.next());
    match above {
        Some("node_modules") => true,
        Some(scope) if scope.starts_with('@') => parts.next() == Some("node_modules"),
        _ => false,
    }
}

/// Whether a file is a Java archive by its name.
pub(crate) fn is_java(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|extension| {
        ["jar", "war", "ear", "par", "jpi", "hpi"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}
