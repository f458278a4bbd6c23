//! A small client of the region's own API, for commands that look at it from outside as any user would.

use crate::data_dir::AccessKeyFile;
use crate::region::{accounts, hosts, registry, spot};
use anyhow::{Context, Result, bail};
use aws_wire::sigv4::{Signer, sign};
use base64::Engine;
use bytes::Bytes;
use container_image::{BasicAuth, PullOptions};
use environment::Environment;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use identifiers::AccountId;
use serde_json::Value;
use std::time::Duration;

/// Largest answer.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Longest wait for an answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Longest wait for the registry to read all it has.
const CARE_TIME: Duration = Duration::from_secs(24 * 3600);

/// Calls JSON services, signed.
pub(crate) struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    endpoint: String,
    signer: Signer,
    environment: Environment,
}

impl Client {
    pub(crate) fn new(endpoint: &str, region: &str, key: &AccessKeyFile) -> Self {
        let signer = Signer {
            access_key_id: key.access_key_id.clone(),
            secret_access_key: key.secret_access_key.clone(),
            session_token: None,
            region: region.to_owned(),
        };
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Self { http, endpoint, signer, environment: Environment::real() }
    }

    /// Calls an operation of ECS.
    pub(crate) async fn ecs(&self, operation: &str, input: &Value) -> Result<Value> {
        self.call("ecs", operation, input).await
    }

    /// Calls an operation of Systems Manager.
    pub(crate) async fn ssm(&self, operation: &str, input: &Value) -> Result<Value> {
        self.call("ssm", operation, input).await
    }

    /// Calls an operation of ECR.
    pub(crate) async fn ecr(&self, operation: &str, input: &Value) -> Result<Value> {
        self.call("ecr", operation, input).await
    }

    /// Calls an operation of CloudWatch Logs.
    pub(crate) async fn logs(&self, operation: &str, input: &Value) -> Result<Value> {
        self.call("logs", operation, input).await
    }

    /// Id of a default subnet of the account.
    pub(crate) async fn default_subnet(&self) -> Result<String> {
        let body =
            "Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=default-for-az&Filter.1.Value.1=true";
        let request = http::Request::post(format!("{}/", self.endpoint))
            .header("content-type", "application/x-www-form-urlencoded");
        let (status, content) = self.send(request, "ec2", Bytes::from_static(body.as_bytes())).await?;
        let text = String::from_utf8_lossy(&content);
        // Ids hold no characters that XML writes in another way.
        let id = text.split_once("<subnetId>").and_then(|(_, rest)| rest.split_once('<'));
        match id {
            Some((id, _)) if status.is_success() => Ok(id.to_owned()),
            _ => bail!("there is no default subnet: {text}"),
        }
    }

    /// Calls a list operation until its last page and returns all items of `member`.
    pub(crate) async fn all_pages(
        &self,
        service: &str,
        operation: &str,
        member: &str,
        input: &Value,
    ) -> Result<Vec<Value>> {
        let mut input = input.clone();
        let mut items = Vec::new();
        loop {
            let mut answer = self.call(service, operation, &input).await?;
            if let Value::Array(page) = answer[member].take() {
                items.extend(page);
            }
            if answer["nextToken"].is_null() {
                return Ok(items);
            }
            input["nextToken"] = answer["nextToken"].take();
        }
    }

    /// Makes an account of the region.
    pub(crate) async fn create_account(&self, id: Option<&AccountId>) -> Result<Value> {
        let query = id.map(|id| format!("?id={id}")).unwrap_or_default();
        let request = http::Request::post(format!("{}{}{query}", self.endpoint, accounts::PATH));
        let (status, content) = self.send(request, accounts::SIGNING_NAME, Bytes::new()).await?;
        if !status.is_success() {
            bail!("{}", String::from_utf8_lossy(&content));
        }
        serde_json::from_slice(&content).context("read the answer")
    }

    /// Takes spare capacity back; the query says of which tasks.
    pub(crate) async fn interrupt_spot(&self, query: &str) -> Result<Value> {
        let request = http::Request::post(format!("{}{}?{query}", self.endpoint, spot::PATH));
        let (status, content) = self.send(request, accounts::SIGNING_NAME, Bytes::new()).await?;
        if !status.is_success() {
            bail!("{}", String::from_utf8_lossy(&content));
        }
        serde_json::from_slice(&content).context("read the answer")
    }

    /// What the hosts lend and what tasks reserve of it; `None` where the key may not see them.
    pub(crate) async fn hosts(&self) -> Result<Option<Value>> {
        let request = http::Request::get(format!("{}{}", self.endpoint, hosts::PATH));
        let (status, content) = self.send(request, accounts::SIGNING_NAME, Bytes::new()).await?;
        if !status.is_success() {
            return Ok(None);
        }
        serde_json::from_slice(&content).context("read the answer").map(Some)
    }

    /// Takes care of the registry's storage: `verify` or `collect`, with a query.
    pub(crate) async fn registry(&self, what: &str) -> Result<Value> {
        let request = http::Request::post(format!("{}{}{what}", self.endpoint, registry::PATH));
        let answer = self.send_patiently(request, accounts::SIGNING_NAME, Bytes::new(), CARE_TIME);
        let (status, content) = answer.await?;
        if !status.is_success() {
            bail!("{}", String::from_utf8_lossy(&content));
        }
        serde_json::from_slice(&content).context("read the answer")
    }

    /// Asks for what the registry holds, or what happened there: `usage` or `events`, with a query.
    pub(crate) async fn registry_tells(&self, what: &str) -> Result<Value> {
        let request = http::Request::get(format!("{}{}{what}", self.endpoint, registry::PATH));
        let (status, content) = self.send(request, accounts::SIGNING_NAME, Bytes::new()).await?;
        if !status.is_success() {
            bail!("{}", String::from_utf8_lossy(&content));
        }
        serde_json::from_slice(&content).context("read the answer")
    }

    async fn call(&self, service: &str, operation: &str, input: &Value) -> Result<Value> {
        let prefix = match service {
            "ecs" => "AmazonEC2ContainerServiceV20141113",
            "ecr" => "AmazonEC2ContainerRegistry_V20150921",
            "ssm" => "AmazonSSM",
            _ => "Logs_20140328",
        };
        let body = Bytes::from(input.to_string());
        let request = http::Request::post(format!("{}/", self.endpoint))
            .header("content-type", aws_wire::json::CONTENT_TYPE)
            .header("x-amz-target", format!("{prefix}.{operation}"));
        let (status, content) = self.send(request, service, body).await?;
        let value: Value =
            serde_json::from_slice(&content).with_context(|| format!("read the answer of {operation}"))?;
        if !status.is_success() {
            bail!(
                "{operation}: {}: {}",
                value["__type"].as_str().unwrap_or("error"),
                value["message"].as_str().or(value["Message"].as_str()).unwrap_or_default()
            );
        }
        Ok(value)
    }

    /// Signs and sends a request, and reads its answer within bounds.
    async fn send(
        &self,
        request: http::request::Builder,
        service: &str,
        body: Bytes,
    ) -> Result<(http::StatusCode, Bytes)> {
        self.send_patiently(request, service, body, ANSWER_TIME).await
    }

    async fn send_patiently(
        &self,
        request: http::request::Builder,
        service: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<(http::StatusCode, Bytes)> {
        let host = self.endpoint.split_once("://").map_or(self.endpoint.as_str(), |(_, host)| host);
        let (mut parts, ()) = request.header("host", host).body(())?.into_parts();
        sign(&mut parts, &body, &self.signer, service, self.environment.now())?;
        let request = http::Request::from_parts(parts, Full::new(body));
        let answer = tokio::time::timeout(patience, self.http.request(request));
        let answer = answer.await.context("the region does not answer in time")?;
        let answer =
            answer.with_context(|| format!("reach the region at {}; is it running?", self.endpoint))?;
        let status = answer.status();
        let content = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let content = content.map_err(|error| anyhow::anyhow!("read the answer: {error}"))?;
        Ok((status, content.to_bytes()))
    }
}

/// How to reach the region's registry with a token of GetAuthorizationToken.
pub(crate) fn registry_options(token: &str) -> Result<PullOptions> {
    let text = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(token)?)?;
    let (username, password) = text.split_once(':').context("a registry token without a user")?;
    let auth = BasicAuth { username: username.to_owned(), password: password.to_owned() };
    Ok(PullOptions { auth: Some(auth), ..PullOptions::default() })
}
