//! Images go into the archive and come back.

use crate::events::{append_event, of_image};
use environment::Timestamp;
use resources::ecr::{Image, ImageAction, StorageClass};
use store::{Batch, Tables, Versioned};

/// The writes that move an image to a storage class, with the event.
pub fn moved(tables: &Tables, image: &Versioned<Image>, class: StorageClass, now: Timestamp) -> Batch {
    let mut new = Image { storage_class: class, ..(*image.value).clone() };
    let action = match class {
        StorageClass::Archive => {
            new.archived_at = Some(now);
            ImageAction::Archive
        }
        StorageClass::Standard => {
            new.activated_at = Some(now);
            ImageAction::Activate
        }
    };
    let event = of_image(&new, action);
    append_event(tables.batch().replace(image, &new), tables.environment(), &new, None, event)
}
