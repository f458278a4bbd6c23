//! Blobs by reference: a registry on this machine hands its blob's open file over instead of sending the bytes.
//!
//! One connection over a Unix socket asks for one blob: a line of JSON there, a line of JSON back, and with its first byte
//! the file, opened for reading. What is asked is what the distribution protocol asks (`GET` of a blob, with the same
//! `Authorization`), and the registry allows or denies it by the same rules. A path is never told, so nobody learns where
//! blobs lie; an open file stays readable when the blob is collected meanwhile; and nothing can be written through it.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;

/// The longest line; a password of ECR is the largest part of it.
const MOST_LINE: usize = 32 * 1024;

/// What is asked for.
#[derive(Clone, Deserialize, Serialize)]
pub struct LocalRequest {
    /// The registry as the reference names it.
    pub host: String,
    /// The repository.
    pub repository: String,
    /// The blob.
    pub digest: String,
    /// Value of the `Authorization` header, if there is one.
    pub authorization: Option<String>,
}

/// What is answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct LocalAnswer {
    /// 200 with a file, 204 when the blob has to be had by HTTP, else what HTTP would have answered.
    pub status: u16,
}

/// Asks the registry behind a socket for a blob.
pub async fn ask(socket: &Path, request: &LocalRequest) -> io::Result<(LocalAnswer, Option<File>)> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(&line(request)?).await?;
    let mut buffer = vec![0; MOST_LINE];
    let (mut length, mut file) = (0, None);
    loop {
        let (read, found) =
            stream.async_io(Interest::READABLE, || receive(&stream, &mut buffer[length..])).await?;
        file = found.or(file);
        length += read;
        if buffer[..length].ends_with(b"\n") {
            return Ok((parse(&buffer[..length])?, file));
        }
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Reads what somebody asks for.
pub async fn read_request(stream: &mut UnixStream) -> io::Result<LocalRequest> {
    let mut buffer = vec![0; MOST_LINE];
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..]).await?;
        length += read;
        if buffer[..length].ends_with(b"\n") {
            return parse(&buffer[..length]);
        }
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Answers, with the blob's file if there is one.
pub async fn write_answer(
    stream: &mut UnixStream,
    answer: &LocalAnswer,
    file: Option<&File>,
) -> io::Result<()> {
    let line = line(answer)?;
    let sent = stream.async_io(Interest::WRITABLE, || send(stream, &line, file)).await?;
    stream.write_all(&line[sent..]).await
}

fn send(stream: &UnixStream, bytes: &[u8], file: Option<&File>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = [file.map_or_else(|| stream.as_fd(), AsFd::as_fd)];
    if file.is_some() && !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("no room for a file beside the answer"));
    }
    Ok(rustix::net::sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

fn receive(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Option<File>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = rustix::net::recvmsg(stream, &mut [IoSliceMut::new(buffer)], &mut control, flags)?;
    let files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    Ok((received.bytes, files.last().map(File::from)))
}

fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    if line.len() > MOST_LINE {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the line is too long"));
    }
    Ok(line)
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(line)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;

    #[tokio::test]
    async fn the_file_itself_comes_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("blob");
        std::fs::write(&path, b"content").expect("writes");
        let (mut here, mut there) = UnixStream::pair().expect("a pair");
        let request = LocalRequest {
            host: "h".to_owned(),
            repository: "r".to_owned(),
            digest: "d".to_owned(),
            authorization: None,
        };
        here.write_all(&line(&request).expect("a line")).await.expect("sends");
        assert_eq!(read_request(&mut there).await.expect("reads").repository, "r");
        let file = File::open(&path).expect("opens");
        write_answer(&mut there, &LocalAnswer { status: 200 }, Some(&file)).await.expect("answers");
        let inode = file.metadata().expect("there").ino();
        drop((there, file));
        std::fs::remove_file(&path).expect("removes");
        let mut buffer = vec![0; 100];
        let (read, file) =
            here.async_io(Interest::READABLE, || receive(&here, &mut buffer)).await.expect("receives");
        let answer: LocalAnswer = parse(&buffer[..read]).expect("reads");
        assert_eq!(answer.status, 200);
        let mut file = file.expect("a file");
        assert_eq!(file.metadata().expect("there").ino(), inode);
        let mut text = String::new();
        file.read_to_string(&mut text).expect("reads what is removed");
        assert_eq!(text, "content");
        assert!(std::io::Write::write(&mut file, b"x").is_err(), "for reading only");
    }

    #[tokio::test]
    async fn lines_without_end_are_refused() {
        let (mut here, mut there) = UnixStream::pair().expect("a pair");
        let flood = tokio::spawn(async move { here.write_all(&vec![b'x'; MOST_LINE + 1]).await });
        assert!(read_request(&mut there).await.is_err());
        drop(there);
        // Its other end has gone, or took everything.
        let _ = flood.await.expect("ends");
    }
}
