//! Removes task definitions in DELETE_IN_PROGRESS once no task and no service uses them.
//!
//! Small enough for one file: it observes whether the definition is used, plans with [`plan`], and deletes.

use crate::feed::Seen;
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::ecs::{DefinitionStatus, Service, Task, TaskDefinition, TaskStatus};
use std::time::Duration;
use store::{StoreError, Tables};

/// Time between two looks at a definition that is in use.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// The controller.
pub struct TaskDefinitionController {
    tables: Tables,
    queue: Queue<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Wait,
    Remove,
}

/// What to do with a definition.
fn plan(status: DefinitionStatus, in_use: bool) -> Step {
    match status {
        DefinitionStatus::Active | DefinitionStatus::Inactive => Step::Nothing,
        DefinitionStatus::DeleteInProgress if in_use => Step::Wait,
        DefinitionStatus::DeleteInProgress => Step::Remove,
    }
}

impl TaskDefinitionController {
    /// Over the region's rows.
    pub fn new(tables: Tables, queue: Queue<String>) -> Self {
        Self { tables, queue }
    }

    /// Queues a definition that shall go.
    pub(crate) fn see(&self, seen: Seen<TaskDefinition>) {
        if let Seen::Row(row) = seen
            && row.status == DefinitionStatus::DeleteInProgress
        {
            self.queue.nudge(row.key());
        }
    }

    async fn in_use(&self, definition: &TaskDefinition) -> Result<bool, StoreError> {
        let services = self.tables.list_all::<Service>(&format!("{}/", definition.account)).await?;
        if services.iter().any(|service| service.uses(&definition.family, definition.revision)) {
            return Ok(true);
        }
        let tasks = self.tables.list_all::<Task>(&format!("{}/", definition.account)).await?;
        Ok(tasks.iter().any(|task| {
            let task = &task.value;
            task.family == definition.family
                && task.revision == definition.revision
                && task.last_status != TaskStatus::Stopped
        }))
    }
}

impl Reconciler for TaskDefinitionController {
    type Key = String;
    type Error = StoreError;

    async fn reconcile(&self, key: &String) -> Result<Next, StoreError> {
        let Some(row) = self.tables.get::<TaskDefinition>(key).await? else { return Ok(Next::Settled) };
        // Tasks are looked for only where it matters.
        let in_use = row.status == DefinitionStatus::DeleteInProgress && self.in_use(&row).await?;
        match plan(row.status, in_use) {
            Step::Nothing => Ok(Next::Settled),
            Step::Wait => Ok(Next::After(LOOK_AGAIN)),
            Step::Remove => {
                self.tables.delete(&row).await?;
                Ok(Next::Settled)
            }
        }
    }

    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        let mut rows = self.tables.list_all::<TaskDefinition>("").await?;
        rows.retain(|row| row.status == DefinitionStatus::DeleteInProgress);
        Ok(rows.iter().map(|row| row.key()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_shall_go_and_is_not_used_goes() {
        assert_eq!(plan(DefinitionStatus::Active, false), Step::Nothing);
        assert_eq!(plan(DefinitionStatus::Inactive, false), Step::Nothing);
        assert_eq!(plan(DefinitionStatus::DeleteInProgress, true), Step::Wait);
        assert_eq!(plan(DefinitionStatus::DeleteInProgress, false), Step::Remove);
    }
}
