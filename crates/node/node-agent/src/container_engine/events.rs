//! Follows a sandbox and tells of each container that ends.

use crate::engine::{Exit, SandboxEvent};
use container_runtime::{Phase, Sandbox};
use environment::{Environment, Timestamp};
use std::collections::HashSet;
use tokio::sync::mpsc;

/// Runs until the sandbox ends, its shim dies, or nobody listens.
pub(super) async fn follow(sandbox: Sandbox, events: mpsc::Sender<SandboxEvent>, environment: Environment) {
    // A container that runs again ends again, at another time.
    let mut told = HashSet::new();
    if let Ok(mut watch) = sandbox.watch().await {
        while let Ok(state) = watch.next().await {
            for (container, state) in state {
                if let Phase::Exited { code, out_of_memory, at_ms } = state.phase
                    && told.insert((container.clone(), Some(at_ms)))
                {
                    let exit = Exit { code, out_of_memory, at: Timestamp::from_millis(at_ms) };
                    if events.send(SandboxEvent::Exited { container, exit }).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
    // The shim is gone, and its containers with it. What it wrote down last says how those ended that ended before.
    for (container, state) in sandbox.last_state() {
        let (exit, at_ms) = match state.phase {
            Phase::Running { .. } => (Exit { code: None, out_of_memory: false, at: environment.now() }, None),
            Phase::Exited { code, out_of_memory, at_ms } => {
                (Exit { code, out_of_memory, at: Timestamp::from_millis(at_ms) }, Some(at_ms))
            }
        };
        if told.insert((container.clone(), at_ms))
            && events.send(SandboxEvent::Exited { container, exit }).await.is_err()
        {
            return;
        }
    }
}
