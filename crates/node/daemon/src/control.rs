//! How the process is told what to do: frames of JSON over a Unix socket in its directory, which only root and the process's own
//! user reach.

use crate::socket::SocketPlace;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;

/// The longest frame.
const MOST_FRAME: usize = 64 << 20;
/// Descriptors that go over at a time; the kernel takes 253.
const AT_ONCE: usize = 64;

/// The socket in the directory.
pub(crate) const SOCKET: &str = "control.sock";

/// What is asked.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Ask<C> {
    /// Who is there?
    Hello,
    /// Do this from now on.
    Apply(C),
    /// What have you seen?
    Report,
    /// End, when what is in progress has ended, or after that many seconds.
    Stop { drain_seconds: u64 },
    /// A new process wants the listening sockets. They come after the answer.
    HandOver,
    /// It has them, and works: end, when what is in progress has ended.
    Taken,
}

/// What is answered.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Answer<R> {
    /// To [`Ask::Hello`].
    Hello { pid: u32, program: Option<ProgramFile> },
    /// It is done.
    Done,
    /// To [`Ask::Report`].
    Report(R),
    /// To [`Ask::HandOver`]: which sockets come.
    Sockets(Vec<SocketPlace>),
    /// It could not be done.
    Failed(String),
}

/// The file that a program was started from, to tell whether it is still the same one.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct ProgramFile {
    device: u64,
    inode: u64,
    size: u64,
    modified: i64,
}

impl ProgramFile {
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: metadata.mtime(),
        })
    }
}

fn frame(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(value)?;
    if body.len() > MOST_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the frame is too long"));
    }
    // Its length was just bounded.
    let mut frame = u32::try_from(body.len()).unwrap_or(0).to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// Writes one frame.
pub(crate) async fn write(stream: &mut UnixStream, value: &impl Serialize) -> io::Result<()> {
    stream.write_all(&frame(value)?).await
}

/// Reads one frame; nothing at the end.
pub(crate) async fn read<T: DeserializeOwned>(stream: &mut UnixStream) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > MOST_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the frame is too long"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(serde_json::from_slice(&body)?))
}

/// Asks, and waits for the answer.
pub(crate) async fn ask<R: DeserializeOwned>(
    stream: &mut UnixStream,
    ask: &Ask<impl Serialize>,
) -> io::Result<Answer<R>> {
    write(stream, ask).await?;
    read(stream).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Sends descriptors, one byte with each portion.
pub(crate) async fn send_descriptors(stream: &UnixStream, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    for portion in descriptors.chunks(AT_ONCE) {
        stream.async_io(Interest::WRITABLE, || send_portion(stream, portion)).await?;
    }
    Ok(())
}

fn send_portion(stream: &UnixStream, portion: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(portion)) {
        return Err(io::Error::other("no room for descriptors"));
    }
    let sent = sendmsg(stream.as_fd(), &[IoSlice::new(b"+")], &mut control, SendFlags::NOSIGNAL)?;
    if sent == 1 { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Receives `count` descriptors.
pub(crate) async fn receive_descriptors(stream: &UnixStream, count: usize) -> io::Result<Vec<OwnedFd>> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let before = all.len();
        stream.async_io(Interest::READABLE, || receive_portion(stream, &mut all)).await?;
        if all.len() == before {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(all)
}

fn receive_portion(stream: &UnixStream, all: &mut Vec<OwnedFd>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(stream.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            all.extend(descriptors);
        }
    }
    Ok(())
}
