//! Prints how fast the embedded store is on this disk: durable writes one by one and from 100 writers, and reads of
//! decoded rows. `cargo run --release -p store-backends --example store_speed [DIR]`.

use anyhow::Result;
use environment::Environment;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use store::{KeyRange, Op, RangeRequest, Store, Transaction};
use store_backends::embedded::EmbeddedStore;

/// A value as large as a stored task.
const VALUE: [u8; 2048] = [b'x'; 2048];

fn put(writer: u32, number: u32) -> Transaction {
    let key = format!("bench/{writer}/{}", number % 1000);
    Transaction { success: vec![Op::put(key, VALUE.as_slice())], ..Transaction::default() }
}

async fn write(store: &Arc<EmbeddedStore>, writers: u32, each: u32) -> Result<f64> {
    let begun = Instant::now();
    let tasks = (0..writers).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..each {
                store.transact(put(writer, number)).await?;
            }
            anyhow::Ok(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(f64::from(writers * each) / begun.elapsed().as_secs_f64())
}

#[tokio::main]
async fn main() -> Result<()> {
    let parent = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(parent)?;
    let store = EmbeddedStore::open(dir.path(), Environment::real()).await?;
    println!("writes/s, one by one:   {:.0}", write(&store, 1, 5_000).await?);
    println!("writes/s, 100 writers:  {:.0}", write(&store, 100, 1_000).await?);
    let reads = 1_000_000u32;
    let begun = Instant::now();
    for number in 0..reads {
        let range = KeyRange::key(format!("bench/{}/{}", number % 100, number % 1000));
        std::hint::black_box(store.range(RangeRequest::all(range)).await?);
    }
    println!("reads/s, one thread:    {:.0}", f64::from(reads) / begun.elapsed().as_secs_f64());
    store.close().await;
    Ok(())
}
