//! Content-addressed blobs and segments over object storage
