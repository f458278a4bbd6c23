//! Links to layers that GetDownloadUrlForLayer gave out: good for an hour, without credentials.

use crate::error::RegistryError;
use crate::respond::Response;
use crate::{Inner, Place, blobs, route};
use http::request::Parts;

/// Where links point to. No repository has a name that begins so.
const PATH: &str = "/v2/_layers/";

/// The sealed part of a path that is such a link.
pub(crate) fn token(path: &str) -> Option<&str> {
    path.strip_prefix(PATH)
}

/// The layer that a link names, as long as its repository has it.
pub(crate) async fn serve(registry: &Inner, token: &str, parts: &Parts) -> Result<Response, RegistryError> {
    if !route::reads(&parts.method) {
        return Err(RegistryError::Unsupported);
    }
    let download = registry.access.open_download_token(token);
    let download =
        download.ok_or_else(|| RegistryError::Denied("The link is not valid any more".to_owned()))?;
    let place = Place::private(download.account, download.repository);
    blobs::handle(registry, &place, &download.digest, parts).await
}
