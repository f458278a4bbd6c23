//! File systems in files of their own: what bounds the writable layers and volumes of a sandbox, and volumes of a size.
//!
//! The file is sparse, so it takes the room of what is written, and what is deleted inside is given back. One file
//! of each kind and size is formatted once and copied from then on, which costs less than a millisecond. The shim mounts it in
//! its own mount namespace over a loop device that detaches by itself: however the shim ends, nothing stays.

#![expect(unsafe_code, reason = "loop devices are set up by ioctl, which has no safe form")]

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::unistd::{Whence, lseek};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// Attempts to get a loop device while others take the free ones.
const ATTEMPTS: usize = 100;
/// Bytes copied at a time.
const CHUNK: usize = 128 * 1024;
const CONTROL: &str = "/dev/loop-control";
/// Where programs that format are looked for.
const PROGRAM_FOLDERS: &[&str] = &["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin"];

/// How a disk is formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileSystem {
    /// ext3.
    Ext3,
    /// ext4.
    Ext4,
    /// xfs.
    Xfs,
}

/// A file system of its own, made for a sandbox and removed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Size in GiB.
    pub gib: u32,
    /// How it is formatted.
    pub file_system: FileSystem,
}

impl FileSystem {
    /// As the kernel names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }

    /// What the file system is made with. Journals are left out where they can be: what a crash leaves is thrown away.
    const fn format_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Ext3 => &["-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,nodiscard"],
            Self::Ext4 => &[
                "-q",
                "-F",
                "-m",
                "0",
                "-i",
                "16384",
                "-E",
                "lazy_itable_init=1,nodiscard,root_owner=0:0",
                "-O",
                "^has_journal,^resize_inode,sparse_super2,^metadata_csum,uninit_bg",
            ],
            Self::Xfs => &["-q", "-f", "-K"],
        }
    }

    const fn mount_options(self) -> &'static str {
        match self {
            Self::Ext3 | Self::Ext4 => "noinit_itable,discard",
            // Copies of one file have one identity.
            Self::Xfs => "nouuid,discard",
        }
    }

    fn program(self) -> Result<PathBuf, String> {
        let name = format!("mkfs.{}", self.as_str());
        let found =
            PROGRAM_FOLDERS.iter().map(|folder| Path::new(folder).join(&name)).find(|path| path.exists());
        let package = if self == Self::Xfs { "xfsprogs" } else { "e2fsprogs" };
        found.ok_or_else(|| {
            format!("{name} is not installed on the host; it is part of the package {package}")
        })
    }
}

/// Why this machine cannot make disks for sandboxes; `None` when it can.
pub fn disks_unavailable() -> Option<String> {
    if let Err(missing) = FileSystem::Ext4.program() {
        return Some(missing);
    }
    File::options()
        .read(true)
        .write(true)
        .open(CONTROL)
        .err()
        .map(|error| format!("the kernel gives no loop devices: {CONTROL}: {error}"))
}

/// Makes a formatted file at `to`, from the one of that kind in `templates`.
pub(crate) fn make(templates: &Path, disk: Disk, to: &Path) -> Result<(), String> {
    let template = templates.join(format!("{}-{}.img", disk.file_system.as_str(), disk.gib));
    let failed = |action: &'static str, path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| format!("{action} {path}: {error}")
    };
    if !template.exists() {
        fs::create_dir_all(templates).map_err(failed("create", templates))?;
        format(&template, disk)?;
    }
    copy_sparse(&template, to).map_err(failed("copy a formatted disk to", to))
}

/// Formats beside the name and renames, so that nobody copies half of it.
fn format(template: &Path, disk: Disk) -> Result<(), String> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let program = disk.file_system.program()?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let fresh = template.with_extension(format!("{}-{number}.new", std::process::id()));
    let made = File::create(&fresh)
        .and_then(|file| file.set_len(u64::from(disk.gib) << 30))
        .map_err(|error| format!("create {}: {error}", fresh.display()))
        .and_then(|()| {
            let output = Command::new(&program)
                .args(disk.file_system.format_arguments())
                .arg(&fresh)
                .stdin(Stdio::null())
                .output()
                .map_err(|error| format!("run {}: {error}", program.display()))?;
            if output.status.success() {
                return Ok(());
            }
            Err(format!("{}: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim()))
        })
        .and_then(|()| {
            fs::rename(&fresh, template).map_err(|error| format!("rename {}: {error}", fresh.display()))
        });
    if made.is_err() {
        // What stays is a file without use.
        let _ = fs::remove_file(&fresh);
    }
    made
}

/// Copies what a file holds and leaves its holes.
fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let size = source.metadata()?.len();
    let target = File::create_new(to)?;
    target.set_len(size)?;
    let mut buffer = vec![0; CHUNK];
    let mut offset = 0;
    loop {
        let data = match lseek(&source, offset, Whence::SeekData) {
            Ok(data) => data,
            Err(Errno::ENXIO) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let hole = lseek(&source, data, Whence::SeekHole)?;
        let mut at = data as u64;
        while at < hole as u64 {
            let most = CHUNK.min((hole as u64 - at) as usize);
            source.read_exact_at(&mut buffer[..most], at)?;
            target.write_all_at(&buffer[..most], at)?;
            at += most as u64;
        }
        offset = hole;
    }
}

/// Mounts a disk, in the mount namespace of the caller.
pub(crate) fn mount_file(file: &Path, file_system: FileSystem, target: &Path) -> io::Result<()> {
    fs::create_dir_all(target)?;
    let image = File::options().read(true).write(true).open(file)?;
    // Held until it is mounted: from then on the mount alone keeps the device, and lets go of it.
    let (_device, path) = attach(&image)?;
    let kind = Some(file_system.as_str());
    mount(Some(&path), target, kind, MsFlags::MS_NODEV, Some(file_system.mount_options()))?;
    Ok(())
}

/// Bytes that a file takes on its disk.
pub(crate) fn allocated(file: &Path) -> io::Result<u64> {
    Ok(fs::metadata(file)?.blocks() * 512)
}

/// `struct loop_info64` of the kernel.
#[repr(C)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config` of the kernel.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// The device goes with its last user.
const LO_FLAGS_AUTOCLEAR: u32 = 4;
/// Pages are cached once, by the file system on the device; the kernel ignores it where the file cannot.
const LO_FLAGS_DIRECT_IO: u32 = 16;

nix::ioctl_none_bad!(loop_get_free, 0x4C82);
nix::ioctl_write_ptr_bad!(loop_configure, 0x4C0A, LoopConfig);

/// A loop device over a file.
fn attach(image: &File) -> io::Result<(File, PathBuf)> {
    let control = File::options().read(true).write(true).open(CONTROL)?;
    let config = LoopConfig {
        fd: image.as_raw_fd() as u32,
        block_size: 0,
        info: LoopInfo {
            device: 0,
            inode: 0,
            rdevice: 0,
            offset: 0,
            size_limit: 0,
            number: 0,
            encrypt_type: 0,
            encrypt_key_size: 0,
            flags: LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
            file_name: [0; 64],
            crypt_name: [0; 64],
            encrypt_key: [0; 32],
            init: [0; 2],
        },
        reserved: [0; 8],
    };
    for _ in 0..ATTEMPTS {
        // SAFETY: the request takes no argument, and the descriptor is open.
        let number = unsafe { loop_get_free(control.as_raw_fd()) }?;
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = File::options().read(true).write(true).open(&path)?;
        // SAFETY: the structure is the kernel's, lives through the call, and names a descriptor that is open.
        match unsafe { loop_configure(device.as_raw_fd(), &raw const config) } {
            Ok(_) => return Ok((device, path)),
            // Somebody else took it in between.
            Err(Errno::EBUSY) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other("no loop device stays free"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_have_the_size_and_the_bytes_and_take_no_more_room() {
        let dir = tempfile::tempdir().expect("a directory");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let file = File::create(&from).expect("creates");
        file.set_len(1 << 30).expect("grows");
        file.write_all_at(b"begin", 0).expect("writes");
        file.write_all_at(&vec![7; 300_000], 500 << 20).expect("writes");
        copy_sparse(&from, &to).expect("copies");
        let copy = File::open(&to).expect("opens");
        assert_eq!(copy.metadata().expect("is there").len(), 1 << 30);
        let mut bytes = vec![0; 300_000];
        copy.read_exact_at(&mut bytes, 500 << 20).expect("reads");
        assert!(bytes.iter().all(|byte| *byte == 7));
        assert!(allocated(&to).expect("is there") < 1 << 20);
    }

    #[test]
    fn what_is_formatted_once_is_copied() {
        let dir = tempfile::tempdir().expect("a directory");
        if FileSystem::Ext4.program().is_err() {
            return;
        }
        let disk = Disk { gib: 20, file_system: FileSystem::Ext4 };
        let templates = dir.path().join("templates");
        for name in ["one", "two"] {
            let to = dir.path().join(name);
            make(&templates, disk, &to).expect("makes");
            let mut magic = [0; 2];
            File::open(&to).expect("opens").read_exact_at(&mut magic, 1024 + 56).expect("reads");
            assert_eq!(magic, [0x53, 0xef], "the mark of ext4");
            assert!(allocated(&to).expect("is there") < 4 << 20, "a new disk takes little room");
        }
        assert_eq!(fs::read_dir(&templates).expect("lists").count(), 1);
    }
}
