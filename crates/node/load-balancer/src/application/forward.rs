//! A request on its way to a target.

use super::answers;
use super::body::{FromTarget, Lease, ToClient, ToTarget, Upload};
use super::client::Client;
use super::headers::{self, TRACE_ID};
use super::pool::Http1;
use super::record::Record;
use super::{sticky, websocket};
use crate::connect::ConnectError;
use crate::live::{Compiled, Forwarding};
use crate::target::{Group, Target, View};
use http::header::{CONTENT_TYPE, COOKIE, HOST, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use hyper::body::{Body, Incoming};
use load_balancing::{Protocol, ProtocolVersion};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// Most targets that one request is offered to.
const MOST_TARGETS: usize = 3;
/// Pause before a target is offered a request again that no other one can get.
const AGAIN: Duration = Duration::from_millis(25);
/// A connection that was unused for that long may have been closed by its target just now. A request that can be repeated is
/// then repeated on another one.
const MAYBE_CLOSED: Duration = Duration::from_millis(200);

/// What went wrong on the way to a target.
pub(crate) enum Failure {
    /// The request never reached the target and can be given to another.
    NotSent(Box<Request<ToTarget>>),
    /// The target broke off, or did not make sense.
    Broken,
    /// It did not answer in time.
    Timeout,
    /// The client did not send what it had announced in time.
    ClientTimeout,
    /// The client went, or sent nonsense.
    Client,
}

/// Gives a request to a target, and answers what the target answers.
pub(crate) async fn forward(
    client: &Rc<Client>,
    compiled: &Arc<Compiled>,
    forwarding: &Forwarding,
    host: &str,
    mut request: Request<Incoming>,
    mut record: Record,
) -> Response<ToClient> {
    let now = || client.worker.environment.now();
    let Some(chosen) = sticky::group(forwarding, request.headers(), now) else {
        return answers::own(503, "-", record);
    };
    let group = chosen.group.clone();
    let view = group.view();
    if !compiled.balancer.attributes.is_proxy && !is_compatible(&view, request.method(), client.http2) {
        return answers::own(464, "-", record);
    }
    if is_grpc(request.headers()) {
        compiled.balancer.counts.here().grpc_requests.add(1);
    }
    let stuck = sticky::target(&view, request.headers(), now);
    let upgrade = (!client.http2
        && view.spec.protocol_version == ProtocolVersion::Http1
        && headers::wants_websocket(request.headers()))
    .then(|| hyper::upgrade::on(&mut request));
    let upload = Rc::new(Upload::default());
    let prepared = match prepare(client, compiled, &view, host, request, &upload, upgrade.is_some()) {
        Ok(prepared) => prepared,
        Err(status) => return answers::own(status, "-", record),
    };
    if let Some(trace) = prepared.headers().get(TRACE_ID) {
        record.traced(trace);
    }
    let started = Instant::now();
    let longest = view.spec.attributes.request_timeout_seconds;
    let deadline = longest.map(|seconds| started + Duration::from_secs(u64::from(seconds)));
    let (refused, upload) = (Vec::new(), &upload);
    let mut way = Way { client, compiled, group: &group, view: &view, refused, upload, deadline };
    let waiting = client.wait();
    let outcome = way.offer(prepared, stuck, upgrade.is_some(), &mut record).await;
    drop(waiting);
    record.received(upload.bytes.get());
    let (mut response, lease, target, outstanding) = match outcome {
        Ok(answer) => answer,
        Err((status, error)) => {
            if status == 408 {
                client.closing.set(true);
            }
            return answers::own(status, error, record);
        }
    };
    let answered = Instant::now();
    let status = response.status().as_u16();
    group.counts.here().answer(status, answered - started);
    record.target_answered(status, response.headers(), answered);
    if let Some(upgrade) = upgrade
        && status == 101
    {
        return websocket::switch(client, upgrade, response, target, outstanding, record);
    }
    headers::remove_hop_by_hop(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    sticky::set_cookies(
        forwarding,
        chosen,
        &view,
        &target,
        response.headers_mut(),
        client.tls.is_some(),
        now,
    );
    let worker = client.worker.clone();
    response.map(|incoming| {
        let outstanding = Some(outstanding);
        let deadline = deadline.map(|at| Box::pin(sleep_until(at)));
        let body = FromTarget { incoming, lease, worker, target, outstanding, record, deadline };
        ToClient::Target(Box::new(body))
    })
}

/// Which protocols of clients go with which versions of target groups, as AWS has it.
fn is_compatible(view: &View, method: &Method, http2: bool) -> bool {
    match view.spec.protocol_version {
        ProtocolVersion::Http1 => true,
        ProtocolVersion::Http2 => http2,
        ProtocolVersion::Grpc => http2 && *method == Method::POST,
    }
}

/// Whether a message speaks gRPC.
fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

type Answer = (Response<Incoming>, Lease, Arc<Target>, crate::target::Outstanding);

/// The way of one request to one of the targets of a group.
struct Way<'a> {
    client: &'a Rc<Client>,
    compiled: &'a Compiled,
    group: &'a Arc<Group>,
    view: &'a Arc<View>,
    refused: Vec<u64>,
    upload: &'a Rc<Upload>,
    /// When the answer must be there as a whole.
    deadline: Option<Instant>,
}

impl Way<'_> {
    /// Offers a request to one target after the other until one takes it. Fails with a status and a reason for the log.
    async fn offer(
        &mut self,
        mut request: Request<ToTarget>,
        mut stuck: Option<Arc<Target>>,
        websocket: bool,
        record: &mut Record,
    ) -> Result<Answer, (u16, &'static str)> {
        for _ in 0..MOST_TARGETS {
            let Some(target) = self.next(stuck.take()).await else { break };
            let again = if self.is_proxy() { repeatable(&request) } else { None };
            let outstanding = target.begin();
            record.given(self.group, &target, Instant::now());
            let result = if websocket {
                self.send_websocket(&target, request).await
            } else if self.view.spec.protocol_version == ProtocolVersion::Http1 {
                self.send_http1(&target, request).await
            } else {
                self.send_http2(&target, request).await
            };
            match result {
                Ok((response, lease)) => {
                    self.group.observe(&target, !response.status().is_server_error());
                    self.group.counts.here().requests.add(1);
                    return Ok((response, lease, target, outstanding));
                }
                Err(Failure::NotSent(unsent)) => {
                    self.group.observe(&target, false);
                    self.group.counts.here().connection_errors.add(1);
                    self.refused.push(target.key);
                    request = *unsent;
                }
                Err(Failure::Broken) => {
                    self.group.observe(&target, false);
                    self.refused.push(target.key);
                    request = again.ok_or((502, "TargetConnectionError"))?;
                }
                Err(Failure::Timeout) => {
                    self.group.observe(&target, false);
                    return Err((504, "-"));
                }
                Err(Failure::ClientTimeout) => return Err((408, "-")),
                Err(Failure::Client) => return Err((400, "-")),
            }
        }
        Err(if self.refused.is_empty() { (503, "-") } else { (502, "TargetConnectionError") })
    }

    /// The target that is offered the request next. A proxy offers it once more to one that has refused it before it gives
    /// up, when there is no other.
    async fn next(&mut self, stuck: Option<Arc<Target>>) -> Option<Arc<Target>> {
        let target = stuck.or_else(|| self.group.choose(self.view, &self.refused));
        if target.is_some() || self.refused.is_empty() || !self.is_proxy() {
            return target;
        }
        sleep(AGAIN).await;
        self.group.choose(&self.group.view(), &[])
    }

    fn is_proxy(&self) -> bool {
        self.compiled.balancer.attributes.is_proxy
    }

    fn unconnected(&self, error: &ConnectError, request: Request<ToTarget>) -> Failure {
        tracing::debug!(error = error as &dyn std::error::Error, "a target cannot be reached");
        match error {
            ConnectError::Timeout if !self.is_proxy() => Failure::Timeout,
            ConnectError::Failed(_) | ConnectError::Timeout => Failure::NotSent(Box::new(request)),
        }
    }

    async fn send_http1(
        &self,
        target: &Arc<Target>,
        request: Request<ToTarget>,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let pool = &self.client.worker.pool;
        let connection = match pool.http1(target, &self.view.spec).await {
            Ok(connection) => connection,
            Err(error) => return Err(self.unconnected(&error, request)),
        };
        let again =
            connection.was_kept().filter(|kept| *kept > MAYBE_CLOSED).and_then(|_| repeatable(&request));
        match (self.exchange(connection, request).await, again) {
            (Err(Failure::Broken), Some(again)) => {
                let connection = match pool.new_http1(target, &self.view.spec).await {
                    Ok(connection) => connection,
                    Err(error) => return Err(self.unconnected(&error, again)),
                };
                self.exchange(connection, again).await
            }
            (result, _) => result,
        }
    }

    /// Sends a request and drives its connection until the head of the answer is there.
    async fn exchange(
        &self,
        mut connection: Box<Http1>,
        request: Request<ToTarget>,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let result = {
            let mut answer = pin!(connection.sender.try_send_request(request));
            let mut patience = pin!(sleep(self.patience()));
            poll_fn(|cx| {
                connection.drive(cx);
                // Only driving the connection brings the answer: nobody needs to be woken for it.
                if let Poll::Ready(result) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    return Poll::Ready(Ok(result));
                }
                while patience.as_mut().poll(cx).is_ready() {
                    match self.patience_left() {
                        Ok(left) => patience.as_mut().reset(Instant::now() + left),
                        Err(failure) => return Poll::Ready(Err(failure)),
                    }
                }
                Poll::Pending
            })
            .await?
        };
        match result {
            Ok(response) => Ok((response, Lease::Http1(connection))),
            Err(mut error) => Err(failure(error.take_message(), error.error())),
        }
    }

    async fn send_http2(
        &self,
        target: &Arc<Target>,
        request: Request<ToTarget>,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let mut stream = match self.client.worker.pool.http2(target, &self.view.spec).await {
            Ok(stream) => stream,
            Err(error) => return Err(self.unconnected(&error, request)),
        };
        let answer = stream.sender.try_send_request(request);
        let response = self.patiently(answer).await?;
        Ok((response, Lease::Http2 { _stream: stream }))
    }

    async fn send_websocket(
        &self,
        target: &Arc<Target>,
        request: Request<ToTarget>,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let mut sender = match super::pool::upgradeable(target, &self.view.spec).await {
            Ok(sender) => sender,
            Err(error) => return Err(self.unconnected(&error, request)),
        };
        if sender.ready().await.is_err() {
            return Err(Failure::NotSent(Box::new(request)));
        }
        let answer = sender.try_send_request(request);
        Ok((self.patiently(answer).await?, Lease::Driven))
    }

    /// Waits for an answer whose connection has a task of its own.
    async fn patiently(
        &self,
        answer: impl Future<
            Output = Result<Response<Incoming>, hyper::client::conn::TrySendError<Request<ToTarget>>>,
        >,
    ) -> Result<Response<Incoming>, Failure> {
        let mut answer = pin!(answer);
        let mut patience = self.patience();
        loop {
            match tokio::time::timeout(patience, answer.as_mut()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(mut error)) => return Err(failure(error.take_message(), error.error())),
                Err(_) => patience = self.patience_left()?,
            }
        }
    }

    fn idle_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.compiled.balancer.attributes.idle_timeout_seconds.max(1)))
    }

    fn until_deadline(&self) -> Duration {
        self.deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))
    }

    /// How long to wait at first.
    fn patience(&self) -> Duration {
        self.idle_timeout().min(self.until_deadline())
    }

    /// How long to wait on, when it has been a while: for as long as the client sends, the target need not answer.
    fn patience_left(&self) -> Result<Duration, Failure> {
        let idle = self.idle_timeout();
        let until_deadline = self.until_deadline();
        if self.upload.ended.get() || until_deadline.is_zero() {
            return Err(Failure::Timeout);
        }
        let activity = &self.client.activity;
        let quiet = Duration::from_millis(self.client.worker.clock.millis().saturating_sub(activity.last()));
        let left = idle.checked_sub(quiet).filter(|left| !left.is_zero()).ok_or(Failure::ClientTimeout)?;
        Ok(left.min(until_deadline))
    }
}

fn failure(unsent: Option<Request<ToTarget>>, error: &hyper::Error) -> Failure {
    tracing::debug!(%error, "a target did not answer");
    match unsent {
        Some(request) => Failure::NotSent(Box::new(request)),
        None if error.is_user() || error.is_body_write_aborted() => Failure::Client,
        None => Failure::Broken,
    }
}

/// The same request once more, if it may be repeated: one that changes nothing and has no body.
fn repeatable(request: &Request<ToTarget>) -> Option<Request<ToTarget>> {
    if !request.method().is_idempotent() || !matches!(request.body(), ToTarget::Empty) {
        return None;
    }
    let mut copy = Request::new(ToTarget::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.version_mut() = request.version();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// Makes of a client's request the one that the target gets. Fails with a status.
fn prepare(
    client: &Client,
    compiled: &Compiled,
    view: &View,
    host: &str,
    request: Request<Incoming>,
    upload: &Rc<Upload>,
    websocket: bool,
) -> Result<Request<ToTarget>, u16> {
    let (mut parts, incoming) = request.into_parts();
    let attributes = &compiled.balancer.attributes;
    let upgrade = websocket.then(|| parts.headers.get(http::header::UPGRADE).cloned()).flatten();
    headers::remove_hop_by_hop(&mut parts.headers);
    headers::remove_own(&mut parts.headers);
    if let Some(upgrade) = upgrade {
        parts.headers.insert(http::header::CONNECTION, HeaderValue::from_static("Upgrade"));
        parts.headers.insert(http::header::UPGRADE, upgrade);
    }
    if !attributes.is_proxy {
        client.forwarded.apply(&mut parts.headers, attributes.forwarded_for);
        let seconds = client.worker.environment.now().as_seconds();
        let random = (client.worker.random(), client.worker.random() as u32);
        let trace = headers::trace_id(parts.headers.get(TRACE_ID), seconds, random);
        parts.headers.insert(TRACE_ID, trace);
    }
    if attributes.tls_headers
        && let Some(tls) = &client.tls
    {
        parts.headers.insert("x-amzn-tls-version", HeaderValue::from_static(tls.version));
        parts.headers.insert("x-amzn-tls-cipher-suite", HeaderValue::from_static(tls.cipher));
    }
    let host = host_for_target(host, compiled, client.tls.is_some());
    if view.spec.protocol_version == ProtocolVersion::Http1 {
        to_http1(&mut parts, &host, client.http2)?;
    } else {
        to_http2(&mut parts, &host, view.spec.protocol)?;
    }
    parts.extensions = http::Extensions::new();
    let body = if incoming.is_end_stream() {
        upload.ended.set(true);
        ToTarget::Empty
    } else {
        ToTarget::Client(incoming, upload.clone())
    };
    Ok(Request::from_parts(parts, body))
}

/// The host as the target sees it: with the listener's port when the client named none and it is not the protocol's own.
fn host_for_target<'h>(host: &'h str, compiled: &Compiled, secure: bool) -> std::borrow::Cow<'h, str> {
    let port = compiled.listener.port;
    let usual = port == if secure { 443 } else { 80 };
    if compiled.balancer.attributes.preserve_host_header
        || usual
        || host.is_empty()
        || load_balancing::host_without_port(host).len() != host.len()
    {
        return host.into();
    }
    format!("{host}:{port}").into()
}

fn to_http1(parts: &mut http::request::Parts, host: &str, from_http2: bool) -> Result<(), u16> {
    parts.version = Version::HTTP_11;
    if parts.uri.authority().is_some() {
        let target = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        parts.uri = Uri::from(target);
    }
    if !host.is_empty() && parts.headers.get(HOST).is_none_or(|given| given != host) {
        parts.headers.insert(HOST, HeaderValue::from_str(host).map_err(|_| 400u16)?);
    }
    if from_http2 {
        join_cookies(&mut parts.headers);
    }
    Ok(())
}

fn to_http2(parts: &mut http::request::Parts, host: &str, protocol: Protocol) -> Result<(), u16> {
    parts.version = Version::HTTP_2;
    parts.headers.remove(HOST);
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(if protocol == Protocol::Https { Scheme::HTTPS } else { Scheme::HTTP });
    uri.authority = Some(Authority::try_from(host).map_err(|_| 400u16)?);
    uri.path_and_query =
        Some(parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    parts.uri = Uri::from_parts(uri).map_err(|_| 400u16)?;
    Ok(())
}

/// HTTP/2 may have cookies in several lines, HTTP/1.1 has them in one (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let all: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // Values and the separator are what values are made of.
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}
