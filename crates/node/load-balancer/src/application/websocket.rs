//! Connections that go over to another protocol.

use super::body::ToClient;
use super::client::Client;
use super::record::Record;
use crate::network::copy::{Copied, copy};
use crate::target::{Outstanding, Target};
use http::Response;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_local;

/// Answers that the protocol changes, and carries what comes then in both directions until an end or the idle timeout. It counts
/// as a request in progress of the target until then.
pub(crate) fn switch(
    client: &Rc<Client>,
    client_side: OnUpgrade,
    mut response: Response<Incoming>,
    target: Arc<Target>,
    outstanding: Outstanding,
    mut record: Record,
) -> Response<ToClient> {
    let target_side = hyper::upgrade::on(&mut response);
    let idle =
        Duration::from_secs(u64::from(record.compiled().balancer.attributes.idle_timeout_seconds.max(1)));
    record.websocket();
    let worker = client.worker.clone();
    spawn_local(async move {
        let _burden = worker.burden();
        let _outstanding = outstanding;
        let (client_side, target_side) = match tokio::try_join!(client_side, target_side) {
            Ok(sides) => sides,
            Err(error) => {
                tracing::debug!(%error, target = %target.address, "a websocket did not come about");
                return;
            }
        };
        let Copied { sent, received } =
            copy(TokioIo::new(client_side), TokioIo::new(target_side), idle, &worker.clock).await;
        record.sent(usize::try_from(sent).unwrap_or(usize::MAX));
        record.received(received);
        record.complete();
    });
    response.map(|_| ToClient::Nothing)
}
