//! The language of lifecycle policies, and what they do.

mod documents;
mod evaluation;
mod mutations;
mod properties;
