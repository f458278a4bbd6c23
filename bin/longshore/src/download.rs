//! Downloads of files named by a URL, into a temporary file.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, LOCATION};
use http_body_util::{BodyExt, Empty};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::io::{Seek, Write};
use std::time::Duration;
use tempfile::NamedTempFile;

const MOST_REDIRECTS: usize = 5;
/// Largest file.
const LARGEST: u64 = 8 << 30;
/// Longest silence of the server.
const SILENCE: Duration = Duration::from_secs(60);

/// Whether an argument is to be downloaded.
pub(crate) fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// Downloads a file. `progress` is told the bytes so far, and how many there will be if the server says so.
pub(crate) async fn download(url: &str, mut progress: impl FnMut(u64, Option<u64>)) -> Result<NamedTempFile> {
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .context("load this machine's certificates")?
        .https_or_http()
        .enable_http1()
        .build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let mut address: http::Uri = url.parse().with_context(|| format!("read the URL {url}"))?;
    for _ in 0..=MOST_REDIRECTS {
        let answer = tokio::time::timeout(SILENCE, client.get(address.clone())).await;
        let answer = answer.with_context(|| format!("{address} does not answer"))?;
        let answer = answer.with_context(|| format!("download {address}"))?;
        if answer.status().is_redirection() {
            let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            address = redirected(&address, location.context("a redirect without a place to go")?)?;
            continue;
        }
        ensure!(answer.status().is_success(), "download {address}: the answer is {}", answer.status());
        let length = answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut file = NamedTempFile::new().context("make a temporary file")?;
        let (mut body, mut bytes) = (answer.into_body(), 0);
        loop {
            let frame = tokio::time::timeout(SILENCE, body.frame()).await;
            let Some(frame) = frame.with_context(|| format!("{address} fell silent"))? else { break };
            let Ok(data) = frame.with_context(|| format!("download {address}"))?.into_data() else {
                continue;
            };
            bytes += data.len() as u64;
            ensure!(bytes <= LARGEST, "{address} is larger than 8 GiB");
            file.write_all(&data).context("write the downloaded file")?;
            progress(bytes, length);
        }
        file.rewind().context("write the downloaded file")?;
        return Ok(file);
    }
    bail!("{url} redirects too often")
}

fn redirected(from: &http::Uri, location: &str) -> Result<http::Uri> {
    let text = match (location.starts_with('/'), from.scheme_str(), from.authority()) {
        (true, Some(scheme), Some(authority)) => format!("{scheme}://{authority}{location}"),
        _ => location.to_owned(),
    };
    ensure!(is_url(&text), "a redirect to {text}, which is no URL of the web");
    // What was asked for over TLS is not fetched without.
    ensure!(
        from.scheme_str() != Some("https") || text.starts_with("https://"),
        "a redirect from https to {text}"
    );
    text.parse().with_context(|| format!("read the URL {text}"))
}
