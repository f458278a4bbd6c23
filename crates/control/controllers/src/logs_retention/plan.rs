//! Decides what goes. Pure.

use super::observe::Observed;
use environment::Timestamp;
use resources::Stored;
use resources::logs::{BlockName, LogGroup};
use std::collections::HashMap;

/// Something to remove; each may be removed twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remove {
    /// A stream whose group is gone.
    Stream {
        /// Key of its row.
        key: String,
    },
    /// The events of a stream whose row is gone.
    Folder {
        /// Its full name.
        name: String,
    },
    /// A block whose last event has expired.
    Block {
        /// Its full name.
        name: String,
        /// Key of the group's row, whose bytes become fewer.
        group: String,
        /// By how many.
        bytes: u64,
    },
}

/// The steps that bring what there is to what should be.
pub fn plan(observed: &Observed, now: Timestamp) -> Vec<Remove> {
    let groups: HashMap<&str, &LogGroup> =
        observed.groups.iter().map(|group| (group.id.as_str(), group.as_ref())).collect();
    let mut steps = Vec::new();
    let mut alive = HashMap::new();
    for stream in &observed.streams {
        match groups.get(stream.group_id.as_str()) {
            Some(group) => {
                alive.insert(stream.id.as_str(), *group);
            }
            None => steps.push(Remove::Stream { key: stream.key() }),
        }
    }
    for folder in &observed.folders {
        let id = last_part(&folder.name);
        let Some(group) = alive.get(id) else {
            steps.push(Remove::Folder { name: folder.name.clone() });
            continue;
        };
        let Some(expired) = group.expired_before(now) else { continue };
        for block in &folder.blocks {
            let Ok(name) = last_part(block).parse::<BlockName>() else { continue };
            if name.last < expired {
                let (name, bytes) = (block.clone(), name.bytes);
                steps.push(Remove::Block { name, group: group.key(), bytes });
            }
        }
    }
    steps
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
