//! The record of every AWS call, made whatever becomes of it.
//!
//! A [`RecordedCall`] is made when the service and the operation of a request are known, learns what happens, and
//! writes its record when it goes: after the answer, after a refusal, after a panic, and also when the client hangs up
//! and the request is dropped in the middle of its work, so that nobody escapes the log by not waiting. Nothing here
//! waits for the disk; secrets are hidden before the record is made.

mod claimed;
mod elements;
mod json;
mod parameters;
mod resources;
mod rules;

use access::{Caller, CallerKind};
use audit_log::{AuditLog, DISCONNECTED, Event, Identity, Resource};
use aws_wire::schema::Shape;
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

/// What a call asks for.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    service: &'static str,
    operation: &'static str,
    /// What its input looks like, where it is one of the API.
    input: Option<&'static Shape>,
}

impl Asked {
    /// An operation of the API.
    pub(crate) fn of(route: &Route<'_>) -> Self {
        let operation = route.operation;
        Self {
            service: route.service.definition().name,
            operation: operation.name,
            input: Some(operation.input),
        }
    }

    /// What a request of another protocol stands for.
    pub(crate) fn other((service, operation): (&'static str, &'static str)) -> Self {
        Self { service, operation, input: None }
    }
}

/// A call that will be recorded.
pub(crate) struct RecordedCall<'a> {
    recorder: Recorder<'a>,
    asked: Asked,
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
        asked: Asked,
        parts: &'a Parts,
        source_ip: IpAddr,
        request_id: &'a str,
    ) -> Self {
        Self {
            recorder,
            asked,
            parts,
            source_ip,
            request_id,
            read_only: rules::is_read_only(asked.operation),
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
        if let (Some(_), Some(shape)) = (self.recorder.audit, self.asked.input) {
            self.parameters = parameters::write(self.asked.service, shape, input, &mut self.resources);
        }
    }

    /// The operation has succeeded.
    pub(crate) fn answered(&mut self, answer: &dyn ToWire) {
        self.outcome = Outcome::Answered;
        let Asked { service, operation, .. } = self.asked;
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
        let key = claimed::claimed_key(self.parts);
        let Asked { service, operation, .. } = self.asked;
        let identity = self.caller.as_ref().map_or_else(
            || Identity { kind: "Unknown", access_key_id: key, ..Identity::default() },
            |caller| access::identity(caller, key),
        );
        let known = self.caller.as_ref().filter(|caller| caller.kind != CallerKind::Anonymous);
        let account = known.map_or(&audit.account, |caller| &caller.account);
        let resources: Vec<Resource<'_>> = self.resources.iter().map(Named::resource).collect();
        let address = self.source_ip.to_string();
        let source = rules::event_source(service);
        let event = Event {
            time: self.recorder.environment.now(),
            source: &source,
            name: operation,
            region: self.recorder.region.as_str(),
            account: account.as_str(),
            identity,
            source_address: &address,
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
        };
        audit.log.record(&event);
        if let Some(owner) = self.owner_of_role(account) {
            audit.log.record(&Event { account: owner, identity: stranger(&identity), ..event });
        }
    }

    /// The other account whose role was assumed: it is told, too.
    fn owner_of_role(&self, caller: &AccountId) -> Option<&str> {
        let assumed = (self.asked.service, self.asked.operation) == ("sts", "AssumeRole")
            && matches!(self.outcome, Outcome::Answered);
        let mut owners = self.resources.iter().filter_map(Named::owner_of_role);
        owners.find(|owner| assumed && *owner != caller.as_str())
    }
}

/// As much of a caller as another account learns.
fn stranger<'a>(caller: &Identity<'a>) -> Identity<'a> {
    Identity {
        kind: "AWSAccount",
        principal_id: caller.principal_id,
        account: caller.account,
        ..Identity::default()
    }
}

impl Drop for RecordedCall<'_> {
    fn drop(&mut self) {
        if let Some(audit) = self.recorder.audit {
            self.record(audit);
        }
    }
}
