//! Generates the messages of the ECS agent protocol.

use anyhow::Result;
use std::path::Path;

/// Writes `acs.rs` and `tcs.rs` into `out_dir` from the models in `model_dir`.
pub fn generate(_model_dir: &Path, _out_dir: &Path) -> Result<()> {
    Ok(())
}
