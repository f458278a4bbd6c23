//! The region's own hosts: a principal that no policy is about, with just what an agent needs.

use crate::{Caller, CallerKind};
use identifiers::AccountId;
use resources::ecs::FARGATE_HOSTS;

/// End of the ARN of a host's principal. IAM has no such kind, so no user can be mistaken for one.
pub(crate) const HOST_RESOURCE: &str = "host/fargate";

/// What agents do. Images are pulled, lines written and secrets read as the execution role of the task.
const ACTIONS: &[&str] = &[
    "ecs:DeregisterContainerInstance",
    "ecs:DiscoverPollEndpoint",
    "ecs:Poll",
    "ecs:RegisterContainerInstance",
    "ecs:StartTelemetrySession",
    "ecs:SubmitAttachmentStateChanges",
    "ecs:SubmitContainerStateChange",
    "ecs:SubmitTaskStateChange",
    READ,
];
/// What is in a stream already, after an interruption: of the streams of tasks, and of no others.
const READ: &str = "logs:GetLogEvents";
/// Digits of a task's id.
const TASK_ID: usize = 32;

/// The principal of the hosts of a region, in the region's own account.
pub fn host(account: &AccountId) -> Caller {
    Caller {
        account: account.clone(),
        principal_arn: format!("arn:aws:iam::{account}:{HOST_RESOURCE}").into(),
        principal_id: "FARGATEHOST".into(),
        kind: CallerKind::Host,
        access_key_id: None,
        session: None,
    }
}

/// Whether a host may do this.
pub(crate) fn may(action: &str, resource: &str) -> bool {
    let known = ACTIONS.iter().any(|allowed| allowed.eq_ignore_ascii_case(action));
    known && (!READ.eq_ignore_ascii_case(action) || is_stream_of_task(resource))
}

/// Whether a log stream is one that the awslogs driver names, `PREFIX/CONTAINER/TASK`.
fn is_stream_of_task(resource: &str) -> bool {
    let stream = resource.split_once(":log-stream:").map_or("", |(_, stream)| stream);
    let task = stream.rsplit_once('/').map_or("", |(_, task)| task);
    task.len() == TASK_ID && task.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a resource belongs to the hosts alone: their cluster and the container instances in it. No user can name a
/// cluster so, because names of clusters have no colon.
pub(crate) fn is_reserved(resource: &str) -> bool {
    let named = resource.split_once(":cluster/").or_else(|| resource.split_once(":container-instance/"));
    named.is_some_and(|(_, name)| name.starts_with(FARGATE_HOSTS))
}
