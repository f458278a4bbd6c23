//! The body.

use crate::{Files, Span, stand_in};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::fs::File;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A range of a file as the body of an HTTP/1 answer on the connection whose [`Files`] it was made with.
pub struct FileBody {
    files: Files,
    /// Handed over when the first piece is asked for.
    span: Option<Span>,
    left: u64,
}

impl FileBody {
    /// The `length` bytes of a file from `offset` on, which must be there.
    pub fn new(files: Files, file: Arc<File>, offset: u64, length: u64) -> Self {
        let span = Some(Span { file, offset, left: length });
        Self { files, span, left: length }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if let Some(span) = self.span.take() {
            self.files.0.lock().push_back(span);
        }
        let piece = stand_in(self.left);
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
