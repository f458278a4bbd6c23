//! Bodies of HTTP answers that the kernel sends out of files, so that their bytes never pass through this process.
//!
//! An HTTP library moves bytes, not files. So a [`FileBody`] gives it stand-ins: pieces of a memory that nobody else has,
//! as long as the piece of the file that is to be sent, and tells the connection's [`Files`] which file that is. The
//! connection, a [`FileStream`], knows the stand-ins by their address and has `sendfile` send the file instead. A body may
//! only be given to a connection that is one: its [`Files`] come with the request.
//!
//! This holds for HTTP/1, which writes the pieces of a body as they are; a library that frames or copies them, as HTTP/2
//! does, would send the stand-ins themselves.

mod body;
mod stream;

pub use body::FileBody;
pub use stream::FileStream;

use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Arc, LazyLock};

/// Length of the stand-ins: what is sent of a file before others have their turn.
const PIECE: usize = 1024 * 1024;

/// The memory that stands for files. Nobody reads or writes it, so it has no pages.
static STAND_IN: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![0; PIECE]));

/// The files that a connection is to send, in the order of its answers; cheap to clone.
#[derive(Clone, Default)]
pub struct Files(Arc<Mutex<VecDeque<Span>>>);

/// A piece of a file that is to be sent.
struct Span {
    file: Arc<File>,
    offset: u64,
    left: u64,
}

/// A stand-in for the next `length` bytes of a file, or for fewer.
fn stand_in(length: u64) -> Bytes {
    STAND_IN.slice(..usize::try_from(length).unwrap_or(usize::MAX).min(PIECE))
}

/// Whether bytes that are to be written stand for a file.
fn is_stand_in(bytes: &[u8]) -> bool {
    let memory = STAND_IN.as_ptr_range();
    !bytes.is_empty() && memory.contains(&bytes.as_ptr())
}
