//! A child process writes and is killed at random moments, many times: every acknowledged write is there afterwards,
//! no transaction is torn, and revisions only grow.
//!
//! This test is its own `main`, because the child is the same program started with `--writer DIR`.

use anyhow::{Context, Result, ensure};
use environment::Environment;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{KeyRange, Op, RangeRequest, Store, Transaction};
use store_backends::embedded::EmbeddedStore;

/// How often the child is killed.
const ROUNDS: u32 = 60;
/// Writers in the child.
const WRITERS: u64 = 4;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if let [_, flag, dir, from] = arguments.as_slice()
        && flag == "--writer"
    {
        return runtime.block_on(write_for_ever(Path::new(dir), from.parse()?));
    }
    // Test runners ask for the list of tests, and for a test by name.
    if arguments.iter().any(|argument| argument == "--list") {
        if !arguments.iter().any(|argument| argument == "--ignored") {
            println!("killed_at_random: test");
        }
        return Ok(());
    }
    runtime.block_on(killed_at_random())?;
    println!(
        "test killed_at_random ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"
    );
    Ok(())
}

/// Each transaction writes the same number under two keys; the number is printed once it is acknowledged.
async fn write_for_ever(dir: &Path, from: u64) -> Result<()> {
    let store = EmbeddedStore::open(dir, Environment::real()).await?;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            for number in from.. {
                let value = number.to_string();
                let transaction = Transaction {
                    success: vec![
                        Op::put(format!("left/{writer}"), value.clone()),
                        Op::put(format!("right/{writer}"), value),
                        Op::put(format!("all/{writer}/{number}"), "x"),
                    ],
                    ..Transaction::default()
                };
                let revision = store.transact(transaction).await?.revision;
                let mut out = std::io::stdout().lock();
                writeln!(out, "{writer} {number} {revision}")?;
                out.flush()?;
            }
            anyhow::Ok(())
        }));
    }
    for writer in writers {
        writer.await??;
    }
    Ok(())
}

/// What the child has acknowledged, by writer.
#[derive(Default)]
struct Acknowledged {
    numbers: BTreeMap<u64, u64>,
    revision: u64,
    count: u64,
}

async fn killed_at_random() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let environment = Environment::real();
    let mut acknowledged = Acknowledged::default();
    let mut from = 0;
    for round in 0..ROUNDS {
        let mut delay = [0u8; 1];
        environment.fill_random(&mut delay);
        let seen = run_and_kill(dir.path(), from, Duration::from_millis(u64::from(delay[0])))?;
        ensure!(seen.revision == 0 || seen.revision > acknowledged.revision, "revisions went back");
        acknowledged.revision = acknowledged.revision.max(seen.revision);
        acknowledged.count += seen.count;
        acknowledged.numbers.extend(seen.numbers);
        let store = EmbeddedStore::open(dir.path(), environment.clone()).await?;
        from = check(&store, &acknowledged).await.with_context(|| format!("after kill {round}"))? + 1;
        store.close().await;
    }
    ensure!(acknowledged.count > u64::from(ROUNDS), "the child hardly wrote anything");
    println!("{ROUNDS} kills, {} acknowledged transactions, all there", acknowledged.count);
    Ok(())
}

fn run_and_kill(dir: &Path, from: u64, delay: Duration) -> Result<Acknowledged> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("--writer")
        .arg(dir)
        .arg(from.to_string())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("the child's output")?).lines();
    let mut seen = Acknowledged::default();
    let mut kill_at = None;
    // A torn last line is one that was not read, and so was not acknowledged to anybody.
    while let Some(Ok(line)) = lines.next() {
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        if let [writer, number, revision] = numbers[..] {
            seen.numbers.insert(writer, number);
            seen.revision = seen.revision.max(revision);
            seen.count += 1;
        }
        let at = *kill_at.get_or_insert_with(|| Instant::now() + delay);
        if Instant::now() >= at {
            child.kill()?;
        }
    }
    child.wait()?;
    Ok(seen)
}

/// Checks the reopened store and returns the highest number in it.
async fn check(store: &Arc<EmbeddedStore>, acknowledged: &Acknowledged) -> Result<u64> {
    let all = store.range(RangeRequest::all(KeyRange::prefix(""))).await?;
    ensure!(all.revision >= acknowledged.revision, "the revision was lost");
    let value = |key: String| {
        all.items
            .iter()
            .find(|item| *item.key == key)
            .map(|item| (String::from_utf8_lossy(&item.value).into_owned(), item.mod_revision))
    };
    let mut highest = 0;
    for writer in 0..WRITERS {
        let (left, right) = (value(format!("left/{writer}")), value(format!("right/{writer}")));
        ensure!(left == right, "torn: {left:?} and {right:?}");
        let found: u64 = left.map_or(Ok(0), |(text, _)| text.parse())?;
        let promised = acknowledged.numbers.get(&writer).copied().unwrap_or(0);
        ensure!(found >= promised, "writer {writer}: {promised} was acknowledged, {found} is there");
        highest = highest.max(found);
    }
    let rows = all.items.iter().filter(|item| item.key.starts_with("all/")).count() as u64;
    ensure!(rows >= acknowledged.count, "{} rows acknowledged, {rows} are there", acknowledged.count);
    Ok(highest)
}
