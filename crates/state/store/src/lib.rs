//! Revisioned key-value store with etcd semantics: trait, typed tables, conformance suite, in-memory backend
