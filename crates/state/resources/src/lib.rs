//! Stored types of all services: spec, status, lifecycle; no I/O
