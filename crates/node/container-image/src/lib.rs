//! Pull, verify, unpack, share and collect container images
