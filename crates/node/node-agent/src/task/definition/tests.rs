//! What payloads are read as, and which are refused.

use super::*;
use crate::engine::MountOrigin;
use crate::task::testing::{container, depends, payload};
use container_image::ImageConfig;

fn image() -> ImageConfig {
    ImageConfig {
        entrypoint: vec!["/entry".to_owned()],
        cmd: vec!["run".to_owned()],
        env: vec!["A=image".to_owned(), "B=image".to_owned()],
        user: Some("nobody".to_owned()),
        ..ImageConfig::default()
    }
}

fn refused(task: &acs::Task) -> String {
    TaskDefinition::read(task).expect_err("is refused").to_string()
}

#[test]
fn the_image_is_filled_in() {
    let mut one = container("web");
    one.environment = BTreeMap::from([("A".to_owned(), "task".to_owned())]).into();
    one.mount_points = vec![acs::MountPoint {
        source_volume: "data".to_owned(),
        container_path: "/data".to_owned(),
        read_only: true,
    }];
    one.docker_config = Some(acs::DockerConfig {
        config: r#"{"WorkingDir":"/w"}"#.to_owned(),
        host_config: r#"{"ReadonlyRootfs":true,"Tmpfs":{"/t":"size=8m,noexec"},"CapAdd":null,"Init":true,
            "Ulimits":[{"Name":"nofile","Soft":10,"Hard":20}],"MemoryReservation":1024}"#
            .to_owned(),
        version: String::new(),
    });
    let mut task = payload(vec![one.clone(), container("side")]);
    task.volumes = vec![acs::Volume { name: "data".to_owned(), ..acs::Volume::default() }];
    task.containers[1].volumes_from =
        vec![acs::VolumeFrom { source_container: "web".to_owned(), read_only: false }];
    let definition = TaskDefinition::read(&task).expect("reads");
    let plan = definition.containers[0].plan(&image());
    assert_eq!(plan.argv, ["/entry", "run"]);
    assert!(plan.env.contains(&"A=task".to_owned()) && plan.env.contains(&"B=image".to_owned()));
    assert_eq!((plan.cwd.as_str(), plan.user.as_deref()), ("/w", Some("nobody")));
    assert_eq!(plan.mounts[0].source, MountOrigin::Volume("data".to_owned()));
    assert!(plan.readonly_root && plan.init && plan.mounts[0].read_only);
    assert_eq!(plan.tmpfs[0].options, ["size=8m", "noexec"]);
    let side = definition.containers[1].plan(&image());
    assert!(side.mounts[0].read_only, "a read-only mount stays so when it is inherited");

    task.containers[0].entry_point = vec!["/mine".to_owned()];
    let definition = TaskDefinition::read(&task).expect("reads");
    assert_eq!(definition.containers[0].argv(&image()), ["/mine"]);
    task.containers[0].overrides = r#"{"command":["x"]}"#.to_owned();
    let definition = TaskDefinition::read(&task).expect("reads");
    assert_eq!(definition.containers[0].argv(&image()), ["/mine", "x"]);
}

#[test]
fn what_is_not_carried_out_is_refused() {
    type Change = fn(&mut acs::Task);
    let cases: [(Change, &str); 9] = [
        (|task| task.arn = "arn:aws:ecs:r:1:task/c/../x/..".to_owned(), "not the ARN of a task"),
        (|task| task.network_mode = "host".to_owned(), "networkMode"),
        (|task| task.containers.clear(), "containers"),
        (|task| task.containers[0].privileged = Some(true), "privileged"),
        (|task| task.containers[0].name = "../x".to_owned(), "cannot name"),
        (|task| task.elastic_network_interfaces.clear(), "network interface"),
        (
            |task| {
                let host_config = r#"{"Devices":[]}"#.to_owned();
                task.containers[0].docker_config =
                    Some(acs::DockerConfig { host_config, ..acs::DockerConfig::default() });
            },
            "hostConfig",
        ),
        (
            |task| task.containers[0].depends_on = depends("other", acs::ContainerCondition::Start),
            "no container",
        ),
        (|task| task.containers[0].depends_on = depends("web", acs::ContainerCondition::Start), "circle"),
    ];
    for (change, expected) in cases {
        let mut task = payload(vec![container("web")]);
        change(&mut task);
        let text = refused(&task);
        assert!(text.contains(expected), "{text} should contain {expected}");
    }
}

#[test]
fn health_checks_are_read_with_defaults() {
    let mut one = container("web");
    one.health_check_type = Some(acs::HealthCheckType::Docker);
    one.docker_config = Some(acs::DockerConfig {
        config: r#"{"Healthcheck":{"Test":["CMD-SHELL","true || x"],"Interval":5000000000}}"#.to_owned(),
        ..acs::DockerConfig::default()
    });
    let definition = TaskDefinition::read(&payload(vec![one])).expect("reads");
    let check = definition.containers[0].health_check.as_ref().expect("has one");
    assert_eq!(check.argv, ["/bin/sh", "-c", "true || x"]);
    assert_eq!((check.interval.as_secs(), check.timeout.as_secs(), check.retries), (5, 5, 3));
}
