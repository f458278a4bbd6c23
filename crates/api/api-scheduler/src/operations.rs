//! The operations, those of one kind of resource in one module.

pub(crate) mod groups;
pub(crate) mod schedules;
pub(crate) mod tags;
