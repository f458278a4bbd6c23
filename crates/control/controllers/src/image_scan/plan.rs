//! Decides what to do with an image. Pure.

use super::observe::Observed;
use resources::ecr::{Image, ScanFrequency, ScanStatus, Scanning};
use std::sync::Arc;

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// The image is gone, and so is what was found in it.
    Remove,
    /// Scan it.
    Scan(Arc<Image>, Scanning),
}

/// The step for an image, where the vulnerability data is of this generation.
pub fn plan(observed: &Observed, generation: Option<u64>) -> Step {
    let (Some(image), Some(scanning)) = (&observed.image, observed.scanning) else {
        return if observed.scan.is_some() { Step::Remove } else { Step::Nothing };
    };
    let wanted = match &observed.scan {
        Some(scan) if scan.is_due() => true,
        _ if !image.is_scannable() || image.is_archived() => false,
        None => scanning.frequency != ScanFrequency::Manual,
        Some(scan) => {
            let newer = generation.is_some_and(|generation| generation != scan.tried_with);
            newer && again(scanning, scan.status)
        }
    };
    if wanted { Step::Scan(image.clone(), scanning) } else { Step::Nothing }
}

/// Whether an image is scanned again when more is known. One that was pushed to be scanned and could not be, for want of
/// data, is scanned once there is some.
fn again(scanning: Scanning, status: ScanStatus) -> bool {
    match scanning.frequency {
        ScanFrequency::ContinuousScan => true,
        ScanFrequency::ScanOnPush => matches!(status, ScanStatus::Failed | ScanStatus::UnsupportedImage),
        ScanFrequency::Manual => false,
    }
}
