//! Keys, leases and the revision on disk.

use bytes::Bytes;
use environment::Timestamp;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::path::Path;
use std::time::Duration;
use store::{Change, KeyValue, LeaseId, Machine, StoreError};

/// Version of what is written here.
const FORMAT: u64 = 1;
/// The state is served from memory; the engine reads only at opening.
const CACHE_BYTES: u64 = 1024 * 1024;
/// Bytes in memory before the engine writes a table file.
const MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes before the value: create, modify, version, lease.
const HEADER: usize = 32;

pub(super) struct Disk {
    /// Number of the newest batch, here or failed.
    newest: u64,
    database: Database,
    keys: Keyspace,
    leases: Keyspace,
    facts: Keyspace,
}

impl Disk {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let database =
            Database::builder(path).cache_size(CACHE_BYTES).worker_threads(1).open().map_err(|error| {
                match error {
                    fjall::Error::Locked => StoreError::Locked(path.display().to_string()),
                    other => failed(&other),
                }
            })?;
        let keyspace = |name: &str| {
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
            database.keyspace(name, options).map_err(|error| failed(&error))
        };
        let (keys, leases, facts) = (keyspace("keys")?, keyspace("leases")?, keyspace("facts")?);
        let mut disk = Self { newest: 0, database, keys, leases, facts };
        disk.newest = disk.fact("batch")?.unwrap_or(0);
        match disk.fact("format")? {
            None | Some(FORMAT) => Ok(disk),
            Some(other) => Err(StoreError::Backend(format!(
                "{} is in format {other}, which this version does not know",
                path.display()
            ))),
        }
    }

    /// Everything, as a state machine.
    pub(super) fn load(&self, now: Timestamp) -> Result<Machine, StoreError> {
        let mut keys = Vec::new();
        for entry in self.keys.iter() {
            let (key, value) = entry.into_inner().map_err(|error| failed(&error))?;
            keys.push(decode(&key, &value)?);
        }
        let mut leases = Vec::new();
        for entry in self.leases.iter() {
            let (id, ttl) = entry.into_inner().map_err(|error| failed(&error))?;
            leases.push((LeaseId(number(&id)?), Duration::from_millis(number(&ttl)?)));
        }
        let revision = self.fact("revision")?.unwrap_or(0);
        Ok(Machine::restored(revision, keys.into_iter(), leases.into_iter(), now))
    }

    /// Number of the newest batch. After a failed write that of the batch which failed: once opened again, the disk
    /// tells whether it has it.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Writes changes and the revision they lead to; on disk when this returns. After a failure nothing more can be
    /// written until the disk is opened again.
    pub(super) fn write<'a>(
        &mut self,
        changes: impl Iterator<Item = &'a Change>,
        revision: u64,
    ) -> Result<(), StoreError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        let mut count = 0;
        for change in changes {
            count += 1;
            match change {
                Change::Put(value) => batch.insert(&self.keys, value.key.as_bytes(), encode(value)),
                Change::Delete(key) => batch.remove(&self.keys, key.as_bytes()),
                Change::Grant(lease, ttl) => {
                    let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
                    batch.insert(
                        &self.leases,
                        lease.0.to_be_bytes().as_slice(),
                        ttl.to_be_bytes().as_slice(),
                    );
                }
                Change::Revoke(lease) => batch.remove(&self.leases, lease.0.to_be_bytes().as_slice()),
            }
        }
        if count == 0 {
            return Ok(());
        }
        self.newest += 1;
        batch.insert(&self.facts, "batch", self.newest.to_be_bytes().as_slice());
        batch.insert(&self.facts, "revision", revision.to_be_bytes().as_slice());
        batch.insert(&self.facts, "format", FORMAT.to_be_bytes().as_slice());
        batch.commit().map_err(|error| failed(&error))
    }

    fn fact(&self, name: &str) -> Result<Option<u64>, StoreError> {
        self.facts.get(name).map_err(|error| failed(&error))?.map(|value| number(&value)).transpose()
    }
}

fn failed(error: &fjall::Error) -> StoreError {
    StoreError::Backend(error.to_string())
}

fn number(bytes: &[u8]) -> Result<u64, StoreError> {
    let bytes = bytes.try_into().map_err(|_| StoreError::Backend("a damaged number".to_owned()))?;
    Ok(u64::from_be_bytes(bytes))
}

fn encode(value: &KeyValue) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + value.value.len());
    let lease = value.lease.map_or(0, |lease| lease.0);
    for number in [value.create_revision, value.mod_revision, value.version, lease] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(&value.value);
    bytes
}

fn decode(key: &[u8], bytes: &[u8]) -> Result<KeyValue, StoreError> {
    let damaged = |what: &str| StoreError::Backend(format!("a damaged {what}"));
    let (header, value) = bytes.split_at_checked(HEADER).ok_or_else(|| damaged("value"))?;
    let mut numbers = [0u64; 4];
    for (number, bytes) in numbers.iter_mut().zip(header.chunks_exact(8)) {
        *number = self::number(bytes)?;
    }
    let [create_revision, mod_revision, version, lease] = numbers;
    Ok(KeyValue {
        key: std::str::from_utf8(key).map_err(|_| damaged("key"))?.into(),
        value: Bytes::copy_from_slice(value),
        create_revision,
        mod_revision,
        version,
        lease: (lease != 0).then_some(LeaseId(lease)),
    })
}
