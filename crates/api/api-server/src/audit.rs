//! The record of every AWS call, made whatever becomes of it.
//!
//! A [`RecordedCall`] is made when the service and the operation of a request are known, learns what happens, and
//! writes its record when it goes: after the answer, after a refusal, after a panic, and also when the client hangs up
//! and the request is dropped in the middle of its work, so that nobody escapes the log by not waiting. Nothing here
//! waits for the disk; secrets are hidden before the record is made.

mod caller;
mod elements;
mod json;
mod parameters;
mod resources;
mod rules;

use access::Caller;
use audit_log::{AuditLog, Event, Identity, Resource};
use aws_wire::{Node, ServiceError, ToWire};
use environment::Environment;
use http::request::Parts;
use identifiers::{AccountId, Region};
use resources::Named;
use std::net::IpAddr;

use crate::route::Route;

/// Most bytes of a user agent that are kept.
const MOST_AGENT: usize = 1024;
/// Most bytes of an error message that are kept, as in CloudTrail.
const MOST_MESSAGE: usize = 1024;
/// What a call is recorded with whose client did not wait for the answer.
const DISCONNECTED: (&str, &str) = (
    "ClientDisconnected",
    "The client closed the connection before the answer. The call may have taken effect.",
);

/// Records calls.
pub struct Audit {
    log: AuditLog,
    account: AccountId,
}

impl Audit {
    /// Records into `log`. Calls of nobody known are recorded in `account`.
    pub fn new(log: AuditLog, account: AccountId) -> Self {
        Self { log, account }
    }

    /// Waits while the log is behind the disk.
    pub(crate) async fn room(&self) {
        self.log.room().await;
    }
}

/// What is the same for all calls of a server.
#[derive(Clone, Copy)]
pub(crate) struct Recorder<'a> {
    pub(crate) audit: Option<&'a Audit>,
    pub(crate) region: &'a Region,
    pub(crate) environment: &'a Environment,
}

/// A call that will be recorded.
pub(crate) struct RecordedCall<'a> {
    recorder: Recorder<'a>,
    route: &'a Route<'a>,
    parts: &'a Parts,
    source_ip: IpAddr,
    request_id: &'a str,
    read_only: bool,
    caller: Option<Caller>,
    parameters: Option<String>,
    elements: Option<String>,
    resources: Vec<Named>,
    outcome: Outcome,
}

enum Outcome {
    /// Still at work; when it is dropped like this, the client went away.
    Unanswered,
    Answered,
    Failed {
        code: String,
        message: String,
    },
}

impl<'a> RecordedCall<'a> {
    pub(crate) fn new(
        recorder: Recorder<'a>,
        route: &'a Route<'a>,
        parts: &'a Parts,
        source_ip: IpAddr,
        request_id: &'a str,
    ) -> Self {
        Self {
            recorder,
            route,
            parts,
            source_ip,
            request_id,
            read_only: rules::is_read_only(route.operation.name),
            caller: None,
            parameters: None,
            elements: None,
            resources: Vec::new(),
            outcome: Outcome::Unanswered,
        }
    }

    /// The caller is known.
    pub(crate) fn by(&mut self, caller: &Caller) {
        if self.recorder.audit.is_some() {
            self.caller = Some(caller.clone());
        }
    }

    /// The input is read.
    pub(crate) fn asked(&mut self, input: &Node) {
        if self.recorder.audit.is_none() {
            return;
        }
        let service = self.route.service.definition().name;
        let input_shape = self.route.operation.input;
        self.parameters = parameters::write(service, input_shape, input, &mut self.resources);
    }

    /// The operation has succeeded.
    pub(crate) fn answered(&mut self, answer: &dyn ToWire) {
        self.outcome = Outcome::Answered;
        let (service, operation) = (self.route.service.definition().name, self.route.operation.name);
        let tells = !self.read_only || rules::gives_credentials(service, operation);
        if self.recorder.audit.is_some() && tells {
            self.elements = elements::write(service, answer, &mut self.resources);
        }
    }

    /// The call has failed, or was refused.
    pub(crate) fn failed(&mut self, error: &ServiceError) {
        let code = match error.shape.name {
            // The one code that CloudTrail shows as policies speak of it.
            "AccessDeniedException" => "AccessDenied",
            name => name,
        };
        let message = rules::shorten(&error.message, MOST_MESSAGE).to_owned();
        self.outcome = Outcome::Failed { code: code.to_owned(), message };
    }

    fn record(&self, audit: &Audit) {
        let header = |name| self.parts.headers.get(name).and_then(|value| value.to_str().ok());
        let key = caller::claimed_key(self.parts);
        let (service, operation) = (self.route.service.definition().name, self.route.operation.name);
        let identity = self.caller.as_ref().map_or_else(
            || Identity { kind: "Unknown", access_key_id: key, ..Identity::default() },
            |caller| caller::identity(caller, key),
        );
        let account = self.caller.as_ref().map_or(&audit.account, |caller| &caller.account);
        let resources: Vec<Resource<'_>> = self.resources.iter().map(Named::resource).collect();
        audit.log.record(&Event {
            time: self.recorder.environment.now(),
            source: &rules::event_source(service),
            name: operation,
            region: self.recorder.region.as_str(),
            account: account.as_str(),
            identity,
            source_address: &self.source_ip.to_string(),
            user_agent: rules::shorten(header(http::header::USER_AGENT).unwrap_or_default(), MOST_AGENT),
            error: match &self.outcome {
                Outcome::Answered => None,
                Outcome::Failed { code, message } => Some((code, message)),
                Outcome::Unanswered => Some(DISCONNECTED),
            },
            request_parameters: self.parameters.as_deref(),
            response_elements: self.elements.as_deref(),
            request_id: self.request_id,
            read_only: self.read_only,
            data: rules::is_data_event(service, operation),
            resources: &resources,
            ..Event::default()
        });
    }
}

impl Drop for RecordedCall<'_> {
    fn drop(&mut self) {
        if let Some(audit) = self.recorder.audit {
            self.record(audit);
        }
    }
}
