//! What a service offers to the request pipeline, and what the pipeline tells it about a request.

use crate::authorization::{Action, Permission, default_permissions};
use crate::schema::Shape;
use crate::{BrokenConstraints, ErrorShape, Extensions, Node, ServiceError, ToWire};
use environment::Timestamp;
use identifiers::{AccountId, Region};
use std::net::IpAddr;
use std::sync::Arc;

/// Who asks, and when: everything an operation may know about its request beside the input.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The account the request is made in.
    pub account: AccountId,
    /// The region that answers.
    pub region: Region,
    /// ARN of the caller, for example `arn:aws:iam::123456789012:root`.
    pub principal_arn: Arc<str>,
    /// Unique id of the caller, as STS GetCallerIdentity shows it.
    pub principal_id: Arc<str>,
    /// Id of the request, sent back in the answer.
    pub request_id: Arc<str>,
    /// Address of the client.
    pub source_ip: IpAddr,
    /// `host[:port]` as the client addressed this region, for answers that name endpoints.
    pub host: Arc<str>,
    /// When the request arrived.
    pub time: Timestamp,
    /// What the pipeline knows beside, by its type: the caller with all facts of its session.
    pub extensions: Extensions,
}

/// One operation of the API model.
#[derive(Debug)]
pub struct Operation {
    /// Its name, for example `RunTask`.
    pub name: &'static str,
    /// HTTP method of REST protocols.
    pub method: &'static str,
    /// Path template of REST protocols.
    pub uri: &'static str,
    /// HTTP status of success.
    pub status: u16,
    /// Shape of the input.
    pub input: &'static Shape,
    /// Shape of the output; `None` when it has no members at all.
    pub output: Option<&'static Shape>,
    /// Element around the result in the query protocol.
    pub result_wrapper: Option<&'static str>,
    /// The IAM actions that a call needs, its own first; never empty.
    pub actions: &'static [&'static Action],
    /// Whether a caller must sign; false where the input itself shows who calls, such as a web identity token.
    pub signed: bool,
}

impl Operation {
    /// The operation's own IAM action, such as `ecs:RunTask`.
    pub fn action(&self) -> &'static Action {
        // The generator gives every operation at least one.
        self.actions[0]
    }
}

/// A service of the API model.
#[derive(Debug)]
pub struct ServiceDefinition {
    /// Name used in paths and logs, for example `ecs`.
    pub name: &'static str,
    /// Service name in the SigV4 credential scope.
    pub signing_name: &'static str,
    /// Protocols in the model's order, for example `json`, `query`.
    pub protocols: &'static [&'static str],
    /// `1.1` or `1.0` for JSON protocols.
    pub json_version: &'static str,
    /// Part of `X-Amz-Target` before the dot; empty for protocols without it.
    pub target_prefix: &'static str,
    /// API version, sent by query clients.
    pub api_version: &'static str,
    /// XML namespace of answers; empty where there is none.
    pub xml_namespace: &'static str,
    /// Operations that are built, in alphabetical order.
    pub operations: &'static [Operation],
    /// Operations of the model that are not built.
    pub unbuilt: &'static [&'static str],
}

impl ServiceDefinition {
    /// The built operation called `name`.
    pub fn operation(&self, name: &str) -> Option<&'static Operation> {
        let operations: &'static [Operation] = self.operations;
        operations.binary_search_by(|operation| operation.name.cmp(name)).ok().map(|index| &operations[index])
    }
}

/// A typed answer, ready to be written in any protocol.
pub type Answer = Box<dyn ToWire + Send>;

/// A service as the pipeline sees it. The generated `Server` of each service crate implements it.
#[async_trait::async_trait]
pub trait Service: Send + Sync {
    /// What the model says.
    fn definition(&self) -> &'static ServiceDefinition;

    /// The error this service answers when a request breaks a constraint of the model.
    fn validation_error(&self) -> &'static ErrorShape;

    /// The text of that error.
    fn validation_text(&self, broken: &BrokenConstraints) -> String {
        broken.to_string()
    }

    /// What the caller must be allowed to do before the operation runs on this validated input. It answers the same
    /// for resources that do not exist, so that nobody learns of them without permission.
    async fn permissions(
        &self,
        operation: &'static Operation,
        _context: &RequestContext,
        _input: &Node,
    ) -> Result<Vec<Permission>, ServiceError> {
        Ok(default_permissions(operation))
    }

    /// Runs an operation on validated input.
    async fn call(
        &self,
        operation: &'static Operation,
        context: &RequestContext,
        input: Node,
    ) -> Result<Answer, ServiceError>;
}
