//! Where a sandbox keeps what its containers write, and the volumes they share.
//!
//! `scratch/` holds writable layers and ordinary volumes; it is a disk of a size where there is a limit. Other volumes
//! are mounted below `volumes/`. All of it is mounted in the shim's namespace alone.

use crate::disks::{self, Disk};
use crate::rootfs::open_inside;
use crate::spec::{MountSource, SandboxSpec, VolumeSource};
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// File of the disk that bounds writable layers and ordinary volumes.
const SCRATCH: &str = "scratch";

/// Makes the files of a sandbox's disks.
pub(crate) fn make_disks(folder: &Path, spec: &SandboxSpec, templates: &Path) -> Result<(), String> {
    let wanted = disks_of(spec);
    if wanted.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(folder.join("disks"))
        .map_err(|error| format!("make the disks' directory: {error}"))?;
    wanted.into_iter().try_for_each(|(name, disk)| disks::make(templates, disk, &file(folder, name)))
}

fn disks_of(spec: &SandboxSpec) -> Vec<(&str, Disk)> {
    let volumes = spec.volumes.iter().filter_map(|volume| match &volume.source {
        VolumeSource::Disk(disk) => Some((volume.name.as_str(), *disk)),
        VolumeSource::Scratch | VolumeSource::Directory { .. } => None,
    });
    spec.scratch.map(|disk| (SCRATCH, disk)).into_iter().chain(volumes).collect()
}

/// The prefix keeps a volume from having the name of the scratch disk.
fn file(folder: &Path, name: &str) -> PathBuf {
    let prefix = if name == SCRATCH { "" } else { "volume-" };
    folder.join("disks").join(format!("{prefix}{name}.img"))
}

/// Bytes that a sandbox has written, as its host sees them.
pub(crate) fn written(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder.join("disks")).into_iter().flatten().flatten();
    let in_disks: u64 = entries.filter_map(|entry| disks::allocated(&entry.path()).ok()).sum();
    in_disks + below(&folder.join(SCRATCH))
}

/// Bytes of all files below a directory; links are not followed.
fn below(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut open = vec![folder.to_owned()];
    let mut total = 0;
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            // What is gone meanwhile takes no room.
            let Ok(about) = entry.metadata() else { continue };
            total += about.blocks() * 512;
            if about.is_dir() {
                open.push(entry.path());
            }
        }
    }
    total
}

/// Mounts and makes all that the containers will use.
pub(crate) fn prepare(folder: &Path, spec: &SandboxSpec) -> Result<(), String> {
    let scratch = folder.join(SCRATCH);
    match spec.scratch {
        Some(disk) => disks::mount_file(&file(folder, SCRATCH), disk.file_system, &scratch)
            .map_err(|error| format!("mount the ephemeral storage: {error}"))?,
        None => {
            fs::create_dir_all(&scratch).map_err(|error| format!("make the ephemeral storage: {error}"))?;
        }
    }
    for volume in &spec.volumes {
        let target = path(folder, spec, &volume.name);
        let failed = |error: std::io::Error| format!("mount the volume {}: {error}", volume.name);
        match &volume.source {
            VolumeSource::Scratch => fs::create_dir_all(&target).map_err(failed)?,
            VolumeSource::Disk(disk) => {
                disks::mount_file(&file(folder, &volume.name), disk.file_system, &target).map_err(failed)?;
            }
            VolumeSource::Directory { share, root } => {
                fs::create_dir_all(&target).map_err(failed)?;
                let inside = open_inside(share, root, OFlag::O_PATH | OFlag::O_DIRECTORY).map_err(failed)?;
                let source = format!("/proc/self/fd/{}", inside.as_raw_fd());
                let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
                mount(Some(source.as_str()), &target, None::<&str>, flags, None::<&str>)
                    .map_err(|error| failed(error.into()))?;
            }
        }
    }
    Ok(())
}

/// Where a volume is, for the shim.
fn path(folder: &Path, spec: &SandboxSpec, name: &str) -> PathBuf {
    let in_scratch =
        spec.volumes.iter().any(|volume| volume.name == name && volume.source == VolumeSource::Scratch);
    if in_scratch {
        folder.join(SCRATCH).join("volumes").join(name)
    } else {
        folder.join("volumes").join(name)
    }
}

/// What a mount of a container shows.
pub(crate) fn source(folder: &Path, spec: &SandboxSpec, source: &MountSource) -> PathBuf {
    match source {
        MountSource::Volume(name) => path(folder, spec, name),
        MountSource::Host(path) => path.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disks::FileSystem;
    use crate::spec::Volume;

    #[test]
    fn names_of_volumes_and_of_the_scratch_disk_never_meet() {
        let disk = Disk { gib: 1, file_system: FileSystem::Ext4 };
        let volume = |name: &str, source| Volume { name: name.to_owned(), source };
        let spec = SandboxSpec {
            scratch: Some(disk),
            volumes: vec![
                volume("plain", VolumeSource::Scratch),
                volume("data", VolumeSource::Disk(disk)),
                volume("scratch", VolumeSource::Scratch),
            ],
            ..SandboxSpec::default()
        };
        let folder = Path::new("/s");
        let files: Vec<_> = disks_of(&spec).iter().map(|(name, _)| file(folder, name)).collect();
        assert_eq!(files, [Path::new("/s/disks/scratch.img"), Path::new("/s/disks/volume-data.img")]);
        assert_eq!(path(folder, &spec, "plain"), Path::new("/s/scratch/volumes/plain"));
        assert_eq!(path(folder, &spec, "data"), Path::new("/s/volumes/data"));
        assert_eq!(path(folder, &spec, "scratch"), Path::new("/s/scratch/volumes/scratch"));
    }
}
