//! The reconciling loop: keyed queue, backoff, timers; knows no resource
