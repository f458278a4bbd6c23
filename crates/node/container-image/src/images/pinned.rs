//! Layers that a pull counts on before its image is known.

use super::Inner;
use super::layout::layer_key;
use registry_client::Digest;

/// Layers a pull counts on, kept from being collected until it is over.
pub(super) struct Pinned<'a> {
    inner: &'a Inner,
    keys: Vec<String>,
}

impl<'a> Pinned<'a> {
    pub(super) fn new(inner: &'a Inner, chain: &[Digest]) -> Self {
        let alone = chain.iter().map(|digest| layer_key(std::slice::from_ref(digest)));
        let stacked = (2..=chain.len()).map(|length| layer_key(&chain[..length]));
        let keys: Vec<String> = alone.chain(stacked).collect();
        let mut state = inner.state.lock();
        for key in &keys {
            *state.pinned.entry(key.clone()).or_default() += 1;
        }
        drop(state);
        Self { inner, keys }
    }
}

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        let mut state = self.inner.state.lock();
        for key in &self.keys {
            if let Some(count) = state.pinned.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    state.pinned.remove(key);
                }
            }
        }
    }
}
