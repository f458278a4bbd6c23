//! Reading, deciding and writing again while somebody else writes in between.

/// Attempts before the caller is told to come again.
pub(crate) const MOST_ATTEMPTS: usize = 50;

/// Runs an async call anew as long as it fails because somebody else wrote first.
macro_rules! retrying {
    ($call:expr) => {{
        let mut attempts = 0;
        loop {
            attempts += 1;
            match $call.await {
                Err(failure) if failure.is_conflict() && attempts < $crate::retry::MOST_ATTEMPTS => {}
                other => break other,
            }
        }
    }};
}

pub(crate) use retrying;
