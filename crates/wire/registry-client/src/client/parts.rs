//! Blobs in parts, and blobs by reference.

use super::content::{BlobStream, blob_call, out_of_range};
use super::{Client, HAND_OVER, Repository, protocol, text, unexpected};
use crate::digest::Digest;
use crate::error::RegistryError;
use crate::local::{self, LocalRequest};
use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use std::fs::File;
use std::ops::Range;

/// Where a blob's parts are, as the answer to the first of them told.
#[derive(Clone, Debug)]
pub struct BlobPlace {
    /// Where the registry sent us.
    url: Option<String>,
    etag: Option<String>,
}

/// The answer to a request for a part of a blob.
pub enum BlobPart {
    /// Bytes from the first one asked for on; possibly fewer than were asked for.
    Part(BlobStream, BlobPlace),
    /// The registry does not know ranges and sends all of the blob.
    Whole(BlobStream),
}

impl Client {
    /// A part of a blob of `size` bytes. `place` is what the first part told; with it, the part must be of the same thing,
    /// and where the first one was found is asked again before the registry is.
    pub async fn blob_part(
        &self,
        repository: &Repository,
        digest: &Digest,
        range: Range<u64>,
        size: u64,
        place: Option<&BlobPlace>,
    ) -> Result<BlobPart, RegistryError> {
        let wanted = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        if let Some(url) = place.and_then(|place| place.url.as_deref())
            && let Some(answer) = self.there(url, &wanted).await?
        {
            return self.part(url.to_owned(), answer, &range, size, place);
        }
        let asked = repository.url(&format!("blobs/{digest}"));
        let (answer, url) = self.get_following(blob_call(repository, digest, Some(wanted))).await?;
        match answer.status() {
            StatusCode::OK if place.is_none() => Ok(BlobPart::Whole(self.stream(url, answer, 0))),
            StatusCode::OK => Err(out_of_range(&url, "everything is sent instead of a range")),
            StatusCode::RANGE_NOT_SATISFIABLE => Err(out_of_range(&url, "the range is refused")),
            StatusCode::PARTIAL_CONTENT => {
                let part = self.part(url.clone(), answer, &range, size, place)?;
                Ok(match part {
                    BlobPart::Part(stream, found) if url == asked => {
                        BlobPart::Part(stream, BlobPlace { url: None, ..found })
                    }
                    part => part,
                })
            }
            status => Err(unexpected(&blob_call(repository, digest, None), digest.as_str(), status)),
        }
    }

    /// A part from where the first one was found. Addresses that registries send to are good for a while only.
    async fn there(&self, url: &str, range: &str) -> Result<Option<Response<Incoming>>, RegistryError> {
        let request = Request::get(url).header(header::RANGE, range).body(http_body_util::Full::default());
        let request = request.map_err(|error| protocol(url, format!("not a usable address: {error}")))?;
        let answer = self.execute(request).await?;
        Ok((answer.status() == StatusCode::PARTIAL_CONTENT).then_some(answer))
    }

    fn part(
        &self,
        url: String,
        answer: Response<Incoming>,
        wanted: &Range<u64>,
        size: u64,
        place: Option<&BlobPlace>,
    ) -> Result<BlobPart, RegistryError> {
        let range = text(answer.headers(), "content-range").and_then(content_range);
        let Some((first, last, total)) = range else {
            return Err(out_of_range(&url, "a part that does not say where it belongs"));
        };
        if first != wanted.start || last >= wanted.end || total.is_some_and(|total| total != size) {
            return Err(out_of_range(&url, "another range than the one asked for"));
        }
        let etag = text(answer.headers(), "etag").map(str::to_owned);
        let before = place.and_then(|place| place.etag.as_ref());
        if before.zip(etag.as_ref()).is_some_and(|(before, now)| before != now) {
            return Err(out_of_range(&url, "the blob has changed between two parts"));
        }
        let place = BlobPlace { url: Some(url.clone()), etag };
        Ok(BlobPart::Part(self.stream(url, answer, 0), place))
    }

    /// The file of a blob, where the registry is on this machine and keeps blobs in files; otherwise `None`, and the blob
    /// has to be had by HTTP. The registry checks permissions as it does for a blob by HTTP.
    pub async fn blob_file(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<File>, RegistryError> {
        let Some(socket) = &repository.socket else { return Ok(None) };
        let call = blob_call(repository, digest, None);
        let authorization = self.authorizer.header(self, repository, call.actions).await?;
        let request = LocalRequest {
            host: repository.host.clone(),
            repository: repository.name.clone(),
            digest: digest.to_string(),
            authorization: authorization.and_then(|value| value.to_str().ok().map(str::to_owned)),
        };
        let asked = tokio::select! {
            asked = local::ask(socket, &request) => asked,
            () = self.environment.sleep(HAND_OVER) => Err(std::io::ErrorKind::TimedOut.into()),
        };
        match asked {
            Ok((answer, Some(file))) if answer.status == 200 => Ok(Some(file)),
            Ok((answer, _)) => match StatusCode::from_u16(answer.status) {
                Ok(status @ (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)) => {
                    Err(unexpected(&call, digest.as_str(), status))
                }
                _ => Ok(None),
            },
            Err(error) => {
                tracing::debug!(%error, socket = %socket.display(), "the blob is not handed over");
                Ok(None)
            }
        }
    }
}

/// `bytes FIRST-LAST/TOTAL`; the total may be unknown.
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    (first <= last).then_some((first, last, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(content_range("bytes 0-9/10"), Some((0, 9, Some(10))));
        assert_eq!(content_range("bytes 5-5/*"), Some((5, 5, None)));
        for bad in ["", "bytes", "bytes */10", "bytes 9-1/10", "bytes 1-/10", "lines 0-1/2", "bytes 0-1"] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
