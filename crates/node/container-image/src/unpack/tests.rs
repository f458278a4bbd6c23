//! Archives as they are and as an attacker would make them.

use super::*;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use tar::{Builder, EntryType, Header};

struct Layer(Builder<Vec<u8>>);

impl Layer {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn entry(mut self, kind: EntryType, path: &str, link: &str, mode: u32, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        // Written raw: the crate's own setters refuse what an attacker would write.
        header.as_gnu_mut().expect("gnu").name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_gnu_mut().expect("gnu").linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_mode(mode);
        header.set_uid(12);
        header.set_gid(34);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        header.set_device_major(1).expect("fits");
        header.set_device_minor(3).expect("fits");
        header.set_cksum();
        self.0.append(&header, content).expect("appends");
        self
    }

    fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, path, "", 0o644, content)
    }

    fn directory(self, path: &str) -> Self {
        self.entry(EntryType::Directory, path, "", 0o755, b"")
    }

    fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path, target, 0o777, b"")
    }

    fn hard_link(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Link, path, target, 0o644, b"")
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("ends")
    }

    fn unpack(self) -> (tempfile::TempDir, Result<Unpacked, LayerError>) {
        unpack_bytes(&self.bytes(), &Limits::default())
    }
}

/// Unpacks into the folder `root` of a directory that holds a file an escape would reach.
fn unpack_bytes(bytes: &[u8], limits: &Limits) -> (tempfile::TempDir, Result<Unpacked, LayerError>) {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().join("root");
    std::fs::create_dir(&root).expect("made");
    std::fs::write(directory.path().join("outside"), "untouched").expect("written");
    let result = unpack(bytes, &root, &Budget::new(limits), &Spent::default());
    let outside: Vec<_> = std::fs::read_dir(directory.path()).expect("read").collect();
    assert_eq!(outside.len(), 2, "something was made outside of the root");
    assert_eq!(std::fs::read(directory.path().join("outside")).expect("read"), b"untouched");
    (directory, result)
}

fn root(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("root")
}

#[test]
fn a_layer_comes_out_as_it_went_in() {
    let layer = Layer::new()
        .directory("./")
        .directory("bin/")
        .entry(EntryType::Regular, "bin/su", "", 0o4755, b"root me")
        .symlink("bin/sh", "/bin/su")
        .hard_link("bin/sudo", "/bin/su")
        .entry(EntryType::Fifo, "pipe", "", 0o600, b"")
        .entry(EntryType::Char, "null", "", 0o666, b"")
        .entry(EntryType::Directory, "tmp", "", 0o1777, b"");
    let bytes = layer.bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).expect("compresses");
    let zstd = zstd::encode_all(bytes.as_slice(), 1).expect("compresses");
    for packed in [bytes.clone(), gzip.finish().expect("ends"), zstd] {
        let (directory, result) = unpack_bytes(&packed, &Limits::default());
        let unpacked = result.expect("unpacks");
        assert_eq!((unpacked.diff_id, unpacked.entries), (Digest::of(&bytes), 8));
        assert!(unpacked.implicit.is_empty());
        let root = root(&directory);
        let su = std::fs::metadata(root.join("bin/su")).expect("there");
        assert_eq!((su.mode() & 0o7777, su.uid(), su.gid(), su.nlink()), (0o4755, 12, 34, 2));
        assert_eq!(su.mtime(), 1_000_000_000);
        assert_eq!(std::fs::metadata(root.join("bin")).expect("there").mtime(), 1_000_000_000);
        assert_eq!(std::fs::metadata(root.join("tmp")).expect("there").mode() & 0o7777, 0o1777);
        assert_eq!(std::fs::read_link(root.join("bin/sh")).expect("a link"), Path::new("/bin/su"));
        let null = std::fs::metadata(root.join("null")).expect("there");
        assert!(null.file_type().is_char_device());
        assert_eq!(null.rdev(), rustix::fs::makedev(1, 3));
        assert!(std::fs::metadata(root.join("pipe")).expect("there").file_type().is_fifo());
    }
}

#[test]
fn paths_that_leave_the_root_are_refused() {
    for path in ["../outside", "a/../../outside", "/../outside", "./../x", ".."] {
        let (_directory, result) = Layer::new().file(path, b"gotcha").unpack();
        assert!(matches!(result, Err(LayerError::Entry { .. })), "{path}: {result:?}");
        let (_directory, result) = Layer::new().hard_link("x", path).unpack();
        assert!(matches!(result, Err(LayerError::Entry { .. })), "{path}: {result:?}");
    }
}

#[test]
fn planted_links_are_never_followed_out() {
    let (directory, result) = Layer::new().symlink("up", "../..").file("up/outside", b"inside").unpack();
    result.expect("resolved inside the root");
    assert_eq!(std::fs::read(root(&directory).join("outside")).expect("inside"), b"inside");

    let (directory, result) = Layer::new().symlink("etc", "/").file("etc/outside", b"inside").unpack();
    result.expect("resolved inside the root");
    assert_eq!(std::fs::read(root(&directory).join("outside")).expect("inside"), b"inside");

    // A file over a link replaces the link, never what it points to.
    let (directory, result) =
        Layer::new().symlink("x", "../outside").file("x", b"mine").hard_link("y", "x").unpack();
    result.expect("replaced");
    assert_eq!(std::fs::read(root(&directory).join("y")).expect("a file"), b"mine");

    // A hard link to a link that points outside is that link again, and a file over it replaces it.
    let (_directory, result) =
        Layer::new().symlink("x", "../outside").hard_link("y", "x").file("y", b"mine").unpack();
    result.expect("replaced");

    // Dangling: there is nothing to make directories in.
    let (_directory, result) = Layer::new().symlink("gone", "/nowhere/at/all").file("gone/x", b"").unpack();
    assert!(matches!(result, Err(LayerError::Entry { .. } | LayerError::Io { .. })), "{result:?}");

    let (_directory, result) = Layer::new().symlink("loop", "loop").file("loop/x", b"").unpack();
    assert!(matches!(result, Err(LayerError::Entry { .. })), "{result:?}");
}

#[test]
fn later_entries_replace_earlier_ones() {
    let (directory, result) = Layer::new()
        .directory("a")
        .directory("a/b")
        .file("a/b/c", b"deep")
        .file("a", b"flat")
        .file("f", b"1")
        .file("f", b"two")
        .file("d", b"")
        .directory("d")
        .file("d/x", b"below")
        .symlink("link", "d")
        .directory("link")
        .unpack();
    result.expect("unpacks");
    let root = root(&directory);
    assert_eq!(std::fs::read(root.join("a")).expect("a file"), b"flat");
    assert_eq!(std::fs::read(root.join("f")).expect("a file"), b"two");
    assert_eq!(std::fs::read(root.join("d/x")).expect("a file"), b"below");
    assert!(std::fs::symlink_metadata(root.join("link")).expect("there").is_dir());

    let (_directory, result) = Layer::new().file("f", b"").file("f/x", b"").unpack();
    assert!(matches!(result, Err(LayerError::Entry { .. })), "{result:?}");
    let (_directory, result) = Layer::new().hard_link("x", "missing").unpack();
    assert!(matches!(result, Err(LayerError::Entry { .. })), "{result:?}");
}

fn is_whiteout(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|stat| stat.file_type().is_char_device() && stat.rdev() == 0)
}

fn is_opaque(path: &Path) -> bool {
    let mut value = [0u8; 8];
    rustix::fs::lgetxattr(path, "trusted.overlay.opaque", &mut value).is_ok_and(|read| &value[..read] == b"y")
}

#[test]
fn whiteouts_become_overlay_marks() {
    let (directory, result) = Layer::new()
        .directory("etc")
        .file("etc/.wh.passwd", b"")
        .directory("var")
        .file("var/.wh..wh..opq", b"")
        .file(".wh..wh.plnk", b"")
        .file("kept", b"here")
        .file(".wh.kept", b"")
        .directory("both")
        .file(".wh.both", b"")
        .file(".wh.later", b"")
        .directory("later")
        .file("implicit/.wh.x", b"")
        .unpack();
    let unpacked = result.expect("unpacks");
    let root = root(&directory);
    assert!(is_whiteout(&root.join("etc/passwd")) && !root.join("etc/.wh.passwd").exists());
    assert!(is_opaque(&root.join("var")) && !is_opaque(&root.join("etc")));
    assert_eq!(std::fs::read(root.join("kept")).expect("stays"), b"here");
    assert!(is_opaque(&root.join("both")) && is_opaque(&root.join("later")));
    assert!(is_whiteout(&root.join("implicit/x")));
    assert!(!root.join(".wh..wh.plnk").exists() && !root.join(".wh.plnk").exists());
    assert_eq!(unpacked.implicit, [Path::new("implicit")]);
    for path in [".wh.", ".wh...", ".wh.."] {
        let (_directory, result) = Layer::new().file(path, b"").unpack();
        assert!(matches!(result, Err(LayerError::Entry { .. })), "{path}: {result:?}");
    }
}

#[test]
fn directories_without_an_entry_are_like_those_below() {
    let (lower, result) = Layer::new().entry(EntryType::Directory, "tmp", "", 0o1777, b"").unpack();
    result.expect("unpacks");
    let (upper, result) = Layer::new().file("tmp/x", b"").file("new/y", b"").unpack();
    let unpacked = result.expect("unpacks");
    adopt(&root(&upper), &unpacked.implicit, &[root(&lower)]).expect("adopts");
    let tmp = std::fs::metadata(root(&upper).join("tmp")).expect("there");
    assert_eq!((tmp.mode() & 0o7777, tmp.uid()), (0o1777, 12));
    assert_eq!(std::fs::metadata(root(&upper).join("new")).expect("there").mode() & 0o7777, 0o755);
}

#[test]
fn attributes_are_set_except_those_that_steer_overlayfs() {
    let mut builder = Builder::new(Vec::new());
    let capability: &[u8] = b"\x01\0\0\x02\0\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    builder
        .append_pax_extensions([
            ("SCHILY.xattr.security.capability", capability),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
            ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
        ])
        .expect("appends");
    let mut header = Header::new_ustar();
    header.set_path("d").expect("fits");
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    builder.append(&header, io::empty()).expect("appends");
    let (directory, result) = unpack_bytes(&builder.into_inner().expect("ends"), &Limits::default());
    result.expect("unpacks");
    let path = root(&directory).join("d");
    let mut value = [0u8; 64];
    let length = rustix::fs::lgetxattr(&path, "security.capability", &mut value).expect("has one");
    assert_eq!(&value[..length], capability);
    assert!(!is_opaque(&path));
    assert!(rustix::fs::lgetxattr(&path, "trusted.overlay.redirect", &mut value).is_err());
}

#[test]
fn bombs_end_at_the_bound() {
    let limits = Limits { unpacked_bytes: 1 << 20, entries: 100, ..Limits::default() };
    let zeros = vec![0u8; 8 << 20];
    let bytes = Layer::new().file("zeros", &zeros).bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&bytes).expect("compresses");
    let (directory, result) = unpack_bytes(&gzip.finish().expect("ends"), &limits);
    assert!(matches!(result, Err(LayerError::TooLarge { .. })), "{result:?}");
    assert!(std::fs::metadata(root(&directory).join("zeros")).map_or(0, |file| file.len()) <= 1 << 20);

    // What its header claims is enough: nothing of the file is written, and there need not be any.
    let mut claims = Layer::new().file("claims", &zeros).bytes();
    claims.truncate(512);
    let (directory, result) = unpack_bytes(&claims, &limits);
    assert!(matches!(result, Err(LayerError::TooLarge { .. })), "{result:?}");
    assert!(!root(&directory).join("claims").exists());

    let many = (0..101).fold(Layer::new(), |layer, index| layer.file(&format!("f{index}"), b""));
    let (_directory, result) = unpack_bytes(&many.bytes(), &limits);
    assert!(matches!(result, Err(LayerError::TooManyEntries { .. })), "{result:?}");
}

#[test]
fn damage_is_seen() {
    let whole = Layer::new().file("f", &[7; 4000]).bytes();
    for cut in [100, 512, 1000, 3000] {
        let (_directory, result) = unpack_bytes(&whole[..cut], &Limits::default());
        assert!(matches!(result, Err(LayerError::Damaged(_))), "cut at {cut}: {result:?}");
    }
    let mut flipped = whole.clone();
    flipped[3] ^= 1;
    assert!(unpack_bytes(&flipped, &Limits::default()).1.is_err());
    let (_directory, result) = unpack_bytes(&[0x1f, 0x8b, 8, 0, 1, 2, 3], &Limits::default());
    assert!(matches!(result, Err(LayerError::Damaged(_))), "{result:?}");
    let (_directory, result) = unpack_bytes(b"", &Limits::default());
    assert_eq!(result.expect("an empty layer is a layer").entries, 0);
}

#[test]
fn random_damage_neither_panics_nor_escapes() {
    let whole = Layer::new()
        .directory("a")
        .file("a/f", &[1; 700])
        .symlink("a/l", "../../outside")
        .hard_link("a/h", "a/f")
        .file("a/.wh.x", b"")
        .entry(EntryType::XHeader, "x", "", 0o644, b"12 path=b/c\n")
        .file("plain", b"x")
        .bytes();
    let mut state = 0x2545_f491_4f6c_dd1du64;
    for _ in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = state as usize % bytes.len();
            bytes[at] = (state >> 32) as u8;
            // Headers with a right checksum are read on.
            let start = at / 512 * 512;
            let mut header = Header::new_old();
            header.as_mut_bytes().copy_from_slice(&bytes[start..start + 512]);
            header.set_cksum();
            bytes[start..start + 512].copy_from_slice(header.as_bytes());
        }
        // The result does not matter; what the function checks on its way does.
        let _ = unpack_bytes(&bytes, &Limits { unpacked_bytes: 1 << 20, ..Limits::default() });
    }
}

#[test]
fn sparse_files_keep_their_holes() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("sparse");
    let file = File::create(&path).expect("made");
    file.set_len(8 << 20).expect("grows");
    let tar = directory.path().join("sparse.tar");
    for piece in 0..40u64 {
        file.write_all_at(&[piece as u8 + 1; 4096], piece * 200_704).expect("written");
    }
    let made = std::process::Command::new("tar")
        .args(["--format=gnu", "-S", "-cf"])
        .arg(&tar)
        .arg("-C")
        .arg(directory.path())
        .arg("sparse")
        .status()
        .expect("tar runs");
    assert!(made.success());
    let packed = std::fs::read(&tar).expect("read");
    let (unpacked, result) = unpack_bytes(&packed, &Limits::default());
    result.expect("unpacks");
    let copy = root(&unpacked).join("sparse");
    assert_eq!(std::fs::read(&copy).expect("read"), std::fs::read(&path).expect("read"));
    assert!(std::fs::metadata(&copy).expect("there").blocks() * 512 < 1 << 20);
}
