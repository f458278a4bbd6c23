//! What of the gateway's work is on record: the sessions of agents, and the roles of tasks that are assumed for them.

use crate::Inner;
use crate::upgrade::Refused;
use access::{AssumeError, Caller};
use audit_log::{Event, Identity, Resource};
use environment::Timestamp;
use http::{Request, header};
use resources::ecs::Task;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Most characters of what a client says it is.
const MOST_AGENT: usize = 1024;

/// Records that a service assumes a role for a task, with the key it is given and its end, and never more of it.
pub(crate) async fn role_assumed(
    gateway: &Inner,
    task: &Task,
    service: &str,
    role_arn: &str,
    outcome: Result<(&str, Timestamp), &AssumeError>,
) {
    let Some(audit) = &gateway.audit else { return };
    audit.room().await;
    let parameters = json!({
        "roleArn": role_arn, "roleSessionName": task.id, "durationSeconds": gateway.session_time.as_secs(),
    });
    let elements = outcome.ok().map(
        |(key, until)| json!({"credentials": {"accessKeyId": key, "expiration": until.to_rfc3339_seconds()}}),
    );
    let error = outcome.err().map(|error| match error {
        AssumeError::Failed(_) => ("InternalFailure", "The role cannot be looked up.".to_owned()),
        AssumeError::NoRole(_) | AssumeError::NotTrusted { .. } => (
            "AccessDenied",
            format!("User: {service} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"),
        ),
    });
    audit.record(&Event {
        time: gateway.environment.now(),
        source: "sts.amazonaws.com",
        name: "AssumeRole",
        region: gateway.region.as_str(),
        account: task.account.as_str(),
        identity: Identity { kind: "AWSService", invoked_by: service, ..Identity::default() },
        source_address: service,
        user_agent: service,
        error: error.as_ref().map(|(code, message)| (*code, message.as_str())),
        request_parameters: Some(&parameters.to_string()),
        response_elements: elements.as_ref().map(Value::to_string).as_deref(),
        request_id: &gateway.environment.uuid(),
        read_only: true,
        resources: &[Resource { kind: "AWS::IAM::Role", name: role_arn }],
        ..Event::default()
    });
}

/// Records that an agent opens a session, or is refused one.
pub(crate) async fn session<B>(
    gateway: &Inner,
    caller: &Caller,
    request: &Request<B>,
    (operation, instance): (&str, &str),
    refused: Option<&Refused>,
) {
    let Some(audit) = &gateway.audit else { return };
    audit.room().await;
    let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let agent: String = agent.unwrap_or_default().chars().take(MOST_AGENT).collect();
    let instance: String = instance.chars().take(MOST_AGENT).collect();
    let peer = request.extensions().get::<SocketAddr>();
    let error = refused.map(|refused| {
        let denied = refused.kind == "AccessDeniedException";
        (if denied { "AccessDenied" } else { refused.kind }, refused.message)
    });
    audit.record(&Event {
        time: gateway.environment.now(),
        source: "ecs.amazonaws.com",
        name: operation,
        region: gateway.region.as_str(),
        account: caller.account.as_str(),
        identity: access::identity(caller, ""),
        source_address: &peer.map(|peer| peer.ip().to_canonical().to_string()).unwrap_or_default(),
        user_agent: &agent,
        error,
        request_parameters: Some(&json!({"containerInstance": instance}).to_string()),
        request_id: &gateway.environment.uuid(),
        read_only: true,
        resources: &[Resource { kind: "AWS::ECS::ContainerInstance", name: &instance }],
        ..Event::default()
    });
}
