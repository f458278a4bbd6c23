//! Any text is a policy or is refused, and a policy can be applied.
#![no_main]

use lifecycle_policy::{LifecyclePolicy, evaluate};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(policy) = LifecyclePolicy::parse(text) {
        let _ = evaluate(&policy, &[], Default::default());
    }
});
