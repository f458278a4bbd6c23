//! The thread that commits: many transactions, one sync.

use super::disk::Disk;
use environment::Environment;
use std::sync::Arc;
use std::time::Duration;
use store::{Change, LeaseId, Machine, Outcome, StoreError, Transaction, TransactionResponse};
use tokio::sync::{mpsc, oneshot};

/// Transactions synced together at most.
const GROUP: usize = 512;

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the committer is asked.
pub(super) enum Command {
    Transact(Transaction, Answer<TransactionResponse>),
    Grant(Duration, Answer<LeaseId>),
    Revoke(LeaseId, Answer<()>),
    /// Ends a lease if its time has really come.
    Expire(LeaseId, Answer<()>),
    Close,
}

/// An answer to give once its changes are durable.
enum Pending {
    Transaction(Answer<TransactionResponse>, TransactionResponse),
    Lease(Answer<LeaseId>, LeaseId),
    Done(Answer<()>),
}

pub(super) struct Committer {
    machine: Arc<Machine>,
    disk: Disk,
    environment: Environment,
    /// Set when a write failed: what is on disk is not known any more, so nothing is written after it.
    failed: Option<StoreError>,
}

impl Committer {
    pub(super) fn new(machine: Arc<Machine>, disk: Disk, environment: Environment) -> Self {
        Self { machine, disk, environment, failed: None }
    }

    /// Commits until it is told to close or nobody is left to ask.
    pub(super) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(first) = commands.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP {
                match commands.try_recv() {
                    Ok(command) => group.push(command),
                    Err(_) => break,
                }
            }
            if self.commit(group) {
                commands.close();
                break;
            }
        }
    }

    /// Commits a group; true when it held the command to close.
    fn commit(&mut self, group: Vec<Command>) -> bool {
        let mut closing = false;
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut grants: Vec<Change> = Vec::new();
        let mut pending: Vec<Pending> = Vec::new();
        let machine = self.machine.clone();
        let mut stage = machine.stage();
        for command in group {
            match command {
                Command::Close => closing = true,
                Command::Transact(transaction, answer) => match stage.transact(&transaction) {
                    Ok(outcome) => {
                        pending.push(Pending::Transaction(answer, outcome.response.clone()));
                        outcomes.push(outcome);
                    }
                    Err(error) => tell(answer, Err(error)),
                },
                Command::Grant(ttl, answer) => {
                    let lease = machine.next_lease();
                    grants.push(Change::Grant(lease, ttl));
                    pending.push(Pending::Lease(answer, lease));
                }
                Command::Revoke(lease, answer) => match stage.revoke(lease) {
                    Ok(outcome) => {
                        outcomes.push(outcome);
                        pending.push(Pending::Done(answer));
                    }
                    Err(error) => tell(answer, Err(error)),
                },
                // Staged only if due: it may have been renewed since it was asked for.
                Command::Expire(lease, answer) if machine.is_due(lease, self.environment.now()) => {
                    match stage.revoke(lease) {
                        Ok(outcome) => {
                            outcomes.push(outcome);
                            pending.push(Pending::Done(answer));
                        }
                        Err(error) => tell(answer, Err(error)),
                    }
                }
                Command::Expire(_, answer) => tell(answer, Ok(())),
            }
        }
        let revision = stage.revision();
        drop(stage);
        let written = self.write(&grants, &outcomes, revision);
        if written.is_ok() {
            let now = self.environment.now();
            for grant in &grants {
                machine.apply_change(grant, now);
            }
            machine.apply(&mut outcomes, now);
        }
        for waiting in pending {
            waiting.settle(&written);
        }
        closing
    }

    fn write(&mut self, grants: &[Change], outcomes: &[Outcome], revision: u64) -> Result<(), StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let changes = grants.iter().chain(outcomes.iter().flat_map(|outcome| &outcome.changes));
        let written = self.disk.write(changes, revision);
        if let Err(error) = &written {
            tracing::error!(%error, "the store cannot write and takes no more changes until it is restarted");
            self.failed = Some(error.clone());
        }
        written
    }
}

impl Pending {
    fn settle(self, written: &Result<(), StoreError>) {
        match self {
            Self::Transaction(answer, response) => tell(answer, written.clone().map(|()| response)),
            Self::Lease(answer, lease) => tell(answer, written.clone().map(|()| lease)),
            Self::Done(answer) => tell(answer, written.clone()),
        }
    }
}

/// A caller that went away wants no answer.
fn tell<T>(answer: Answer<T>, result: Result<T, StoreError>) {
    let _ = answer.send(result);
}
