//! Other regions that images are copied to: where they are, and the passwords of their registries.
//!
//! The access key for a region is a file that only its owner may read, `REGION.toml` in the directory of the replication
//! keys. It is read whenever a password is asked for, so a new key needs no restart.

use crate::data_dir::AccessKeyFile;
use crate::settings::ReplicateTo;
use anyhow::{Context, Result, bail, ensure};
use aws_wire::sigv4::{Signer, sign};
use base64::Engine;
use bytes::Bytes;
use controllers::{OtherRegions, Reached, Unreachable};
use environment::{Environment, Timestamp};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::Mutex;

/// Longest wait for a password.
const ANSWER: Duration = Duration::from_secs(30);
/// Largest answer.
const MOST_BYTES: usize = 1 << 20;
/// How long a password is used; it is good for twelve hours.
const LIFE: Duration = Duration::from_secs(3600);
const CALL: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";

type Https = HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The regions of `--replicate-to`.
pub(super) struct ConfiguredRegions {
    regions: Vec<ReplicateTo>,
    keys: PathBuf,
    environment: Environment,
    passwords: Mutex<HashMap<String, (Reached, Timestamp)>>,
}

impl ConfiguredRegions {
    pub(super) fn new(regions: Vec<ReplicateTo>, keys: PathBuf, environment: Environment) -> Self {
        Self { regions, keys, environment, passwords: Mutex::default() }
    }

    async fn log_in(&self, region: &ReplicateTo) -> Result<Reached, Unreachable> {
        let failed = |error: anyhow::Error| Unreachable::Failed(format!("{error:#}"));
        let path = self.keys.join(format!("{}.toml", region.region));
        let key = read_key(&path).map_err(failed)?;
        let (status, body) = self.ask(region, &key).await.map_err(failed)?;
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        if !status.is_success() {
            let kind = value["__type"].as_str().unwrap_or("error");
            let said = value["message"].as_str().or(value["Message"].as_str()).unwrap_or_default();
            let text = format!("GetAuthorizationToken: {kind}: {said}");
            let denied = status.is_client_error() && kind.ends_with("AccessDeniedException");
            return Err(if denied { Unreachable::Denied(text) } else { Unreachable::Failed(text) });
        }
        let token = value["authorizationData"][0]["authorizationToken"].as_str().unwrap_or_default();
        let user = user(token).map_err(failed)?;
        Ok(Reached { endpoint: region.endpoint.clone(), user })
    }

    async fn ask(&self, region: &ReplicateTo, key: &AccessKeyFile) -> Result<(http::StatusCode, Bytes)> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .context("load this machine's certificates")?
            .https_or_http()
            .enable_http1()
            .build();
        let client: Https = HttpClient::builder(TokioExecutor::new()).build(connector);
        let host = region.endpoint.split_once("://").map_or(region.endpoint.as_str(), |(_, host)| host);
        let signer = Signer {
            access_key_id: key.access_key_id.clone(),
            secret_access_key: key.secret_access_key.clone(),
            session_token: None,
            region: region.region.to_string(),
        };
        let request = http::Request::post(format!("{}/", region.endpoint))
            .header("host", host)
            .header("content-type", aws_wire::json::CONTENT_TYPE)
            .header("x-amz-target", CALL);
        let (mut parts, ()) = request.body(())?.into_parts();
        let body = Bytes::from_static(b"{}");
        sign(&mut parts, &body, &signer, "ecr", self.environment.now())?;
        let request = http::Request::from_parts(parts, Full::new(body));
        let endpoint = &region.endpoint;
        let answer = tokio::select! {
            answer = client.request(request) => answer.with_context(|| format!("reach {endpoint}"))?,
            () = self.environment.sleep(ANSWER) => bail!("{endpoint} does not answer in time"),
        };
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        Ok((
            status,
            body.map_err(|error| anyhow::anyhow!("read the answer of {endpoint}: {error}"))?.to_bytes(),
        ))
    }
}

/// An access key in a file that nobody else may read.
fn read_key(path: &Path) -> Result<AccessKeyFile> {
    let shown = path.display();
    let file = std::fs::metadata(path).with_context(|| format!("read the access key in {shown}"))?;
    let for_others = file.permissions().mode() & 0o077;
    ensure!(for_others == 0, "others may read {shown}; make its mode 0600");
    let text = std::fs::read_to_string(path).with_context(|| format!("read the access key in {shown}"))?;
    // The error would show the secret.
    toml::from_str(&text).map_err(|_| anyhow::anyhow!("{shown} holds no access_key_id and secret_access_key"))
}

fn user(token: &str) -> Result<(String, String)> {
    let decoded = base64::engine::general_purpose::STANDARD.decode(token).context("a token in the answer")?;
    let text = String::from_utf8(decoded).context("a token in the answer")?;
    let (user, password) = text.split_once(':').context("a token with a user")?;
    Ok((user.to_owned(), password.to_owned()))
}

#[async_trait::async_trait]
impl OtherRegions for ConfiguredRegions {
    async fn reach(&self, region: &str, refused: bool) -> Result<Option<Reached>, Unreachable> {
        let Some(region) = self.regions.iter().find(|known| known.region.as_str() == region) else {
            return Ok(None);
        };
        // One at a time: many copies at once need one password.
        let mut passwords = self.passwords.lock().await;
        let now = self.environment.now();
        let known = passwords.get(region.region.as_str()).filter(|(_, until)| *until > now && !refused);
        if let Some((reached, _)) = known {
            return Ok(Some(reached.clone()));
        }
        let reached = self.log_in(region).await?;
        passwords.insert(region.region.to_string(), (reached.clone(), now + LIFE));
        Ok(Some(reached))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_others_may_read_is_not_used() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("us-west-2.toml");
        std::fs::write(&path, "access_key_id = \"AKIA\"\nsecret_access_key = \"s\"\n").expect("writes");
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
        mode(0o640).expect("sets");
        assert!(read_key(&path).is_err_and(|error| error.to_string().contains("others may read")));
        mode(0o600).expect("sets");
        assert_eq!(read_key(&path).expect("reads").access_key_id, "AKIA");
        std::fs::write(&path, "secret_access_key = 'swordfish").expect("writes");
        let error = read_key(&path).err().expect("an error");
        assert!(!format!("{error:#}").contains("swordfish"), "{error:#}");
    }
}
