//! The journal, the points in memory, and the blocks.

use crate::block::{BlockName, Points, Table, Written, add, resolution_at, seconds};
use crate::{Distribution, Sample, Series};
use blob_store::{BlobError, BlobStore, Record, Segment};
use environment::{Environment, Timestamp};
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::RwLock as AsyncRwLock;

/// Folders of the segments.
const JOURNAL: &str = "metrics/journal";
const BLOCKS: &str = "metrics/blocks";
/// Size at which the journal becomes a block.
const JOURNAL_BYTES: u64 = 4 * 1024 * 1024;
/// Series that a region keeps; those beyond are refused.
const MOST_SERIES: usize = 100_000;
/// Time between two sweeps.
const SWEEP: Duration = Duration::from_secs(3600);

/// A failure to keep or find points.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The files failed.
    #[error("metric files")]
    Blob(#[from] BlobError),
    /// A record cannot be written or is not what was written.
    #[error("metric records")]
    Record(#[from] postcard::Error),
    /// There are as many metrics as a region keeps.
    #[error("a region keeps {MOST_SERIES} metrics at most")]
    TooMany,
}

/// Which points are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of this metric, with exactly these dimensions.
    pub series: Series,
    /// Of this unit; of each by itself where there is none.
    pub unit: Option<String>,
    /// From this second on.
    pub start: i64,
    /// Before this second.
    pub end: i64,
    /// Seconds that become one point.
    pub period: i64,
}

/// What is known of a period.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Second that the period begins with.
    pub start: i64,
    /// Unit of its samples.
    pub unit: String,
    /// Its samples.
    pub values: Distribution,
}

/// The metrics of a region; cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    blobs: BlobStore,
    environment: Environment,
    /// Held for reading while a put is on its way.
    journal: AsyncRwLock<Journal>,
    shelves: RwLock<Shelves>,
    /// Held for writing by the one that makes or removes blocks, for reading by those that read them.
    moving: AsyncRwLock<()>,
    journal_bytes: u64,
}

struct Journal {
    number: u64,
    segment: Segment,
}

#[derive(Default)]
struct Shelves {
    /// Points that are in no block, oldest journal first; the last belongs to the open journal.
    memory: Vec<(u64, Table)>,
    blocks: Vec<Arc<Block>>,
    /// When each series got a sample last, in seconds.
    known: HashMap<Arc<Series>, i64>,
    next: u64,
}

struct Block {
    name: BlockName,
    places: HashMap<Arc<Series>, Record>,
}

impl Block {
    fn path(&self) -> String {
        format!("{BLOCKS}/{}", self.name)
    }
}

impl Metrics {
    /// Opens what is there; it may be open only once.
    pub async fn open(blobs: BlobStore, environment: Environment) -> Result<Self, MetricsError> {
        Self::open_with(blobs, environment, JOURNAL_BYTES).await
    }

    async fn open_with(
        blobs: BlobStore,
        environment: Environment,
        journal_bytes: u64,
    ) -> Result<Self, MetricsError> {
        let mut shelves = Shelves { next: 1, ..Shelves::default() };
        let replaced = open_blocks(&blobs, &mut shelves).await?;
        let mut journals = Vec::new();
        for path in blobs.list_segments(JOURNAL).await? {
            let Some(number) = number_of(&path) else { continue };
            shelves.next = shelves.next.max(number + 1);
            // A journal whose block is written is as good as gone.
            if replaced.contains(&number) {
                blobs.delete_segments(&path).await?;
            } else {
                journals.push(number);
            }
        }
        if journals.is_empty() {
            journals.push(shelves.next);
            shelves.next += 1;
        }
        let mut open = None;
        for number in journals {
            let read = Arc::new(parking_lot::Mutex::new(Vec::new()));
            let sink = read.clone();
            let path = journal_path(number);
            let segment = blobs.open_segment(&path, move |_, bytes| {
                // A record of another version is left out.
                sink.lock().extend(postcard::from_bytes::<Vec<Sample>>(bytes).unwrap_or_default());
            });
            open = Some(Journal { number, segment: segment.await? });
            shelves.memory.push((number, Table::new()));
            let samples = std::mem::take(&mut *read.lock());
            shelves.insert(number, &samples);
        }
        // There is at least one number.
        let Some(journal) = open else { return Err(BlobError::Cancelled.into()) };
        Ok(Self(Arc::new(Inner {
            blobs,
            environment,
            journal: AsyncRwLock::new(journal),
            shelves: RwLock::new(shelves),
            moving: AsyncRwLock::new(()),
            journal_bytes,
        })))
    }

    /// Keeps samples, all or none; they are on disk when this returns.
    pub async fn put(&self, samples: &[Sample]) -> Result<(), MetricsError> {
        if samples.is_empty() {
            return Ok(());
        }
        {
            let shelves = self.0.shelves.read();
            let new = samples.iter().filter(|sample| !shelves.known.contains_key(&sample.series)).count();
            if shelves.known.len() + new > MOST_SERIES {
                return Err(MetricsError::TooMany);
            }
        }
        let record = postcard::to_stdvec(samples)?;
        let full = {
            let journal = self.0.journal.read().await;
            journal.segment.append(&record).await?;
            self.0.shelves.write().insert(journal.number, samples);
            journal.segment.size() >= self.0.journal_bytes
        };
        if full && let Err(error) = self.flush().await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "metrics stay in the journal");
        }
        Ok(())
    }

    /// The points of periods, by time; periods without samples are left out.
    pub async fn read(&self, wanted: &Wanted) -> Result<Vec<Point>, MetricsError> {
        let now = seconds(self.0.environment.now());
        let mut found: BTreeMap<(i64, String), Distribution> = BTreeMap::new();
        let mut collect = |points: &Points| {
            for (unit, points) in
                points.iter().filter(|(unit, _)| wanted.unit.as_ref().is_none_or(|w| w == *unit))
            {
                for (second, values) in points.range(wanted.start..wanted.end.max(wanted.start)) {
                    if resolution_at(1, now - second).is_some() {
                        let start = second - (second - wanted.start).rem_euclid(wanted.period.max(1));
                        found.entry((start, unit.clone())).or_default().merge(values);
                    }
                }
            }
        };
        // While this is held no point goes from memory to a block or from one block to another.
        let _still = self.0.moving.read().await;
        let touches = |name: &BlockName| name.first < wanted.end && name.last >= wanted.start;
        let places: Vec<(String, Record)> = {
            let shelves = self.0.shelves.read();
            for (_, table) in &shelves.memory {
                if let Some(points) = table.get(&wanted.series) {
                    collect(points);
                }
            }
            let blocks = shelves.blocks.iter().filter(|block| touches(&block.name));
            blocks.filter_map(|block| Some((block.path(), *block.places.get(&wanted.series)?))).collect()
        };
        for (path, place) in places {
            if let Some(bytes) = self.0.blobs.read_record(&path, place).await? {
                collect(&postcard::from_bytes::<Written>(&bytes)?.points);
            }
        }
        let point = |((start, unit), values)| Point { start, unit, values };
        Ok(found.into_iter().map(point).collect())
    }

    /// The metrics of an account that got a sample since a time, in order.
    pub fn list(&self, account: &str, since: Timestamp) -> Vec<Arc<Series>> {
        let since = seconds(since);
        let shelves = self.0.shelves.read();
        let known =
            shelves.known.iter().filter(|(series, last)| series.account == account && **last >= since);
        let mut found: Vec<Arc<Series>> = known.map(|(series, _)| series.clone()).collect();
        found.sort_unstable();
        found
    }

    /// Sweeps once an hour until `stop`.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let sweeping = async {
            loop {
                self.0.environment.sleep(SWEEP).await;
                if let Err(error) = self.sweep().await {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "cannot sweep metrics; they stay as they are");
                }
            }
        };
        tokio::select! {
            () = sweeping => {}
            () = stop => {}
        }
    }

    /// Makes a block of what is in memory, and old blocks coarser.
    pub async fn sweep(&self) -> Result<(), MetricsError> {
        self.flush().await?;
        self.coarsen().await
    }

    /// Forgets every sample.
    pub async fn clear(&self) -> Result<(), MetricsError> {
        let _moving = self.0.moving.write().await;
        let mut journal = self.0.journal.write().await;
        let number = self.0.shelves.write().number();
        let segment = self.0.blobs.open_segment(&journal_path(number), |_, _| {}).await?;
        let old = {
            let mut shelves = self.0.shelves.write();
            let new =
                Shelves { memory: vec![(number, Table::new())], next: shelves.next, ..Shelves::default() };
            std::mem::replace(&mut *shelves, new)
        };
        *journal = Journal { number, segment };
        for (number, _) in &old.memory {
            self.0.blobs.delete_segments(&journal_path(*number)).await?;
        }
        for block in &old.blocks {
            self.0.blobs.delete_segments(&block.path()).await?;
        }
        Ok(())
    }

    /// Makes a block of what is in memory.
    async fn flush(&self) -> Result<(), MetricsError> {
        let _moving = self.0.moving.write().await;
        {
            let mut journal = self.0.journal.write().await;
            if journal.segment.size() > 0 {
                let number = self.0.shelves.write().number();
                let segment = self.0.blobs.open_segment(&journal_path(number), |_, _| {}).await?;
                self.0.shelves.write().memory.push((number, Table::new()));
                *journal = Journal { number, segment };
            }
        }
        loop {
            let full = {
                let shelves = self.0.shelves.read();
                if shelves.memory.len() < 2 { None } else { shelves.memory.first().cloned() }
            };
            let Some((journal, table)) = full else { return Ok(()) };
            self.replace(&table, 1, Some(journal), &[]).await?;
            self.0.blobs.delete_segments(&journal_path(journal)).await?;
        }
    }

    /// Gives blocks whose last point is old enough the resolution of their age, and drops those past all retention.
    async fn coarsen(&self) -> Result<(), MetricsError> {
        let _moving = self.0.moving.write().await;
        let now = seconds(self.0.environment.now());
        let blocks = self.0.shelves.read().blocks.clone();
        let mut by_resolution: BTreeMap<i64, Vec<Arc<Block>>> = BTreeMap::new();
        for block in blocks {
            match resolution_at(block.name.resolution, now - block.name.last) {
                Some(resolution) if resolution == block.name.resolution => {}
                Some(resolution) => by_resolution.entry(resolution).or_default().push(block),
                None => {
                    self.0.shelves.write().blocks.retain(|other| !Arc::ptr_eq(other, &block));
                    self.0.blobs.delete_segments(&block.path()).await?;
                }
            }
        }
        for (resolution, blocks) in by_resolution {
            if blocks.len() < together(resolution) {
                continue;
            }
            let mut table = Table::new();
            for block in &blocks {
                let records = self.0.blobs.read_segment(&block.path()).await?.unwrap_or_default();
                for bytes in records.iter().skip(1) {
                    let written: Written = postcard::from_bytes(bytes)?;
                    let into = table.entry(Arc::new(written.series)).or_default();
                    for (unit, points) in &written.points {
                        for (second, values) in points {
                            add(into, unit, *second, resolution, values);
                        }
                    }
                }
            }
            self.replace(&table, resolution, None, &blocks).await?;
            for block in &blocks {
                self.0.blobs.delete_segments(&block.path()).await?;
            }
        }
        let oldest = now - crate::block::TIERS[3].1;
        self.0.shelves.write().known.retain(|_, last| *last >= oldest);
        Ok(())
    }

    /// Writes a block that stands for a journal or for other blocks, and lists it in their place.
    async fn replace(
        &self,
        table: &Table,
        resolution: i64,
        journal: Option<u64>,
        blocks: &[Arc<Block>],
    ) -> Result<(), MetricsError> {
        let number = self.0.shelves.write().number();
        let replaced: Vec<u64> =
            journal.into_iter().chain(blocks.iter().map(|block| block.name.number)).collect();
        let mut records = vec![postcard::to_stdvec(&replaced)?];
        for (series, points) in table {
            let written = Written { series: series.as_ref().clone(), points: points.clone() };
            records.push(postcard::to_stdvec(&written)?);
        }
        let made = match BlockName::of(number, resolution, table) {
            Some(name) => {
                let path = format!("{BLOCKS}/{name}");
                let places = self.0.blobs.write_segment(&path, records).await?;
                let places = table.keys().cloned().zip(places.into_iter().skip(1)).collect();
                Some(Arc::new(Block { name, places }))
            }
            None => None,
        };
        let mut shelves = self.0.shelves.write();
        shelves.memory.retain(|(number, _)| Some(*number) != journal);
        shelves.blocks.retain(|block| !replaced.contains(&block.name.number));
        shelves.blocks.extend(made);
        Ok(())
    }
}

/// Blocks that become one of a resolution: a day's, or a month's, so that there are a few hundred in the end.
fn together(resolution: i64) -> usize {
    match resolution {
        3600 => 30,
        300 => 24,
        _ => 1,
    }
}

impl Shelves {
    /// A number that nothing has yet.
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn insert(&mut self, journal: u64, samples: &[Sample]) {
        for sample in samples {
            let series = match self.known.get_key_value(&sample.series) {
                Some((series, _)) => series.clone(),
                None => Arc::new(sample.series.clone()),
            };
            let last = self.known.entry(series.clone()).or_insert(i64::MIN);
            *last = sample.second.max(*last);
            if let Some((_, table)) = self.memory.iter_mut().find(|(number, _)| *number == journal) {
                add(table.entry(series).or_default(), &sample.unit, sample.second, 1, &sample.values);
            }
        }
    }
}

/// Lists the blocks, removes those that another stands for, and answers the numbers of what blocks stand for.
async fn open_blocks(blobs: &BlobStore, shelves: &mut Shelves) -> Result<Vec<u64>, MetricsError> {
    let mut replaced = Vec::new();
    for path in blobs.list_segments(BLOCKS).await? {
        let Some(name) = path.rsplit('/').next().and_then(|name| name.parse::<BlockName>().ok()) else {
            // What a crash left of a block that was being written.
            blobs.delete_segments(&path).await?;
            continue;
        };
        shelves.next = shelves.next.max(name.number + 1);
        let mut places = HashMap::new();
        let records = blobs.read_segment(&path).await?.unwrap_or_default();
        let at = BlobStore::record_places(records.iter().map(|record| record[..].len()));
        for (index, (bytes, place)) in records.iter().zip(at).enumerate() {
            if index == 0 {
                replaced.extend(postcard::from_bytes::<Vec<u64>>(bytes)?);
                continue;
            }
            // The series stands first in its record; its points are read when somebody asks for them.
            let series = Arc::new(postcard::take_from_bytes::<Series>(bytes)?.0);
            let known = shelves.known.entry(series.clone()).or_insert(i64::MIN);
            *known = name.last.max(*known);
            places.insert(series, place);
        }
        shelves.blocks.push(Arc::new(Block { name, places }));
    }
    for block in std::mem::take(&mut shelves.blocks) {
        if replaced.contains(&block.name.number) {
            blobs.delete_segments(&block.path()).await?;
        } else {
            shelves.blocks.push(block);
        }
    }
    Ok(replaced)
}

fn journal_path(number: u64) -> String {
    format!("{JOURNAL}/{number:016x}")
}

fn number_of(path: &str) -> Option<u64> {
    u64::from_str_radix(path.rsplit('/').next()?, 16).ok()
}

#[cfg(test)]
mod tests;
