//! What a client may take: bytes, time and connections.

use std::time::Duration;

/// Bounds of the listener and of each request. The defaults suit a region; tests take smaller ones.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections served at the same time; more wait to be accepted.
    pub connections: usize,
    /// Largest head of a request, and the most that is read ahead of a large body.
    pub head_bytes: usize,
    /// How long a client may take to send the head of a request; also ends connections that are kept and not used.
    pub head_time: Duration,
    /// Largest body of an AWS call; PutLogEvents needs 1 MiB and its JSON escapes.
    pub body_bytes: usize,
    /// How long a client may take to send such a body.
    pub body_time: Duration,
    /// Larger bodies are read only from callers whose access key is known, so that nobody else can fill the memory.
    pub stranger_body_bytes: usize,
    /// How long requests in flight may take at shutdown.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head_bytes: 256 * 1024,
            head_time: Duration::from_secs(60),
            body_bytes: 10 * 1024 * 1024,
            body_time: Duration::from_secs(60),
            stranger_body_bytes: 16 * 1024,
            drain_time: Duration::from_secs(10),
        }
    }
}
