//! Why a program could not be started: told by the process that should have become it, explained by the shim.
//!
//! The process holds the writing end of a pipe that exec closes. What it writes there is the reason; an end without a
//! word means that the program runs.

use crate::rootfs::open_inside;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the last steps before a program may take.
const EXEC_TIME: Duration = Duration::from_secs(30);
/// Longest report that is read.
const MOST_REPORT_BYTES: u64 = 16 * 1024;
/// How much of a program is looked at, more than its headers take.
const MOST_HEADER_BYTES: u64 = 4096;
/// Interpreters of interpreters that the kernel follows.
const MOST_INTERPRETERS: usize = 5;

/// Why a program did not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Failure {
    /// A step before it failed, or it is nowhere.
    Before(String),
    /// The kernel refused to run it.
    Exec {
        /// Its path in the container.
        path: String,
        /// The kernel's reason.
        errno: i32,
    },
}

impl Failure {
    /// Tells whoever waits.
    pub(crate) fn tell(&self, report: OwnedFd) {
        // If the shim is gone there is nobody to tell.
        let _ = serde_json::to_writer(File::from(report), self);
    }

    /// For a person. `root` is the container's file system, `program` what was asked for.
    pub(crate) fn explain(&self, root: &Path, program: &str) -> String {
        let (path, errno) = match self {
            Self::Before(text) => return format!("exec: {program:?}: {text}: unknown"),
            Self::Exec { path, errno } => (path, Errno::from_raw(*errno)),
        };
        let (kernel, more) = match errno {
            Errno::ENOENT => ("no such file or directory", missing_interpreter(root, path)),
            Errno::ENOEXEC => ("exec format error", Some(format_of(root, path))),
            Errno::EACCES => {
                let more = "the user of the container may not execute it, or what interprets it";
                ("permission denied", Some(more.to_owned()))
            }
            Errno::ETXTBSY => ("text file busy", Some("something has it open for writing".to_owned())),
            Errno::E2BIG => {
                let more = "arguments and environment are longer than the kernel takes";
                ("argument list too long", Some(more.to_owned()))
            }
            other => (other.desc(), None),
        };
        let more = more.map_or_else(String::new, |more| format!(" ({more})"));
        format!("exec: {program:?}: {kernel}{more}: unknown")
    }
}

/// Waits for the program to run, or for the reason why it does not. The writing end must not be open here any more.
pub(crate) fn wait(report: OwnedFd) -> Result<Option<Failure>, String> {
    let deadline = Instant::now() + EXEC_TIME;
    let mut report = File::from(report).take(MOST_REPORT_BYTES);
    let mut text = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        let mut waiting = [PollFd::new(report.get_ref().as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut waiting, timeout) {
            Ok(0) => return Err("the program did not start in time".to_owned()),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(format!("wait for the program: {error}")),
        }
        let mut piece = [0; 512];
        match report.read(&mut piece) {
            Ok(0) if text.is_empty() => return Ok(None),
            Ok(0) => {
                return serde_json::from_slice(&text)
                    .map(Some)
                    .map_err(|error| format!("read why the program did not start: {error}"));
            }
            Ok(count) => text.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(format!("wait for the program: {error}")),
        }
    }
}

/// The first interpreter on the way that is not there.
fn missing_interpreter(root: &Path, program: &str) -> Option<String> {
    let mut path = program.to_owned();
    for _ in 0..MOST_INTERPRETERS {
        path = interpreter(&header(root, &path)?)?;
        if open_inside(root, &path, OFlag::O_PATH).is_err() {
            return Some(format!("its interpreter {path:?} is not in the image"));
        }
    }
    None
}

/// The beginning of a program.
fn header(root: &Path, path: &str) -> Option<Vec<u8>> {
    let file = open_inside(root, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK).ok()?;
    let mut header = Vec::new();
    let is_file = file.metadata().ok()?.is_file();
    (is_file && file.take(MOST_HEADER_BYTES).read_to_end(&mut header).is_ok()).then_some(header)
}

/// What the kernel runs a program with: the interpreter of a script, or the loader that a binary names.
fn interpreter(header: &[u8]) -> Option<String> {
    let text = if let Some(line) = header.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next()?;
        line.split(|byte| *byte == b' ' || *byte == b'\t').find(|word| !word.is_empty())?
    } else {
        loader(header)?
    };
    Some(String::from_utf8_lossy(text).into_owned())
}

/// A number of an ELF file of this machine's byte order; every address in there fits 64 bits.
fn number(header: &[u8], at: usize, bytes: usize) -> Option<usize> {
    let bytes = header.get(at..at.checked_add(bytes)?)?;
    bytes.iter().rev().try_fold(0usize, |number, byte| number.checked_mul(256)?.checked_add((*byte).into()))
}

/// The loader that an ELF file names.
fn loader(header: &[u8]) -> Option<&[u8]> {
    const INTERPRETER: usize = 3;
    // Places in the file's header and in each program header, for 32 and 64 bits: where the headers are, their size,
    // their number; in each, where its content is and how long.
    let wide = match (header.starts_with(b"\x7fELF"), header.get(4)?) {
        (true, 1) => false,
        (true, 2) => true,
        _ => return None,
    };
    let (at, size, count) = if wide { ((32, 8), 54, 56) } else { ((28, 4), 42, 44) };
    let (offset, length, word) = if wide { (8, 32, 8) } else { (4, 16, 4) };
    let (at, size, count) =
        (number(header, at.0, at.1)?, number(header, size, 2)?, number(header, count, 2)?);
    (0..count).find_map(|index| {
        let own = at.checked_add(size.checked_mul(index)?)?;
        if number(header, own, 4)? != INTERPRETER {
            return None;
        }
        let start = number(header, own.checked_add(offset)?, word)?;
        let end = start.checked_add(number(header, own.checked_add(length)?, word)?)?;
        header.get(start..end)?.split(|byte| *byte == 0).next()
    })
}

/// What a file is that the kernel cannot run.
fn format_of(root: &Path, program: &str) -> String {
    let Some(header) = header(root, program) else { return "it cannot be run on this machine".to_owned() };
    let own = std::env::consts::ARCH;
    if header.is_empty() {
        return "it is empty".to_owned();
    }
    if !header.starts_with(b"\x7fELF") {
        return "it is neither a program nor a script that begins with \"#!\"".to_owned();
    }
    match number(&header, 18, 2) {
        Some(62) if own != "x86_64" => format!("it is built for amd64, this machine is {own}"),
        Some(183) if own != "aarch64" => format!("it is built for arm64, this machine is {own}"),
        Some(3) => "it is built for 32-bit x86, which this machine's kernel does not run".to_owned(),
        Some(62 | 183) => "it is damaged".to_owned(),
        _ => format!("it is built for another architecture than {own}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn interpreters_are_read_from_scripts_and_binaries() {
        let of = |header: &[u8]| interpreter(header);
        assert_eq!(of(b"#!/bin/sh\necho"), Some("/bin/sh".to_owned()));
        assert_eq!(of(b"#! \t/usr/bin/env  python3\n"), Some("/usr/bin/env".to_owned()));
        for none in [&b"#!\n"[..], b"", b"\x7fELF", b"\x7fELF\x02\x01", b"echo"] {
            assert_eq!(of(none), None);
        }
        let own = std::fs::read("/proc/self/exe").expect("reads");
        let loader = of(&own[..4096]).expect("this program has a loader");
        assert!(Path::new(&loader).exists(), "{loader}");
        // Whatever is cut or bent, nothing is read beyond the end.
        for length in 0..200 {
            let _ = of(&own[..length]);
        }
        let mut bent = own[..4096].to_vec();
        bent[32..40].fill(0xff);
        assert_eq!(of(&bent), None);
    }

    #[test]
    fn reasons_name_what_is_wrong() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path();
        std::fs::create_dir(root.join("bin")).expect("makes");
        std::fs::write(root.join("bin/loop"), "#!/bin/real\n").expect("writes");
        std::fs::write(root.join("bin/real"), "#!/nope\n").expect("writes");
        let mut foreign = b"\x7fELF\x02\x01\x01".to_vec();
        foreign.resize(64, 0);
        foreign[18] = 243;
        std::fs::write(root.join("foreign"), foreign).expect("writes");
        std::fs::write(root.join("empty"), "").expect("writes");
        let explain = |path: &str, errno: Errno| {
            Failure::Exec { path: path.to_owned(), errno: errno as i32 }.explain(root, path)
        };
        for (path, errno, wanted) in [
            (
                "/bin/loop",
                Errno::ENOENT,
                "exec: \"/bin/loop\": no such file or directory (its interpreter \"/nope\"",
            ),
            ("/gone", Errno::ENOENT, "exec: \"/gone\": no such file or directory: unknown"),
            ("/foreign", Errno::ENOEXEC, "exec format error (it is built for another architecture"),
            ("/empty", Errno::ENOEXEC, "exec format error (it is empty)"),
            ("/bin/loop", Errno::EACCES, "permission denied (the user"),
            ("/bin/loop", Errno::ETXTBSY, "text file busy (something"),
            ("/bin/loop", Errno::E2BIG, "argument list too long (arguments"),
            ("/bin/loop", Errno::EPERM, "Operation not permitted: unknown"),
        ] {
            let text = explain(path, errno);
            assert!(text.contains(wanted), "{text}");
        }
    }

    #[test]
    fn a_report_is_waited_for() {
        let pipe = || nix::unistd::pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        let (read, write) = pipe();
        drop(write);
        assert_eq!(wait(read), Ok(None));
        let failure = Failure::Exec { path: "/a\n".to_owned(), errno: 2 };
        let (read, write) = pipe();
        failure.tell(write);
        assert_eq!(wait(read), Ok(Some(failure)));
        let (read, write) = pipe();
        File::from(write).write_all(b"half").expect("writes");
        assert!(wait(read).is_err());
    }
}
