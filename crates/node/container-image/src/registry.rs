//! Talks to registries.
