//! The image directory of a host.

mod download;
mod layer;
mod layout;
mod pinned;
mod pull;

use crate::config::ImageConfig;
use crate::error::{ImagesError, PullError};
use crate::options::{Limits, PullOptions};
use environment::Environment;
use layout::{ImageRecord, LayerRecord, Layout};
use parking_lot::Mutex;
use registry_client::Client;
use registry_client::Digest;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;

/// All images of a host; cheap to clone. One process at a time opens a directory.
#[derive(Clone)]
pub struct Images(Arc<Inner>);

struct Inner {
    layout: Layout,
    limits: Limits,
    client: Client,
    environment: Environment,
    /// One permit per layer being fetched.
    fetching: Arc<Semaphore>,
    /// One permit per part of a layer in memory.
    parts: Arc<Semaphore>,
    /// Who is at work on which image or layer, so that others wait for it instead of doing the same.
    flights: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    state: Mutex<State>,
}

/// What is here; the records on disk, in memory.
#[derive(Default)]
struct State {
    layers: HashMap<String, LayerRecord>,
    images: HashMap<Digest, Known>,
    holders: HashMap<String, Digest>,
    /// Layers that pulls under way count on: how many pulls each.
    pinned: HashMap<String, usize>,
}

struct Known {
    record: ImageRecord,
    config: Arc<ImageConfig>,
    paths: Arc<[PathBuf]>,
    /// Cloned into every [`Image`], so that its count tells whether one lives.
    guard: Arc<()>,
}

/// An image that is here. While a value of this type lives, its layers are not collected; to keep them longer,
/// past the life of this process too, [`Images::hold`] it.
#[derive(Clone, Debug)]
pub struct Image {
    /// Digest of the image manifest.
    pub digest: Digest,
    /// What the reference resolved to: the index's digest for an image of several platforms, else the
    /// manifest's. This is what ECS shows as `imageDigest`.
    pub resolved: Digest,
    /// How to run it.
    pub config: Arc<ImageConfig>,
    /// The unpacked layers, lowest first, each once. To be mounted read-only; never written to.
    pub layers: Arc<[PathBuf]>,
    /// Bytes of all layers as tar archives.
    pub unpacked_bytes: u64,
    #[expect(dead_code, reason = "its life is what counts")]
    guard: Arc<()>,
}

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Images forgotten.
    pub images: usize,
    /// Layer directories removed.
    pub layers: usize,
    /// Bytes of those layers.
    pub bytes: u64,
}

impl Images {
    /// Opens the image directory, makes it if needed and removes what an interrupted pull left there.
    pub async fn open(directory: &Path, environment: Environment) -> Result<Self, ImagesError> {
        Self::open_with_limits(directory, Limits::default(), environment).await
    }

    /// [`Self::open`] with bounds other than the default ones.
    pub async fn open_with_limits(
        directory: &Path,
        limits: Limits,
        environment: Environment,
    ) -> Result<Self, ImagesError> {
        let directory = directory.to_owned();
        let (layout, found) = blocking({
            let environment = environment.clone();
            move || Layout::open(&directory, environment)
        })
        .await??;
        let mut state = State {
            layers: found.layers.into_iter().map(|layer| (layer.key.clone(), layer)).collect(),
            holders: found.holders.into_iter().collect(),
            ..State::default()
        };
        for record in found.images {
            state.insert(&layout, record);
        }
        Ok(Self(Arc::new(Inner {
            layout,
            client: Client::new(environment.clone(), limits.stall),
            environment,
            fetching: Arc::new(Semaphore::new(limits.parallel_layers.max(1))),
            parts: Arc::new(Semaphore::new(limits.parallel_parts.max(1))),
            limits,
            flights: Mutex::default(),
            state: Mutex::new(state),
        })))
    }

    /// Makes the image of `reference` present. Concurrent pulls share the layers they have in common.
    pub async fn pull(&self, reference: &str, options: &PullOptions) -> Result<Image, PullError> {
        pull::pull(&self.0, reference, options).await
    }

    /// Keeps the image from being collected until [`Self::release`], across restarts. `holder` is a container's
    /// or task's id; holding again replaces what the holder held.
    pub async fn hold(&self, image: &Image, holder: &str) -> Result<(), ImagesError> {
        self.0.layout.write_holder(holder, &image.digest)?;
        self.0.state.lock().holders.insert(holder.to_owned(), image.digest.clone());
        Ok(())
    }

    /// Ends what `holder` held; nothing happens when it held nothing.
    pub async fn release(&self, holder: &str) -> Result<(), ImagesError> {
        let held = self.0.state.lock().holders.remove(holder);
        let now = self.0.environment.now();
        if let Some(known) = held.and_then(|digest| {
            self.0.state.lock().images.get_mut(&digest).map(|k| {
                // Unused from now on, which is what a collection goes by.
                k.record.last_used = now;
                k.record.clone()
            })
        }) {
            self.0.layout.write_image(&known)?;
        }
        self.0.layout.remove_holder(holder)
    }

    /// Everyone who holds an image, to find those that are gone.
    pub fn holders(&self) -> Vec<String> {
        self.0.state.lock().holders.keys().cloned().collect()
    }

    /// The image that `holder` holds, to start its container again after a restart.
    pub fn held_by(&self, holder: &str) -> Option<Image> {
        let state = self.0.state.lock();
        let known = state.images.get(state.holders.get(holder)?)?;
        Some(known.image(known.record.manifest.clone()))
    }

    /// Removes images that nobody holds and that no pull asked for during `unused_for`, and layers without image.
    /// Also sees to it that the layers that stay survive a power cut.
    pub async fn collect(&self, unused_for: Duration) -> Result<Collected, ImagesError> {
        let (images, layers, unflushed) = self.0.pick_unused(unused_for);
        for manifest in &images {
            self.0.layout.remove_image(manifest)?;
        }
        for layer in &layers {
            let flight = self.0.flight(&layer::removal(&layer.key)).await;
            let (inner, key) = (self.0.clone(), layer.key.clone());
            blocking(move || {
                let _flight = flight;
                // A pull may have made it anew meanwhile.
                let absent = !inner.state.lock().layers.contains_key(&key);
                if absent { inner.layout.remove_layer(&key) } else { Ok(()) }
            })
            .await??;
        }
        let inner = self.0.clone();
        blocking(move || inner.flush(unflushed)).await??;
        Ok(Collected {
            images: images.len(),
            layers: layers.len(),
            bytes: layers.iter().map(|layer| layer.bytes).sum(),
        })
    }
}

impl Inner {
    /// Waits until nobody else works on `name`; whoever holds the answer does.
    async fn flight(&self, name: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let mutex = {
            let mut flights = self.flights.lock();
            flights.retain(|_, flight| flight.strong_count() > 0);
            flights.get(name).and_then(Weak::upgrade).unwrap_or_else(|| {
                let mutex = Arc::new(tokio::sync::Mutex::new(()));
                flights.insert(name.to_owned(), Arc::downgrade(&mutex));
                mutex
            })
        };
        mutex.lock_owned().await
    }

    /// Takes unused images and layers out of the state, and tells which layers that stay are not flushed yet.
    fn pick_unused(&self, unused_for: Duration) -> (Vec<Digest>, Vec<LayerRecord>, Vec<LayerRecord>) {
        let now = self.environment.now();
        let mut state = self.state.lock();
        let State { images, layers, holders, pinned } = &mut *state;
        let unused: Vec<Digest> = images
            .values()
            .filter(|known| Arc::strong_count(&known.guard) == 1)
            .filter(|known| now.since(known.record.last_used) >= unused_for)
            .map(|known| known.record.manifest.clone())
            .filter(|manifest| !holders.values().any(|held| held == manifest))
            .collect();
        for manifest in &unused {
            images.remove(manifest);
        }
        let needed = |key: &String| {
            pinned.contains_key(key) || images.values().any(|known| known.record.layers.contains(key))
        };
        let free: Vec<String> = layers.keys().filter(|key| !needed(key)).cloned().collect();
        let free = free.iter().filter_map(|key| layers.remove(key)).collect();
        let unflushed = layers.values().filter(|layer| !layer.flushed).cloned().collect();
        (unused, free, unflushed)
    }

    fn flush(&self, layers: Vec<LayerRecord>) -> Result<(), ImagesError> {
        self.layout.flush_layers(&layers)?;
        let mut state = self.state.lock();
        for layer in layers {
            if let Some(layer) = state.layers.get_mut(&layer.key) {
                layer.flushed = true;
            }
        }
        Ok(())
    }
}

impl State {
    fn insert(&mut self, layout: &Layout, record: ImageRecord) {
        let paths = stackable(&record.layers).into_iter().map(|key| layout.layer(key)).collect();
        let config = Arc::new(record.config.clone());
        if let Some(known) = self.images.get_mut(&record.manifest) {
            // Who has the image keeps it: the guard must stay the same.
            known.record = record;
        } else {
            let known = Known { config, paths, guard: Arc::new(()), record };
            self.images.insert(known.record.manifest.clone(), known);
        }
    }
}

/// The layers to mount, lowest first. One that comes twice (builders add empty layers freely) counts where it is
/// uppermost: all that it adds and hides it does there again, and overlayfs refuses a directory named twice.
fn stackable(layers: &[String]) -> Vec<&String> {
    let repeated = |index: usize| layers[index + 1..].contains(&layers[index]);
    layers.iter().enumerate().filter(|(index, _)| !repeated(*index)).map(|(_, key)| key).collect()
}

impl Known {
    fn image(&self, resolved: Digest) -> Image {
        Image {
            digest: self.record.manifest.clone(),
            resolved,
            config: self.config.clone(),
            layers: self.paths.clone(),
            unpacked_bytes: self.record.bytes,
            guard: self.guard.clone(),
        }
    }
}

/// Runs blocking work on a thread made for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ImagesError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ImagesError::new("finish work on", "the image directory", io::Error::other(error)))
}
