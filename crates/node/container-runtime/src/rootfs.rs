//! Root file systems: the overlay mount, and looking into it without following a link out of it.

use crate::cgroup::guards_devices;
use nix::dir::Dir;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, mkdirat};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Largest `/etc/passwd` or `/etc/group` that is read.
const MOST_BYTES: u64 = 1024 * 1024;

/// User and groups of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
}

/// Mounts layers (lowest first) below `folder` and returns the root. What is written goes below `writable`, which is
/// thrown away, so it is mounted without syncing where the kernel can. It may have been mounted before by this process,
/// for a container that runs again; what was written then is there.
pub(crate) fn mount_overlay(folder: &Path, layers: &[PathBuf], writable: &Path) -> io::Result<PathBuf> {
    let root = folder.join("rootfs");
    for name in ["rootfs", "l"] {
        fs::create_dir_all(folder.join(name))?;
    }
    for name in ["upper", "work"] {
        fs::create_dir_all(writable.join(name))?;
    }
    // Short names, since the options of a mount have to fit into one page.
    let mut lower = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        link(layer, &folder.join("l").join(number.to_string()))?;
        lower.push(format!("l/{number}"));
    }
    lower.reverse();
    // A short name for it, too, and one without the characters that divide options.
    link(writable, &folder.join("w"))?;
    // The kernel refuses what was mounted without syncing, since a crash may have come in between. There was none: this
    // very process has mounted it.
    let unsynced = writable.join("work/work/incompat");
    if unsynced.exists() {
        fs::remove_dir_all(unsynced)?;
    }
    std::env::set_current_dir(folder)?;
    let options = format!("lowerdir={},upperdir=w/upper,workdir=w/work", lower.join(":"));
    // Devices that an image brings along are of no use, or they would be the host's.
    let flags = if guards_devices() { MsFlags::empty() } else { MsFlags::MS_NODEV };
    let attempt = |options: &str| {
        mount(Some("overlay"), "rootfs", Some("overlay"), flags, Some(options)).map_err(io::Error::from)
    };
    let mounted = attempt(&format!("{options},volatile")).or_else(|_| attempt(&options));
    std::env::set_current_dir("/")?;
    mounted.map(|()| root)
}

/// Makes a symbolic link, in place of one that is there.
fn link(target: &Path, path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::os::unix::fs::symlink(target, path)
}

/// Takes a root file system away; fine when it is not mounted.
pub(crate) fn unmount(root: &Path) {
    let _ = umount2(root, MntFlags::MNT_DETACH);
}

/// Opens a path as a process inside the root would, never leaving it.
pub(crate) fn open_inside(root: &Path, path: &str, flags: OFlag) -> io::Result<File> {
    let dir = Dir::open(root, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    Ok(File::from(openat2(&dir, path, how)?))
}

/// Makes a directory and those above it inside the root, owned by root.
pub(crate) fn make_directory(root: &Path, path: &str) -> io::Result<()> {
    let mut done = String::from("/");
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        let parent = open_inside(root, &done, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        if part != ".." {
            match mkdirat(&parent, part, Mode::from_bits_truncate(0o755)) {
                Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        done.push_str(part);
        done.push('/');
    }
    Ok(())
}

/// Why a program cannot be started, in a container engine's words; `None` when it is there.
pub(crate) fn missing_program(root: &Path, program: &str, env: &[String], cwd: &str) -> Option<String> {
    let look = |path: &str| -> io::Result<bool> {
        let file = open_inside(root, path, OFlag::O_PATH)?;
        let metadata = file.metadata()?;
        Ok(metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        let path = if program.starts_with('/') { program.to_owned() } else { format!("{cwd}/{program}") };
        return match look(&path) {
            Ok(true) => None,
            Ok(false) => Some(format!("exec: \"{program}\": permission denied: unknown")),
            Err(_) => {
                Some(format!("exec: \"{program}\": stat {program}: no such file or directory: unknown"))
            }
        };
    }
    let path = env.iter().rev().find_map(|pair| pair.strip_prefix("PATH=")).unwrap_or_default();
    let found = path.split(':').any(|dir| look(&format!("{dir}/{program}")).unwrap_or(false));
    (!found).then(|| format!("exec: \"{program}\": executable file not found in $PATH: unknown"))
}

/// Resolves `user`, `user:group`, by name or number, as the image's own files say.
pub(crate) fn user(root: &Path, wanted: Option<&str>) -> Result<User, String> {
    let wanted = wanted.filter(|wanted| !wanted.is_empty()).unwrap_or("0");
    let (name, group) = wanted.split_once(':').map_or((wanted, None), |(name, group)| (name, Some(group)));
    let passwd = text(root, "/etc/passwd");
    let groups = text(root, "/etc/group");
    let line = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| {
        fields.len() >= 4 && (fields[0] == name || (name.parse::<u32>().is_ok() && fields[2] == name))
    });
    let number = |text: &str| text.parse::<u32>().ok();
    let uid = number(name).or_else(|| line.as_ref().and_then(|fields| number(fields[2])));
    let uid = uid.ok_or_else(|| format!("unable to find user {name}: no matching entries in passwd file"))?;
    let own_gid = line.as_ref().and_then(|fields| number(fields[3])).unwrap_or(0);
    let group_line = |wanted: &str| {
        groups.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.len() >= 3 && fields[0] == wanted).then(|| number(fields[2])).flatten()
        })
    };
    let gid = match group.filter(|group| !group.is_empty()) {
        None => own_gid,
        Some(group) => number(group)
            .or_else(|| group_line(group))
            .ok_or_else(|| format!("unable to find group {group}: no matching entries in group file"))?,
    };
    let login = line.as_ref().map_or(name, |fields| fields[0]);
    let member = |line: &&str| {
        line.rsplit(':').next().is_some_and(|members| members.split(',').any(|member| member == login))
    };
    let extra = if group.is_some() {
        Vec::new()
    } else {
        groups.lines().filter(member).filter_map(|line| number(line.split(':').nth(2)?)).collect()
    };
    Ok(User { uid, gid, groups: extra })
}

/// Home directory of a user.
pub(crate) fn home(root: &Path, uid: u32) -> String {
    let passwd = text(root, "/etc/passwd");
    let own = uid.to_string();
    let line = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let home = line
        .into_iter()
        .find(|fields| fields.len() >= 6 && fields[2] == own)
        .map(|fields| fields[5].to_owned());
    home.filter(|home| home.starts_with('/')).unwrap_or_else(|| "/".to_owned())
}

fn text(root: &Path, path: &str) -> String {
    let mut text = Vec::new();
    if let Ok(file) = open_inside(root, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK) {
        let _ = file.take(MOST_BYTES).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        let dir = std::env::temp_dir().join(format!("longshore-rootfs-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("etc")).expect("makes");
        fs::create_dir_all(dir.join("bin")).expect("makes");
        fs::write(dir.join("etc/passwd"), "root:x:0:0:r:/root:/bin/sh\napp:x:1000:1001::/srv:/bin/sh\n")
            .expect("writes");
        fs::write(dir.join("etc/group"), "root:x:0:\nteam:x:50:app,other\nown:x:1001:\n").expect("writes");
        fs::write(dir.join("bin/tool"), "#!").expect("writes");
        fs::set_permissions(dir.join("bin/tool"), fs::Permissions::from_mode(0o755)).expect("sets");
        fs::write(dir.join("bin/plain"), "x").expect("writes");
        std::os::unix::fs::symlink("/etc/hostname", dir.join("out")).expect("links");
        dir
    }

    #[test]
    fn looks_only_inside() {
        let root = root();
        let user_of = |wanted| user(&root, wanted);
        assert_eq!(user_of(None), Ok(User::default()));
        assert_eq!(user_of(Some("app")), Ok(User { uid: 1000, gid: 1001, groups: vec![50] }));
        assert_eq!(user_of(Some("app:team")), Ok(User { uid: 1000, gid: 50, groups: vec![] }));
        assert_eq!(user_of(Some("77:88")), Ok(User { uid: 77, gid: 88, groups: vec![] }));
        assert!(user_of(Some("nobody")).is_err());
        assert_eq!(home(&root, 1000), "/srv");
        let env = ["PATH=/sbin:/bin".to_owned()];
        assert_eq!(missing_program(&root, "tool", &env, "/"), None);
        assert!(missing_program(&root, "plain", &env, "/").is_some_and(|text| text.contains("$PATH")));
        assert!(
            missing_program(&root, "/bin/plain", &env, "/").is_some_and(|text| text.contains("permission"))
        );
        assert!(
            missing_program(&root, "/out", &env, "/").is_some(),
            "a link out of the root is not followed"
        );
        make_directory(&root, "/a/b/../c").expect("makes");
        assert!(root.join("a/b").is_dir());
        fs::remove_dir_all(&root).expect("removes");
    }
}
