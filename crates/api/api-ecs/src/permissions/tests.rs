//! Which permissions requests need.

use crate::shapes::OPERATIONS;
use crate::testing::Fixture;
use aws_wire::{Node, Operation, Permission};

fn operation(name: &str) -> &'static Operation {
    OPERATIONS.iter().find(|operation| operation.name == name).expect("an operation")
}

fn text(value: &str) -> Node {
    Node::Text(value.to_owned())
}

fn map<const N: usize>(members: [(&str, Node); N]) -> Node {
    Node::Map(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

async fn needs(f: &Fixture, name: &str, input: Node) -> Vec<Permission> {
    super::of(&f.tables, &f.context, operation(name), &input).await.expect("permissions")
}

fn pairs(permissions: &[Permission]) -> Vec<(&str, &str)> {
    let short = |arn: &'_ str| arn.rfind(":123456789012:").map_or(0, |at| at + 14);
    permissions.iter().map(|p| (p.action.as_ref(), &p.resource[short(&p.resource)..])).collect()
}

fn condition<'a>(permission: &'a Permission, key: &str) -> Option<&'a str> {
    permission.conditions.iter().find(|(name, _)| name == key).map(|(_, values)| values[0].as_str())
}

#[tokio::test]
async fn run_task_needs_the_task_definition_and_its_roles() {
    let f = Fixture::prepared().await;
    let plain = needs(&f, "RunTask", map([("taskDefinition", text("web"))])).await;
    assert_eq!(pairs(&plain), [("ecs:RunTask", "task-definition/web:1")]);
    assert_eq!(
        condition(&plain[0], "ecs:cluster"),
        Some("arn:aws:ecs:us-east-1:123456789012:cluster/default")
    );
    assert_eq!(condition(&plain[0], "ecs:task-cpu"), Some("256"));
    let roles = map([("taskRoleArn", text("arn:aws:iam::123456789012:role/admin"))]);
    let tags = Node::List(vec![map([("key", text("team")), ("value", text("a"))])]);
    let input = map([("taskDefinition", text("web:1")), ("overrides", roles), ("tags", tags)]);
    let more = needs(&f, "RunTask", input).await;
    assert_eq!(
        pairs(&more),
        [
            ("ecs:RunTask", "task-definition/web:1"),
            ("ecs:TagResource", "task/default/*"),
            ("iam:PassRole", "role/admin")
        ]
    );
    assert_eq!(condition(&more[0], "aws:RequestTag/team"), Some("a"));
    assert_eq!(condition(&more[1], "ecs:CreateAction"), Some("RunTask"));
    assert_eq!(condition(&more[2], "iam:PassedToService"), Some("ecs-tasks.amazonaws.com"));
    let unknown = needs(&f, "RunTask", map([("taskDefinition", text("api"))])).await;
    assert_eq!(pairs(&unknown), [("ecs:RunTask", "task-definition/api:*")]);
}

#[tokio::test]
async fn every_resource_of_a_request_is_named() {
    let f = Fixture::prepared().await;
    let clusters = Node::List(vec![text("default"), text("arn:aws:ecs:us-east-1:210987654321:cluster/x")]);
    let permissions = needs(&f, "DescribeClusters", map([("clusters", clusters)])).await;
    let resources: Vec<&str> = permissions.iter().map(|p| p.resource.as_str()).collect();
    assert_eq!(
        resources,
        [
            "arn:aws:ecs:us-east-1:123456789012:cluster/default",
            "arn:aws:ecs:us-east-1:210987654321:cluster/x"
        ]
    );
    let tasks = Node::List(vec![text("0123"), text("4567")]);
    let permissions = needs(&f, "DescribeTasks", map([("cluster", text("c")), ("tasks", tasks)])).await;
    assert_eq!(
        pairs(&permissions),
        [("ecs:DescribeTasks", "task/c/0123"), ("ecs:DescribeTasks", "task/c/4567")]
    );
    let listed = needs(&f, "ListTasks", map([])).await;
    assert_eq!(pairs(&listed), [("ecs:ListTasks", "container-instance/default/*")]);
}

#[tokio::test]
async fn hosts_are_guarded_whatever_cluster_is_named() {
    let f = Fixture::prepared().await;
    let host = resources::ecs::ContainerInstance {
        account: f.context.account.clone(),
        cluster: resources::ecs::FARGATE_HOSTS.to_owned(),
        id: "0123".to_owned(),
        status: resources::ecs::InstanceStatus::Active,
        agent_connected: true,
        cpu: 1,
        memory: 1,
        agent_version: String::new(),
        attributes: vec![],
        registered_at: f.context.time,
    };
    f.tables.create(host).await.expect("creates");
    let input = map([("cluster", text("default")), ("containerInstance", text("0123"))]);
    let permissions = needs(&f, "DeregisterContainerInstance", input).await;
    assert_eq!(pairs(&permissions), [("ecs:DeregisterContainerInstance", "cluster/longshore:fargate")]);
}

/// The data of the authorization reference and the permissions derived from requests name the same actions.
#[tokio::test]
async fn every_operation_asks_for_its_own_action() {
    let f = Fixture::prepared().await;
    for operation in &OPERATIONS {
        assert_eq!(operation.action().name, format!("ecs:{}", operation.name));
        let permissions = needs(&f, operation.name, map([])).await;
        assert_eq!(permissions[0].action, operation.action().name);
    }
}

#[tokio::test]
async fn services_need_themselves_and_the_roles_they_pass_on() {
    let f = Fixture::prepared().await;
    let container = crate::testing::container("main");
    let mut request = crate::testing::registration(vec![container]);
    request.task_role_arn = Some("arn:aws:iam::123456789012:role/app".into());
    crate::operations::register_task_definition::run(
        &f.tables,
        &crate::testing::registry(),
        &f.context,
        request,
    )
    .await
    .expect("registers");
    let tags = Node::List(vec![map([("key", text("team")), ("value", text("a"))])]);
    let input = map([("serviceName", text("s")), ("taskDefinition", text("web")), ("tags", tags)]);
    let made = needs(&f, "CreateService", input).await;
    assert_eq!(
        pairs(&made),
        [
            ("ecs:CreateService", "service/default/s"),
            ("ecs:TagResource", "service/default/s"),
            ("iam:PassRole", "role/app")
        ]
    );
    let definition = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:2";
    assert_eq!(condition(&made[0], "ecs:task-definition"), Some(definition));
    assert_eq!(condition(&made[2], "iam:PassedToService"), Some("ecs-tasks.amazonaws.com"));
    let scaled = needs(&f, "UpdateService", map([("service", text("s")), ("cluster", text("c"))])).await;
    assert_eq!(pairs(&scaled), [("ecs:UpdateService", "service/c/s")], "a count passes no role on");
    let arn = text("arn:aws:ecs:us-east-1:123456789012:service-deployment/c/s/1");
    let stopped = needs(&f, "StopServiceDeployment", map([("serviceDeploymentArn", arn)])).await;
    assert_eq!(
        pairs(&stopped),
        [
            ("ecs:StopServiceDeployment", "service/c/s"),
            ("ecs:StopServiceDeployment", "service-deployment/c/s/1")
        ]
    );
}

#[tokio::test]
async fn express_services_need_their_roles() {
    let f = Fixture::prepared().await;
    let tags = Node::List(vec![map([("key", text("team")), ("value", text("a"))])]);
    let role = |name: &str| text(&format!("arn:aws:iam::123456789012:role/{name}"));
    let input = map([
        ("serviceName", text("api")),
        ("executionRoleArn", role("execution")),
        ("infrastructureRoleArn", role("infrastructure")),
        ("taskRoleArn", role("task")),
        ("cpu", text("256")),
        ("tags", tags),
    ]);
    let create = needs(&f, "CreateExpressGatewayService", input).await;
    assert_eq!(
        pairs(&create),
        [
            ("ecs:CreateExpressGatewayService", "service/default/api"),
            ("ecs:TagResource", "service/default/api"),
            ("iam:PassRole", "role/execution"),
            ("iam:PassRole", "role/task"),
            ("iam:PassRole", "role/infrastructure"),
        ]
    );
    assert_eq!(condition(&create[0], "ecs:task-cpu"), Some("256"));
    assert_eq!(condition(&create[1], "ecs:CreateAction"), Some("CreateExpressGatewayService"));
    assert_eq!(condition(&create[3], "iam:PassedToService"), Some("ecs-tasks.amazonaws.com"));
    assert_eq!(condition(&create[4], "iam:PassedToService"), Some("ecs.amazonaws.com"));
    let arn = "arn:aws:ecs:us-east-1:123456789012:service/default/api";
    for name in ["Update", "Delete", "Describe"] {
        let name = format!("{name}ExpressGatewayService");
        let input = map([("serviceArn", text(arn))]);
        let needed = needs(&f, &name, input).await;
        assert_eq!(pairs(&needed), [(format!("ecs:{name}").as_str(), "service/default/api")]);
        let cluster = condition(&needed[0], "ecs:cluster");
        assert_eq!(cluster, Some("arn:aws:ecs:us-east-1:123456789012:cluster/default"));
    }
}
