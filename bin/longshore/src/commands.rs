//! The commands of the program, one file each.

pub(crate) mod account;
pub(crate) mod configure;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod keys;
pub(crate) mod logs;
pub(crate) mod registry;
pub(crate) mod spot;
pub(crate) mod status;
pub(crate) mod up;
pub(crate) mod vulnerabilities;
