//! What an image has used of its limits so far. Shared by the nested readers of one layer.

use crate::Limits;
use std::cell::Cell;
use std::io::{self, Read};

/// A limit was passed; carried through `io::Error` from a nested reader to the top.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("more than {limit} {what}")]
pub(crate) struct Exceeded {
    pub(crate) what: &'static str,
    pub(crate) limit: u64,
}

/// The source of a layer failed, as opposed to what it says being wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SourceFailed(pub(crate) io::Error);

pub(crate) struct Budget<'a> {
    pub(crate) limits: &'a Limits,
    bytes: Cell<u64>,
    entries: Cell<u64>,
}

impl<'a> Budget<'a> {
    pub(crate) fn new(limits: &'a Limits, bytes: u64, entries: u64) -> Self {
        Self { limits, bytes: Cell::new(bytes), entries: Cell::new(entries) }
    }

    pub(crate) fn used(&self) -> (u64, u64) {
        (self.bytes.get(), self.entries.get())
    }

    /// One more entry of a layer or an archive.
    pub(crate) fn entry(&self) -> io::Result<()> {
        self.entries.set(self.entries.get() + 1);
        if self.entries.get() > self.limits.entries {
            return Err(exceeded("entries", self.limits.entries));
        }
        Ok(())
    }

    fn take(&self, bytes: u64) -> io::Result<()> {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        if self.bytes.get() > self.limits.bytes {
            return Err(exceeded("decompressed bytes", self.limits.bytes));
        }
        Ok(())
    }
}

pub(crate) fn exceeded(what: &'static str, limit: u64) -> io::Error {
    io::Error::other(Exceeded { what, limit })
}

/// Counts the compressed bytes that go in.
pub(crate) struct Counted<'c, R> {
    pub(crate) inner: R,
    pub(crate) count: &'c Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read =
            self.inner.read(buffer).map_err(|error| io::Error::new(error.kind(), SourceFailed(error)))?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

/// Counts the decompressed bytes that come out, against the image's limits.
pub(crate) struct Metered<'b, R> {
    inner: R,
    budget: &'b Budget<'b>,
    compressed: &'b Cell<u64>,
    decompressed: u64,
}

impl<'b, R: Read> Metered<'b, R> {
    pub(crate) fn new(inner: R, budget: &'b Budget<'b>, compressed: &'b Cell<u64>) -> Self {
        Self { inner, budget, compressed, decompressed: 0 }
    }
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.decompressed += read as u64;
        self.budget.take(read as u64)?;
        let limits = self.budget.limits;
        let most = self.compressed.get().saturating_mul(limits.ratio);
        if self.decompressed > limits.ratio_from && self.decompressed > most {
            return Err(exceeded("decompressed bytes for each compressed one", limits.ratio));
        }
        Ok(read)
    }
}

/// Whether an error is about limits or the source, and not about an archive that is damaged.
pub(crate) fn is_the_callers(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Exceeded>() || inner.is::<SourceFailed>())
}
