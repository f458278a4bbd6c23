//! Any text is a policy or is refused, and a policy can be applied: it acts once on an image, and only on those there are.

use environment::Timestamp;
use lifecycle_policy::{Candidate, LifecyclePolicy, evaluate};
use resources::ecr::StorageClass;
use std::collections::HashSet;

/// A lifecycle policy document.
pub fn document(input: &[u8]) {
    let Ok(policy) = LifecyclePolicy::parse(&String::from_utf8_lossy(input)) else { return };
    let images: Vec<Candidate> = (0..12).map(image).collect();
    let planned = evaluate(&policy, &images, Timestamp::from_seconds(400 * 86_400));
    let mut seen = HashSet::new();
    assert!(planned.iter().all(|plan| plan.image < images.len() && seen.insert(plan.image)));
    assert!(planned.iter().all(|plan| !images[plan.image].in_use));
}

fn image(number: usize) -> Candidate {
    let archived = number % 5 == 4;
    let pushed_at = Timestamp::from_seconds(number as i64 * 30 * 86_400);
    Candidate {
        digest: format!("sha256:{number}"),
        tags: [vec![], vec!["latest".to_owned()], vec!["v1".to_owned(), "prod-1".to_owned()]][number % 3]
            .clone(),
        pushed_at,
        last_pulled_at: number.is_multiple_of(2).then_some(pushed_at),
        storage_class: if archived { StorageClass::Archive } else { StorageClass::Standard },
        archived_at: archived.then_some(pushed_at),
        activated_at: None,
        children: if number == 7 { vec!["sha256:1".to_owned(), "sha256:7".to_owned()] } else { vec![] },
        subject: (number > 8).then(|| format!("sha256:{}", number - 1)),
        in_use: number == 3,
    }
}
