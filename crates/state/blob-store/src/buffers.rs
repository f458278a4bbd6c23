//! Memory that blobs are read into: used again and again, so that its pages are not fetched from the kernel anew for
//! every chunk, and small enough to stay in the processor's cache until the socket has taken it.

use parking_lot::Mutex;
use std::sync::Arc;

/// Bytes read from disk at a time when a blob is streamed.
pub(crate) const CHUNK: usize = 256 * 1024;
/// Buffers kept for later; more may be in use.
const KEPT: usize = 16;

/// A pool of buffers; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Box<[u8]>>>>);

/// A buffer that goes back to its pool.
pub(crate) struct Buffer {
    content: Box<[u8]>,
    length: usize,
    pool: Buffers,
}

impl Buffers {
    /// A buffer of `length` bytes, or of [`CHUNK`] when that is less.
    pub(crate) fn take(&self, length: usize) -> Buffer {
        let length = length.min(CHUNK);
        // Small blobs get memory of their size, which costs less than a large buffer in the cache.
        let pooled = if length < CHUNK { None } else { self.0.lock().pop() };
        let content = pooled.unwrap_or_else(|| vec![0; length].into_boxed_slice());
        Buffer { content, length, pool: self.clone() }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.content[..self.length]
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.content[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let content = std::mem::take(&mut self.content);
        let mut kept = self.pool.0.lock();
        if content.len() == CHUNK && kept.len() < KEPT {
            kept.push(content);
        }
    }
}
