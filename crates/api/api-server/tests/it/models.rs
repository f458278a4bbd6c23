//! What the request path can and cannot hold of the models of the services that are built.

use aws_wire::schema::{Kind, Shape};
use aws_wire::{ServiceDefinition, pattern_is_checked};
use std::collections::BTreeSet;

static SERVICES: [&ServiceDefinition; 4] = [
    &api_ecr::shapes::DEFINITION,
    &api_ecs::shapes::DEFINITION,
    &api_logs::shapes::DEFINITION,
    &api_sts::shapes::DEFINITION,
];

/// Patterns of inputs that the engine lacks; the operations must check such values themselves.
const UNCHECKED: [&str; 0] = [];

fn walk(shape: &'static Shape, seen: &mut BTreeSet<&'static str>, visit: &mut impl FnMut(&'static Shape)) {
    if !seen.insert(shape.name) {
        return;
    }
    visit(shape);
    match shape.kind {
        Kind::Structure { members, .. } => members.iter().for_each(|member| walk(member.shape, seen, visit)),
        Kind::List { item, .. } => walk(item, seen, visit),
        Kind::Map { key, value, .. } => {
            walk(key, seen, visit);
            walk(value, seen, visit);
        }
        _ => {}
    }
}

fn every_input(mut visit: impl FnMut(&'static Shape)) {
    for service in SERVICES {
        let mut seen = BTreeSet::new();
        for operation in service.operations {
            walk(operation.input, &mut seen, &mut visit);
        }
    }
}

#[test]
fn every_pattern_of_an_input_is_checked() {
    let (mut patterns, mut unchecked) = (0, BTreeSet::new());
    every_input(|shape| {
        if let Kind::Text { pattern: Some(pattern), .. } = shape.kind {
            patterns += 1;
            if !pattern_is_checked(pattern) {
                unchecked.insert(pattern);
            }
        }
    });
    assert!(patterns > 10, "only {patterns} were found");
    assert_eq!(unchecked, BTreeSet::from(UNCHECKED));
}

/// The JSON reader keeps the names that are sent, so a member with another name on the wire would not be found.
#[test]
fn json_members_keep_their_names() {
    every_input(|shape| {
        for member in shape.members() {
            assert_eq!(member.location_name, None, "{}.{}", shape.name, member.name);
        }
    });
}

#[test]
fn no_two_services_answer_to_the_same_name() {
    let mut names = BTreeSet::new();
    for service in SERVICES {
        for protocol in service.protocols {
            let name = match *protocol {
                "json" => service.target_prefix,
                "query" => service.api_version,
                other => panic!("{other} is not spoken yet"),
            };
            assert!(!name.is_empty() && names.insert((*protocol, name)), "{protocol} {name}");
        }
        assert!(service.operations.is_sorted_by_key(|operation| operation.name), "{}", service.name);
    }
}

/// No operation is served without the entry of the service authorization reference that says what it needs.
#[test]
fn every_operation_has_its_actions() {
    for service in SERVICES {
        for operation in service.operations {
            let name = format!("{}.{}", service.name, operation.name);
            assert!(!operation.actions.is_empty(), "{name} needs no action");
            for action in operation.actions {
                let (prefix, short) = action.name.split_once(':').expect("a prefix");
                assert!(!prefix.is_empty() && !short.is_empty(), "{name}: {}", action.name);
                for resource in action.resources {
                    assert!(
                        resource.kind.arn.starts_with("arn:${Partition}:"),
                        "{name}: {}",
                        resource.kind.arn
                    );
                }
            }
        }
    }
}
