//! What holds for every policy and every repository.

use crate::evaluation::image;
use environment::Timestamp;
use lifecycle_policy::{Action, Candidate, LifecyclePolicy, evaluate};
use proptest::prelude::*;
use resources::ecr::StorageClass;
use std::collections::HashSet;

const TAGS: [&str; 5] = ["alpha-1", "alpha-2", "beta-1", "beta-2", "latest"];
const SELECTIONS: [&str; 6] = [
    r#""tagStatus":"untagged""#,
    r#""tagStatus":"tagged","tagPrefixList":["alpha"]"#,
    r#""tagStatus":"tagged","tagPrefixList":["alpha","beta"]"#,
    r#""tagStatus":"tagged","tagPatternList":["*-1"]"#,
    r#""tagStatus":"tagged","tagPatternList":["*"]"#,
    r#""tagStatus":"any""#,
];

fn images() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (0..40_i64, prop::collection::hash_set(0..TAGS.len(), 0..3), any::<u8>());
    prop::collection::vec(one, 0..30).prop_map(|all| {
        let count = all.len();
        let make = |(index, (age, tags, bits)): (usize, (i64, HashSet<usize>, u8))| {
            let tags: Vec<&str> = tags.into_iter().map(|tag| TAGS[tag]).collect();
            let mut image = image(&index.to_string(), age, &tags);
            let other = format!("sha256:{}", (index * 7 + 3) % count);
            match bits % 16 {
                0 => image.children = vec![other],
                1 | 2 => image.subject = Some(other),
                3 => image.in_use = true,
                4 => {
                    image.storage_class = StorageClass::Archive;
                    image.archived_at = Some(image.pushed_at);
                }
                _ => {}
            }
            image
        };
        all.into_iter().enumerate().map(make).collect()
    })
}

fn policies() -> impl Strategy<Value = LifecyclePolicy> {
    let rule = (0..SELECTIONS.len(), 0..3_u8, 1..20_u32, any::<bool>());
    prop::collection::vec(rule, 1..5).prop_filter_map("rules fit together", |rules| {
        let rules = rules.iter().enumerate().map(|(index, (selection, kind, number, archive))| {
            let selection = SELECTIONS[*selection];
            let count = match kind {
                0 => r#""countType":"imageCountMoreThan""#,
                1 => r#""countType":"sinceImagePushed","countUnit":"days""#,
                _ => r#""countType":"sinceImagePulled","countUnit":"days""#,
            };
            let action = if *archive || *kind == 2 {
                r#"{"type":"transition","targetStorageClass":"archive"}"#
            } else {
                r#"{"type":"expire"}"#
            };
            let priority = index + 1;
            let selection = format!(r#"{{{selection},{count},"countNumber":{number}}}"#);
            format!(r#"{{"rulePriority":{priority},"selection":{selection},"action":{action}}}"#)
        });
        let rules: Vec<String> = rules.collect();
        LifecyclePolicy::parse(&format!(r#"{{"rules":[{}]}}"#, rules.join(","))).ok()
    })
}

proptest! {
    #[test]
    fn every_plan_keeps_the_rules(policy in policies(), images in images()) {
        let now = Timestamp::from_seconds(1_000 * 86_400);
        let planned = evaluate(&policy, &images, now);
        let mut seen = HashSet::new();
        for plan in &planned {
            let image = &images[plan.image];
            prop_assert!(seen.insert(plan.image), "one rule for each image");
            prop_assert!(!image.in_use);
            let is_child =
                |other: &Candidate| other.digest != image.digest && other.children.contains(&image.digest);
            prop_assert!(!images.iter().any(is_child), "manifests of an index stay");
            let archived = image.storage_class == StorageClass::Archive;
            prop_assert!(!(plan.action == Action::Archive && archived));
            let follows = image.subject.as_ref().is_some_and(|subject| {
                *subject != image.digest && images.iter().any(|other| other.digest == *subject)
            });
            if !follows {
                // The first rule whose tags select it is the one that acts.
                let first = policy.rules().iter().find(|rule| {
                    rule.storage_class == image.storage_class && rule.tags.selects(&image.tags)
                });
                prop_assert_eq!(first.map(|rule| rule.priority), Some(plan.priority));
            }
        }
        // What was planned is the same whatever the order of the images.
        let mut turned = images.clone();
        turned.reverse();
        let names = |images: &[Candidate]| {
            let planned = evaluate(&policy, images, now).into_iter();
            planned.map(|plan| (images[plan.image].digest.clone(), plan.priority)).collect::<HashSet<_>>()
        };
        prop_assert_eq!(names(&images), names(&turned));
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,200}") {
        let _ = LifecyclePolicy::parse(&text);
    }
}
