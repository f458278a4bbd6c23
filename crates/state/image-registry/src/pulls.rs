//! When images were pulled last, and how often: counted in memory, written down now and then.
//!
//! A pull costs no read and no write of the store. What was counted since the last writing is lost when the program
//! is killed; on ECR, too, the recorded time may lie behind.

use crate::events::{append_event, trim};
use environment::Timestamp;
use resources::Stored;
use resources::ecr::{EventKind, Image, ImagePulls, Registry};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::{StoreError, Tables};

/// Time between two writings.
const INTERVAL: Duration = Duration::from_secs(15);
/// Writings after which old events are dropped.
const TRIM_EVERY: u32 = 20;
/// Images counted at a time, and principals for each. Pulls beyond them are not counted before the next writing.
const MOST_COUNTED: usize = 100_000;
const MOST_PRINCIPALS: usize = 100;
/// Images written in one transaction.
const BATCH: usize = 200;
/// Attempts at rows that others write at the same time.
const MOST_ATTEMPTS: usize = 5;

/// Who pulled what since the last writing.
pub struct PullLog {
    tables: Tables,
    counted: Mutex<HashMap<String, Counted>>,
}

struct Counted {
    image: Arc<Image>,
    /// By the ARN of the role, user or root that pulled.
    by: Vec<(Arc<str>, Pulls)>,
}

#[derive(Clone, Copy)]
struct Pulls {
    last: Timestamp,
    count: u64,
}

impl PullLog {
    pub(crate) fn new(tables: Tables) -> Self {
        Self { tables, counted: Mutex::new(HashMap::new()) }
    }

    /// Counts a pull of an image by a principal: the role and not its session.
    pub fn record(&self, image: &Arc<Image>, principal: &Arc<str>) {
        let now = self.tables.environment().now();
        let key = image.key();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let full = counted.len() >= MOST_COUNTED;
        let entry = match counted.get_mut(&key) {
            Some(entry) => entry,
            None if full => return,
            None => counted.entry(key).or_insert_with(|| Counted { image: image.clone(), by: vec![] }),
        };
        let many = entry.by.len() >= MOST_PRINCIPALS;
        match entry.by.iter_mut().find(|(by, _)| by == principal) {
            Some((_, pulls)) => *pulls = Pulls { last: now, count: pulls.count.saturating_add(1) },
            None if many => {}
            None => entry.by.push((principal.clone(), Pulls { last: now, count: 1 })),
        }
    }

    /// Writes what was counted, again and again until `shutdown` is ready; then once more.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut rounds = 0_u32;
        loop {
            let stopping = tokio::select! {
                () = self.tables.environment().sleep(INTERVAL) => false,
                () = &mut shutdown => true,
            };
            if let Err(error) = self.write().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot note pulls");
            }
            if stopping {
                return;
            }
            rounds = rounds.wrapping_add(1);
            if rounds.is_multiple_of(TRIM_EVERY)
                && let Err(error) = trim(&self.tables).await
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot drop old events");
            }
        }
    }

    /// Writes what was counted.
    pub async fn write(&self) -> Result<(), StoreError> {
        let counted = std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        let mut excluded: HashMap<String, Vec<String>> = HashMap::new();
        let mut due = Vec::new();
        for entry in counted.into_values() {
            let account = entry.image.account.to_string();
            if !excluded.contains_key(&account) {
                let registry = self.tables.get::<Registry>(&account).await?;
                let principals = registry.iter().flat_map(|registry| &registry.pull_time_exclusions);
                let principals = principals.map(|exclusion| exclusion.principal_arn.clone()).collect();
                excluded.insert(account.clone(), principals);
            }
            let without = &excluded[&account];
            let pulls = entry.by.iter().filter(|(by, _)| !without.iter().any(|arn| **arn == **by));
            let all = pulls
                .map(|(_, pulls)| *pulls)
                .reduce(|a, b| Pulls { last: a.last.max(b.last), count: a.count.saturating_add(b.count) });
            due.extend(all.map(|pulls| (entry.image, pulls)));
        }
        for some in due.chunks(BATCH) {
            self.write_some(some).await?;
        }
        Ok(())
    }

    async fn write_some(&self, due: &[(Arc<Image>, Pulls)]) -> Result<(), StoreError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut batch = self.tables.batch();
            for (image, pulls) in due {
                let key = image.key();
                // An image that is gone leaves no row behind.
                let Some(there) = self.tables.get::<Image>(&key).await? else { continue };
                let old = self.tables.get::<ImagePulls>(&key).await?;
                let row = ImagePulls {
                    account: image.account.clone(),
                    repository: image.repository.clone(),
                    digest: image.digest.clone(),
                    last_pulled_at: old.as_ref().map_or(pulls.last, |old| old.last_pulled_at.max(pulls.last)),
                    count: old.as_ref().map_or(0, |old| old.count).saturating_add(pulls.count),
                };
                batch = batch.require_unchanged(&there);
                batch = match &old {
                    Some(old) => batch.replace(old, &row),
                    None => batch.create(&row),
                };
                let event = EventKind::Pull { count: pulls.count };
                batch = append_event(batch, self.tables.environment(), image, None, event);
            }
            match batch.commit().await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_conflict() && attempts < MOST_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }
}
