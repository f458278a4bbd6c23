//! Sockets inside containers, reached from outside.
//!
//! The file system of a container is its own to fill: a link in it may point anywhere. So the socket is opened within
//! the container's root, where every link stays inside, and connected to as the very thing that was opened.

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use tokio::net::UnixStream;

/// Connects to the socket at a path inside the root of a process.
pub(super) async fn connect(pid: i32, path: &str) -> io::Result<UnixStream> {
    let root = File::open(format!("/proc/{pid}/root"))?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let socket = openat2(&root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?;
    UnixStream::connect(format!("/proc/self/fd/{}", socket.as_raw_fd())).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[tokio::test]
    async fn sockets_are_found_by_their_path_in_the_root_of_a_process() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        let _listener = UnixListener::bind(&path).expect("binds");
        let own = i32::try_from(std::process::id()).expect("fits");
        // This process has the machine's root, which others may not be let into.
        if let Err(error) = connect(own, &path.to_string_lossy()).await {
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
        }
        assert!(connect(own, "/no/such/socket").await.is_err());
    }
}
