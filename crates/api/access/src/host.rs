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
    // What is in a stream already, after an interruption.
    "logs:GetLogEvents",
];

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
pub(crate) fn may(action: &str) -> bool {
    ACTIONS.iter().any(|allowed| allowed.eq_ignore_ascii_case(action))
}

/// Whether a resource belongs to the hosts alone: their cluster and the container instances in it. No user can name a
/// cluster so, because names of clusters have no colon.
pub(crate) fn is_reserved(resource: &str) -> bool {
    let named = resource.split_once(":cluster/").or_else(|| resource.split_once(":container-instance/"));
    named.is_some_and(|(_, name)| name.starts_with(FARGATE_HOSTS))
}
