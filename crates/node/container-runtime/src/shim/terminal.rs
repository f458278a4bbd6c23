//! The terminal of a container that wants one: made inside by `libcontainer`, which hands its other end over a socket.

use nix::cmsg_space;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use std::fs::{self, File};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Where the other end arrives.
pub(super) struct ConsoleSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ConsoleSocket {
    /// Listens in a directory of the container. Its path may be long, so the socket is bound by a short one.
    pub(super) fn listen(folder: &Path) -> io::Result<Self> {
        let directory = File::open(folder)?;
        let path = folder.join("console");
        let listener = UnixListener::bind(format!("/proc/self/fd/{}/console", directory.as_raw_fd()))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the terminal, which is there once the container is made. Reading from it does not block.
    #[expect(unsafe_code, reason = "owning a descriptor by its number has no safe form")]
    pub(super) fn take(self) -> io::Result<File> {
        let (stream, _) = self.listener.accept()?;
        // The socket has served.
        let _ = fs::remove_file(&self.path);
        let mut bytes = [0; 64];
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let mut space = cmsg_space!(RawFd);
        let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
        let descriptor = message.cmsgs()?.find_map(|part| match part {
            ControlMessageOwned::ScmRights(descriptors) => descriptors.first().copied(),
            _ => None,
        });
        let descriptor = descriptor.ok_or_else(|| io::Error::other("the terminal did not arrive"))?;
        // SAFETY: the kernel has just made this descriptor for us, and nothing else knows it.
        let terminal = unsafe { OwnedFd::from_raw_fd(descriptor) };
        fcntl(&terminal, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(File::from(terminal))
    }
}
