//! Prints how fast a 512 MiB blob is uploaded (hashed, verified, synced) and read.
//! `cargo run --release -p blob-store --example blob_speed [DIR]`.

use blob_store::{BlobRange, BlobStore, Digest};
use bytes::Bytes;
use environment::Environment;
use futures::{StreamExt, stream};
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

const CHUNK: usize = 128 * 1024;
const MIB: usize = 512;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(parent)?;
    let environment = Environment::real();
    let store = BlobStore::local(dir.path(), environment.clone())?;
    let mut chunk = vec![0u8; CHUNK];
    environment.fill_random(&mut chunk);
    let chunk = Bytes::from(chunk);
    let chunks = MIB * 1024 * 1024 / CHUNK;
    let digest = Digest::of(&chunk.repeat(chunks));
    let rate = |begun: Instant| MIB as f64 / begun.elapsed().as_secs_f64();

    let begun = Instant::now();
    let id = store.start_upload("bench").await?;
    let content = stream::iter((0..chunks).map(|_| Ok::<_, String>(chunk.clone())));
    store.append(&id, None, content).await?;
    store.finish_upload(&id, &digest).await?;
    println!("upload, verified and synced: {:.0} MiB/s", rate(begun));

    let begun = Instant::now();
    let mut blob = store.read(&digest, BlobRange::All).await?;
    while let Some(chunk) = blob.stream.next().await {
        std::hint::black_box(chunk?);
    }
    println!("read:                        {:.0} MiB/s", rate(begun));
    Ok(())
}
