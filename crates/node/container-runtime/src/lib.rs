//! Sandboxes and the shim process that owns each one
