//! The thread that commits: many transactions, one sync.
//!
//! A write that fails (a full disk, most often) is answered as failed, and what follows is refused, since nobody knows
//! what the disk has of it. The disk is then opened anew, now and then while there is something to write, which settles
//! that: a batch is there whole or not at all. So a region goes on by itself once there is room again.

use super::disk::Disk;
use environment::{Environment, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::{Change, LeaseId, Machine, Outcome, StoreError, Transaction, TransactionResponse};
use tokio::sync::{mpsc, oneshot};

/// Transactions synced together at most.
const GROUP: usize = 512;
/// Time between two attempts to open a disk that failed.
pub(super) const REOPEN: Duration = Duration::from_secs(1);

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
    path: PathBuf,
    disk: DiskState,
    environment: Environment,
}

enum DiskState {
    Good(Disk),
    Failed(Failed),
}

/// A disk that did not take a batch.
struct Failed {
    error: StoreError,
    /// The batch, which the disk may have all the same.
    batch: Batch,
    number: u64,
    next_attempt: Timestamp,
}

/// What is written together.
#[derive(Default)]
struct Batch {
    grants: Vec<Change>,
    outcomes: Vec<Outcome>,
    revision: u64,
}

impl Committer {
    pub(super) fn new(machine: Arc<Machine>, path: PathBuf, disk: Disk, environment: Environment) -> Self {
        Self { machine, path, disk: DiskState::Good(disk), environment }
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
        self.mend();
        let mut closing = false;
        let mut batch = Batch::default();
        let (outcomes, grants) = (&mut batch.outcomes, &mut batch.grants);
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
        batch.revision = stage.revision();
        drop(stage);
        let written = self.write(batch);
        for waiting in pending {
            waiting.settle(&written);
        }
        closing
    }

    /// Writes a batch, and applies it if that goes well.
    fn write(&mut self, batch: Batch) -> Result<(), StoreError> {
        let disk = match &mut self.disk {
            DiskState::Good(disk) => disk,
            DiskState::Failed(failed) => return Err(failed.error.clone()),
        };
        let changes = batch.grants.iter().chain(batch.outcomes.iter().flat_map(|outcome| &outcome.changes));
        match disk.write(changes, batch.revision) {
            Ok(()) => {
                self.apply(batch);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the store cannot write; it takes no changes until it can");
                let number = disk.newest();
                let next_attempt = self.environment.now() + REOPEN;
                self.disk = DiskState::Failed(Failed { error: error.clone(), batch, number, next_attempt });
                Err(error)
            }
        }
    }

    fn apply(&self, mut batch: Batch) {
        let now = self.environment.now();
        for grant in &batch.grants {
            self.machine.apply_change(grant, now);
        }
        self.machine.apply(&mut batch.outcomes, now);
    }

    /// Opens a disk that failed, when it is time to try. What it has of the failed batch is settled then: though it was
    /// answered as failed, it has happened if it is there.
    fn mend(&mut self) {
        let DiskState::Failed(failed) = &mut self.disk else { return };
        let now = self.environment.now();
        if failed.next_attempt > now {
            return;
        }
        failed.next_attempt = now + REOPEN;
        match Disk::open(&self.path) {
            Ok(disk) => {
                tracing::warn!("the store can write again");
                let is_there = disk.newest() == failed.number;
                let batch = std::mem::take(&mut failed.batch);
                self.disk = DiskState::Good(disk);
                if is_there {
                    self.apply(batch);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "the store still cannot be opened");
                failed.error = error;
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use store::{KeyRange, Op, RangeRequest};

    #[test]
    fn a_batch_that_failed_has_happened_if_the_disk_has_it() {
        for reached in [false, true] {
            let dir = tempfile::tempdir().expect("a directory");
            let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
            let mut disk = Disk::open(dir.path()).expect("opens");
            let machine = Arc::new(disk.load(environment.now()).expect("loads"));
            let put = Op::Put { key: "k".into(), value: "v".into(), lease: None };
            let transaction = Transaction { success: vec![put], ..Transaction::default() };
            let mut stage = machine.stage();
            let outcome = stage.transact(&transaction).expect("stages");
            let batch = Batch { grants: vec![], outcomes: vec![outcome], revision: stage.revision() };
            drop(stage);
            let number = disk.newest() + 1;
            if reached {
                disk.write(batch.outcomes[0].changes.iter(), batch.revision).expect("writes");
            }
            drop(disk);
            let failed = Failed {
                error: StoreError::Backend("the sync failed".to_owned()),
                batch,
                number,
                next_attempt: environment.now() + REOPEN,
            };
            let mut committer = Committer {
                machine: machine.clone(),
                path: dir.path().to_owned(),
                disk: DiskState::Failed(failed),
                environment,
            };
            committer.mend();
            assert!(matches!(committer.disk, DiskState::Failed(_)), "not before its time");
            simulation.advance(REOPEN);
            committer.mend();
            assert!(matches!(committer.disk, DiskState::Good(_)));
            let range = machine.range(&RangeRequest::all(KeyRange::prefix(""))).expect("reads");
            assert_eq!(range.items.len(), usize::from(reached));
            let DiskState::Good(disk) = &committer.disk else { return };
            let on_disk = disk.load(Timestamp::from_seconds(2_000)).expect("loads");
            let there = on_disk.range(&RangeRequest::all(KeyRange::prefix(""))).expect("reads");
            assert_eq!((there.revision, there.items), (range.revision, range.items));
        }
    }
}
