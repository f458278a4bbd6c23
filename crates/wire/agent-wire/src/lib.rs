//! The published ECS agent protocol: ACS (commands to an agent) and TCS (its telemetry).
//!
//! [`acs`] and [`tcs`] hold the message types, generated from the published models. A message travels as one JSON
//! object `{"type": name, "message": body}` in one websocket frame: [`AcsCommand`] and [`TcsAnswer`] go to the agent,
//! [`AcsReply`] and [`TcsReport`] come from it. Types that are not known are kept by name and never an error, for
//! either side may be newer than the other. Frames of TCS reports carry header lines before the JSON: [`framing`].
//!
//! No I/O here; frames larger than [`MOST_FRAME_BYTES`] are refused.

mod envelope;
pub mod framing;
mod sensitive;
mod shapes;

pub use envelope::{AcsCommand, AcsReply, Refusal, TcsAnswer, TcsReport, WireError};
pub use sensitive::Sensitive;
pub use shapes::{acs, tcs};

/// Largest frame that is read or written. A payload holds up to ten tasks; telemetry is bounded to 1 MiB.
pub const MOST_FRAME_BYTES: usize = 4 * 1024 * 1024;
