//! What policies do with repositories, as tables.

use environment::Timestamp;
use lifecycle_policy::{Action, Candidate, LifecyclePolicy, evaluate};
use resources::ecr::StorageClass;

const NOW: i64 = 1_000;

fn day(day: i64) -> Timestamp {
    Timestamp::from_seconds(day * 86_400)
}

/// An image pushed so many days ago.
pub(crate) fn image(name: &str, age: i64, tags: &[&str]) -> Candidate {
    Candidate {
        digest: format!("sha256:{name}"),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        pushed_at: day(NOW - age),
        last_pulled_at: None,
        storage_class: StorageClass::Standard,
        archived_at: None,
        activated_at: None,
        children: vec![],
        subject: None,
        in_use: false,
    }
}

/// A policy of rules that are written `tags count action`, in the order of their priority.
fn policy(rules: &[(&str, &str, &str)]) -> LifecyclePolicy {
    let rules = rules.iter().enumerate().map(|(index, (tags, count, action))| {
        let tags = match tags.split_once(':') {
            Some(("prefix", list)) => format!(r#""tagStatus":"tagged","tagPrefixList":[{list}]"#),
            Some((_, list)) => format!(r#""tagStatus":"tagged","tagPatternList":[{list}]"#),
            None => format!(r#""tagStatus":"{tags}""#),
        };
        let (kind, number) = count.split_once(' ').expect("a kind and a number");
        let count = match kind {
            "count" => format!(r#""countType":"imageCountMoreThan","countNumber":{number}"#),
            "transitioned" => format!(
                r#""countType":"sinceImageTransitioned","countUnit":"days","countNumber":{number},
                   "storageClass":"archive""#
            ),
            kind => format!(r#""countType":"sinceImage{kind}","countUnit":"days","countNumber":{number}"#),
        };
        let action = match *action {
            "archive" => r#"{"type":"transition","targetStorageClass":"archive"}"#,
            _ => r#"{"type":"expire"}"#,
        };
        let priority = index + 1;
        format!(r#"{{"rulePriority":{priority},"selection":{{{tags},{count}}},"action":{action}}}"#)
    });
    let rules: Vec<String> = rules.collect();
    LifecyclePolicy::parse(&format!(r#"{{"rules":[{}]}}"#, rules.join(","))).expect("a policy")
}

fn acted(policy: &LifecyclePolicy, images: &[Candidate]) -> Vec<(String, Action, i32)> {
    let planned = evaluate(policy, images, day(NOW)).into_iter();
    let name = |index: usize| images[index].digest.trim_start_matches("sha256:").to_owned();
    planned.map(|plan| (name(plan.image), plan.action, plan.priority)).collect()
}

fn names(acted: &[(String, Action, i32)]) -> Vec<&str> {
    acted.iter().map(|(name, ..)| name.as_str()).collect()
}

fn sorted(policy: &LifecyclePolicy, images: &[Candidate]) -> Vec<String> {
    let mut found: Vec<String> = acted(policy, images).into_iter().map(|(name, ..)| name).collect();
    found.sort();
    found
}

#[test]
fn the_oldest_go_first_and_the_youngest_stay() {
    let images = [image("a", 3, &["v1"]), image("b", 1, &["v2"]), image("c", 2, &["v3"])];
    for (count, gone) in
        [("count 1", vec!["a", "c"]), ("count 2", vec!["a"]), ("count 3", vec![]), ("count 9", vec![])]
    {
        assert_eq!(names(&acted(&policy(&[("any", count, "expire")]), &images)), gone, "{count}");
    }
}

#[test]
fn age_is_counted_in_days() {
    let images = [image("a", 15, &[]), image("b", 14, &[]), image("c", 1, &[])];
    let result = acted(&policy(&[("untagged", "Pushed 14", "expire")]), &images);
    assert_eq!(result, [("a".to_owned(), Action::Expire, 1)]);
}

#[test]
fn lists_mean_all_of_them() {
    let images =
        [image("both", 9, &["alpha-1", "beta-1"]), image("none", 9, &[]), image("one", 9, &["alpha-2"])];
    for (tags, gone) in [
        (r#"prefix:"alpha""#, vec!["both", "one"]),
        (r#"prefix:"alpha","beta""#, vec!["both"]),
        (r#"pattern:"*-1""#, vec!["both"]),
        (r#"pattern:"alpha*","*-1""#, vec!["both"]),
        (r#"pattern:"*""#, vec!["both", "one"]),
        (r#"prefix:"gamma""#, vec![]),
        ("untagged", vec!["none"]),
        ("any", vec!["both", "none", "one"]),
    ] {
        assert_eq!(sorted(&policy(&[(tags, "Pushed 1", "expire")]), &images), gone, "{tags}");
    }
}

#[test]
fn a_rule_shields_what_it_keeps() {
    let images = [
        image("p1", 30, &["prod-1"]),
        image("p2", 20, &["prod-2"]),
        image("d1", 30, &["dev-1"]),
        image("d2", 1, &["dev-2"]),
    ];
    // The first rule keeps both of prod; the second would take all but one.
    let rules = policy(&[(r#"prefix:"prod""#, "count 2", "expire"), ("any", "count 1", "expire")]);
    assert_eq!(acted(&rules, &images), [("d1".to_owned(), Action::Expire, 2)]);
}

#[test]
fn lower_rules_count_what_higher_ones_took() {
    let images = [image("x", 3, &["beta"]), image("y", 2, &["alpha", "beta"]), image("z", 1, &["alpha"])];
    // The first rule takes y; the second still counts y, so x is the one too many.
    let rules =
        policy(&[(r#"prefix:"alpha""#, "count 1", "expire"), (r#"prefix:"beta""#, "count 1", "expire")]);
    let expected = [("y".to_owned(), Action::Expire, 1), ("x".to_owned(), Action::Expire, 2)];
    assert_eq!(acted(&rules, &images), expected);
}

#[test]
fn pulls_count_from_the_last_use() {
    let archive = policy(&[("any", "Pulled 10", "archive")]);
    let pulled = |mut image: Candidate, days: i64| {
        image.last_pulled_at = Some(day(NOW - days));
        image
    };
    let restored = |mut image: Candidate, days: i64| {
        image.activated_at = Some(day(NOW - days));
        image
    };
    let images = [
        image("never-old", 11, &[]),
        image("never-young", 9, &[]),
        pulled(image("pulled-old", 99, &[]), 11),
        pulled(image("pulled-young", 99, &[]), 9),
        restored(pulled(image("restored", 99, &[]), 50), 9),
        restored(image("restored-old", 99, &[]), 11),
    ];
    assert_eq!(sorted(&archive, &images), ["never-old", "pulled-old", "restored-old"]);
    assert!(acted(&archive, &images).iter().all(|(_, action, _)| *action == Action::Archive));
}

#[test]
fn the_archive_has_rules_of_its_own() {
    let archived = |name: &str, days: i64| Candidate {
        storage_class: StorageClass::Archive,
        archived_at: Some(day(NOW - days)),
        ..image(name, 400, &[])
    };
    let images = [archived("old", 91), archived("young", 89), image("active", 400, &[])];
    let rules = policy(&[("untagged", "Pushed 300", "archive"), ("any", "transitioned 90", "expire")]);
    let expected = [("active".to_owned(), Action::Archive, 1), ("old".to_owned(), Action::Expire, 2)];
    assert_eq!(acted(&rules, &images), expected);
}

#[test]
fn manifests_stay_as_long_as_their_index() {
    let mut index = image("index", 9, &["v1"]);
    index.children = vec!["sha256:amd".to_owned(), "sha256:arm".to_owned()];
    let images = [index, image("amd", 9, &[]), image("arm", 9, &[]), image("loose", 9, &[])];
    let rules = policy(&[("untagged", "Pushed 1", "expire")]);
    assert_eq!(names(&acted(&rules, &images)), ["loose"]);
    assert_eq!(sorted(&rules, &images[1..]), ["amd", "arm", "loose"], "the index is gone");
}

#[test]
fn what_refers_to_an_image_goes_with_it() {
    let refers = |name: &str, subject: &str| Candidate {
        subject: Some(format!("sha256:{subject}")),
        ..image(name, 1, &[])
    };
    let images = [
        image("old", 50, &["v1"]),
        image("new", 1, &["v2"]),
        refers("signature", "old"),
        refers("signature-of-signature", "signature"),
        refers("sbom", "new"),
        refers("dangling", "gone"),
    ];
    let gone = ["signature-of-signature", "signature", "old"];
    let rules = policy(&[("untagged", "Pushed 30", "expire"), ("any", "Pushed 30", "expire")]);
    assert_eq!(names(&acted(&rules, &images)), gone);
    // Their own age and number do not matter; one whose subject is not there stands for itself.
    let rules = policy(&[("untagged", "count 1", "expire"), (r#"prefix:"v""#, "count 1", "expire")]);
    assert_eq!(names(&acted(&rules, &images)), gone);
}

#[test]
fn what_runs_stays() {
    let index = Candidate { children: vec!["sha256:child".to_owned()], ..image("index", 50, &["v1"]) };
    let child = Candidate { in_use: true, ..image("child", 50, &[]) };
    let running = Candidate { in_use: true, ..image("running", 50, &["v2"]) };
    let images = [index, child, running, image("idle", 50, &["v3"])];
    assert_eq!(names(&acted(&policy(&[("any", "Pushed 1", "expire")]), &images)), ["idle"]);
}
