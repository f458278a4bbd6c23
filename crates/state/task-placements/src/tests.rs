//! Room on hosts as tasks come and go.

use super::*;
use environment::{Environment, Timestamp};
use resources::ecs::{DefinitionStatus, FARGATE_HOSTS, InstanceStatus, Launch, TaskDefinition, TaskEvent};

const NOW: Timestamp = Timestamp::from_seconds(1_000);

fn task(id: &str, cpu: u32, memory: u32) -> Task {
    let definition = TaskDefinition {
        account: "123456789012".parse().expect("an account"),
        family: "web".to_owned(),
        revision: 1,
        status: DefinitionStatus::Active,
        network_mode: "awsvpc".to_owned(),
        requires_compatibilities: vec![],
        cpu,
        memory,
        task_role_arn: None,
        execution_role_arn: None,
        containers: vec![],
        volumes: vec![],
        volume_kinds: BTreeMap::new(),
        pid_mode: None,
        fault_injection: false,
        ephemeral_storage: None,
        runtime_platform: None,
        tags: vec![],
        registered_at: NOW,
        registered_by: String::new(),
        deregistered_at: None,
    };
    let launch = Launch { cluster: "default".to_owned(), id: id.to_owned(), ..Launch::default() };
    Task::launched(&definition, launch, &Environment::simulated(NOW, 1).0, NOW)
}

fn placed(id: &str, cpu: u32, memory: u32, host: &ContainerInstance) -> Task {
    let mut task = Task { container_instance: Some(host.key()), ..task(id, cpu, memory) };
    task.advance(TaskEvent::Placed, NOW);
    task
}

fn host(id: &str, cpu: u32, memory: u32) -> ContainerInstance {
    ContainerInstance {
        account: "123456789012".parse().expect("an account"),
        cluster: FARGATE_HOSTS.to_owned(),
        id: id.to_owned(),
        status: InstanceStatus::Active,
        agent_connected: true,
        cpu,
        memory,
        agent_version: "1".to_owned(),
        attributes: vec![],
        registered_at: NOW,
    }
}

fn known(hosts: &[ContainerInstance]) -> Placements {
    let placements = Placements::default();
    for host in hosts {
        placements.note_host(host);
    }
    placements.listed();
    placements
}

fn size(cpu: u64, memory: u64) -> Size {
    Size { cpu, memory }
}

#[test]
fn tasks_reserve_their_size_until_they_are_stopped() {
    let own = host("a", 1024, 2048);
    let placements = known(std::slice::from_ref(&own));
    let mut first = placed("1", 512, 1024, &own);
    assert!(!placements.note(&first) && !placements.note(&first), "noted twice, it counts once");
    let room = |reserved, tasks| HostRoom { host: own.key(), lends: size(1024, 2048), reserved, tasks };
    assert_eq!(placements.hosts(), [room(size(512, 1024), 1)]);
    assert_eq!(placements.lack(&own, &task("2", 512, 1024)), None);
    assert_eq!(placements.lack(&own, &task("2", 1024, 2048)), Some(Lack::Cpu));
    assert_eq!(placements.lack(&own, &task("2", 256, 2048)), Some(Lack::Memory));
    assert_eq!(placements.lack(&own, &first), None, "its own room is not in its way");
    first.advance(TaskEvent::ContainersStopped, NOW);
    assert!(!placements.note(&first), "it is not over");
    first.advance(TaskEvent::Released, NOW);
    assert!(placements.note(&first), "it lets go");
    assert!(!placements.note(&first) && !placements.forget(&first.key()), "once");
    assert_eq!(placements.hosts(), [room(Size::default(), 0)]);
}

#[test]
fn room_that_is_held_is_nobody_elses() {
    let own = host("a", 512, 1024);
    let placements = known(std::slice::from_ref(&own));
    let (one, two) = (task("1", 512, 1024), task("2", 512, 1024));
    let held = placements.hold(&own, &one).expect("there is room");
    assert_eq!(placements.hold(&own, &two).err(), Some(Lack::Cpu));
    // A listing anew in the middle does not give it away.
    placements.clear();
    assert!(!placements.are_listed());
    assert_eq!(placements.hold(&own, &two).err(), Some(Lack::Cpu));
    drop(held);
    let held = placements.hold(&own, &two).expect("it was given back");
    placements.note(&placed("2", 512, 1024, &own));
    assert_eq!(placements.hosts()[0].reserved, size(512, 1024), "counted once");
    drop(held);
    assert_eq!(placements.hold(&own, &one).err(), Some(Lack::Cpu), "it is placed");
}

#[test]
fn new_tasks_find_the_room_that_those_before_them_leave() {
    let hosts = [host("a", 1024, 4096), host("b", 512, 512)];
    let placements = known(&hosts);
    let room = |cpu, memory, count: usize| {
        let tasks: Vec<Task> = (0..count).map(|index| task(&format!("n{index}"), cpu, memory)).collect();
        let admitted = placements.admit(&tasks);
        (admitted.count(), admitted.lack())
    };
    assert_eq!(room(256, 512, 4), (4, None));
    assert_eq!(room(256, 512, 6), (5, Some(Lack::Memory)), "those before were not written and do not count");
    assert_eq!(room(2048, 512, 1), (0, Some(Lack::Cpu)), "larger than any host");
    placements.note(&task("1", 1024, 2048));
    assert_eq!(room(256, 512, 4).0, 1, "one waits already and has the first host");
    placements.note(&task("2", 4096, 2048));
    assert_eq!(room(256, 512, 4).0, 1, "one that fits nowhere is in nobody's way");
    placements.forget(&task("1", 1024, 2048).key());
    placements.admit(&[task("3", 256, 512), task("4", 256, 512)]).keep();
    assert_eq!(room(256, 512, 9).0, 3, "what was let in counts before the watch shows it");
    let gone = ContainerInstance { agent_connected: false, ..hosts[1].clone() };
    placements.note_host(&gone);
    assert_eq!(room(256, 512, 9), (2, Some(Lack::Cpu)));
    placements.forget_host(&hosts[0].key());
    assert_eq!(room(4096, 512, 9), (9, None), "without a host they wait for one");
}
