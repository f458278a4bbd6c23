//! May an agent open a channel?

use super::tokens::Use;
use super::{ChannelFacts, Inner};
use access::{Asked, Caller, CallerKind, NotAllowed, RequestFacts, Subject};
use resources::ecs::{DesiredStatus, Task};
use resources::ssm::{Session, SessionStatus};
use store::Versioned;

/// Why there is no channel.
#[derive(Debug, thiserror::Error)]
pub(super) enum Denied {
    /// There is nothing that a channel could be for.
    #[error("There is no such channel.")]
    NotFound,
    /// The request is wrong.
    #[error("{0}")]
    Wrong(&'static str),
    /// The caller may not.
    #[error("You are not authorized to perform this action.")]
    NotAllowed,
    /// Every place is taken.
    #[error("Too many channels. Please try again later.")]
    Busy,
    /// The store.
    #[error("Service unavailable. Please try again later.")]
    Failed,
}

/// A container that an agent speaks for.
pub(super) struct Target {
    /// Key of its task.
    pub(super) task: String,
    /// Its name.
    pub(super) container: String,
}

impl Inner {
    /// The token for the control channel of a container.
    pub(super) async fn create_control(
        &self,
        caller: &Caller,
        target: &str,
        facts: &ChannelFacts<'_>,
    ) -> Result<(&'static str, String), Denied> {
        self.allow(caller, "ssmmessages:CreateControlChannel", facts).await?;
        let (_, task, _) = parse_target(target).ok_or(Denied::Wrong("The target is not valid."))?;
        if !speaks_for(caller, task) {
            return Err(Denied::NotAllowed);
        }
        self.find_target(caller.account.as_str(), target).await?;
        let purpose = Use::Control(format!("{}/{target}", caller.account));
        Ok(("CreateControlChannel", self.new_token(purpose)))
    }

    /// The token for the agent's end of a session.
    pub(super) async fn create_data(
        &self,
        caller: &Caller,
        session: &str,
        facts: &ChannelFacts<'_>,
    ) -> Result<(&'static str, String), Denied> {
        self.allow(caller, "ssmmessages:CreateDataChannel", facts).await?;
        let found = self.active_session(session).await?;
        if found.account != caller.account || !speaks_for(caller, &found.task) {
            return Err(Denied::NotFound);
        }
        Ok(("CreateDataChannel", self.new_token(Use::Data(session.to_owned()))))
    }

    pub(super) async fn active_session(&self, id: &str) -> Result<Versioned<Session>, Denied> {
        let found = self.tables.get::<Session>(id).await.map_err(|error| failed(&error))?;
        found.filter(|session| session.status == SessionStatus::Active).ok_or(Denied::NotFound)
    }

    /// The container of a target, in a task that runs and allows commands.
    pub(super) async fn find_target(&self, account: &str, target: &str) -> Result<Target, Denied> {
        let (cluster, task, runtime_id) = parse_target(target).ok_or(Denied::NotFound)?;
        let key = format!("{account}/{cluster}/{task}");
        let found = self.tables.get::<Task>(&key).await.map_err(|error| failed(&error))?;
        let found =
            found.filter(|task| task.execute_command && task.desired_status == DesiredStatus::Running);
        let found = found.ok_or(Denied::NotFound)?;
        let own = found.containers.iter().find(|own| own.runtime_id.as_deref() == Some(runtime_id));
        Ok(Target { task: key, container: own.ok_or(Denied::NotFound)?.name.clone() })
    }

    async fn allow(
        &self,
        caller: &Caller,
        action: &'static str,
        facts: &ChannelFacts<'_>,
    ) -> Result<(), Denied> {
        let facts = RequestFacts {
            time: self.environment.now(),
            source_ip: facts.source_ip,
            region: self.region.as_str(),
            user_agent: facts.user_agent,
            secure_transport: false,
        };
        let allowed = self.access.authorize(caller, &[Asked::new(action, "*")], &facts).await;
        allowed.map_err(|error| match error {
            NotAllowed::Denied(denied) => {
                tracing::info!(message = denied.message, "an agent of a container is denied");
                Denied::NotAllowed
            }
            NotAllowed::Failed(error) => failed(&error),
        })
    }
}

/// `ecs:CLUSTER_TASK_RUNTIME`. Names of clusters may have underscores, the other two have none.
fn parse_target(target: &str) -> Option<(&str, &str, &str)> {
    let mut parts = target.strip_prefix("ecs:")?.rsplitn(3, '_');
    let (runtime_id, task, cluster) = (parts.next()?, parts.next()?, parts.next()?);
    (![runtime_id, task, cluster].iter().any(|part| part.is_empty() || part.contains('/')))
        .then_some((cluster, task, runtime_id))
}

/// Whether the caller is the role of that task, in the session that the region gave it, or the root, who may all.
fn speaks_for(caller: &Caller, task: &str) -> bool {
    let subject = caller.session.as_ref().map(|session| &session.subject);
    caller.kind == CallerKind::Root
        || matches!(subject, Some(Subject::Role { session, .. }) if session == task)
}

fn failed(error: &dyn std::error::Error) -> Denied {
    tracing::error!(%error, "cannot decide whether a channel may be opened");
    Denied::Failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_name_a_container() {
        assert_eq!(parse_target("ecs:my_cluster_0a_ff"), Some(("my_cluster", "0a", "ff")));
        for wrong in ["ecs:a_b", "a_b_c", "ecs:__", "ecs:a/b_c_d"] {
            assert_eq!(parse_target(wrong), None, "{wrong}");
        }
    }
}
