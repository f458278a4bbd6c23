//! The demonstration's image: the running program and the libraries it has loaded.

use anyhow::{Context, Result};
use container_image::{Content, ImageConfig};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where the program lies in the image.
const PROGRAM: &str = "/longshore";

/// Builds the image in memory.
pub(crate) fn build() -> Result<container_image::BuiltImage> {
    let program = std::env::current_exe().context("find the running program")?;
    let mut content = vec![Content::File { path: PROGRAM.to_owned(), source: program.clone(), mode: 0o755 }];
    for library in loaded_libraries(&program)? {
        for path in places(&library) {
            content.push(Content::File { path, source: library.clone(), mode: 0o755 });
        }
    }
    content.push(Content::Bytes {
        path: "/etc/passwd".to_owned(),
        content: "root:x:0:0:root:/:/bin/false\n".into(),
        mode: 0o644,
    });
    let config = ImageConfig { entrypoint: vec![PROGRAM.to_owned()], ..ImageConfig::default() };
    container_image::build(&content, &config).context("build the image")
}

/// The shared objects this process has mapped, which are all that the program needs.
fn loaded_libraries(program: &Path) -> Result<BTreeSet<PathBuf>> {
    let maps = std::fs::read_to_string("/proc/self/maps").context("read /proc/self/maps")?;
    let paths = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).map(PathBuf::from);
    Ok(paths.filter(|path| path.is_absolute() && path.is_file() && path != program).collect())
}

/// Where a library goes: its own place, and for the loader also the places programs ask for it.
fn places(library: &Path) -> Vec<String> {
    let mut places = vec![library.display().to_string()];
    let name = library.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.starts_with("ld-") {
        places.push(format!("/lib64/{name}"));
        places.push(format!("/lib/{name}"));
    }
    places.dedup();
    places
}
