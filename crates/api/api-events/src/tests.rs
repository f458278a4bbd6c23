//! Operations over an empty store.

use crate::EventsService;
use crate::shapes::*;
use aws_wire::{RequestContext, ServiceError};
use encryption::KeyRing;
use environment::Environment;
use event_outbox::Outbox;
use resources::events as stored;
use std::net::{IpAddr, Ipv4Addr};
use store::{MemoryStore, Tables};

struct Fixture {
    service: EventsService,
    context: RequestContext,
    tables: Tables,
}

fn fixture() -> Fixture {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let context = RequestContext {
        account: "123456789012".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        principal_arn: "arn:aws:iam::123456789012:root".into(),
        principal_id: "123456789012".into(),
        request_id: "request".into(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: "127.0.0.1:4566".into(),
        time: environment.now(),
        extensions: aws_wire::Extensions::new(),
    };
    let outbox = Outbox::new(tables.clone(), "us-east-1".parse().expect("a region"));
    Fixture { service: EventsService::new(outbox, KeyRing::in_memory(environment)), context, tables }
}

fn code<T>(result: Result<T, ServiceError>) -> (&'static str, String) {
    let error = result.err().expect("an error");
    (error.shape.name, error.message.into_owned())
}

const GROUP: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/all";
const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/default";
const ROLE: &str = "arn:aws:iam::123456789012:role/runner";

fn target(arn: &str) -> Target {
    Target { id: "t".into(), arn: arn.into(), ..Target::default() }
}

impl Fixture {
    async fn put_rule(&self, name: &str, pattern: &str) -> PutRuleResponse {
        let request = PutRuleRequest {
            name: name.into(),
            event_pattern: Some(pattern.into()),
            ..PutRuleRequest::default()
        };
        self.service.put_rule(&self.context, request).await.expect("puts")
    }

    async fn put_targets(
        &self,
        rule: &str,
        targets: Vec<Target>,
    ) -> Result<PutTargetsResponse, ServiceError> {
        let request = PutTargetsRequest { rule: rule.into(), targets, ..PutTargetsRequest::default() };
        self.service.put_targets(&self.context, request).await
    }

    async fn put_events(&self, entries: Vec<PutEventsRequestEntry>) -> PutEventsResponse {
        let request = PutEventsRequest { entries, ..PutEventsRequest::default() };
        self.service.put_events(&self.context, request).await.expect("puts")
    }

    async fn waiting(&self) -> usize {
        self.tables.list_all::<stored::Delivery>("").await.expect("lists").len()
    }
}

fn entry(source: &str, detail: &str) -> PutEventsRequestEntry {
    PutEventsRequestEntry {
        source: Some(source.into()),
        detail_type: Some("happened".into()),
        detail: Some(detail.into()),
        ..PutEventsRequestEntry::default()
    }
}

#[tokio::test]
async fn rules_are_put_shown_switched_and_deleted() {
    let f = fixture();
    let arn = f.put_rule("mine", r#"{"source":["my.app"]}"#).await.rule_arn;
    assert_eq!(arn.as_deref(), Some("arn:aws:events:us-east-1:123456789012:rule/mine"));
    f.put_targets("mine", vec![target(GROUP)]).await.expect("puts");
    let off = DisableRuleRequest { name: "mine".into(), ..DisableRuleRequest::default() };
    f.service.disable_rule(&f.context, off).await.expect("disables");
    let described = || {
        f.service.describe_rule(
            &f.context,
            DescribeRuleRequest { name: "mine".into(), ..DescribeRuleRequest::default() },
        )
    };
    assert_eq!(described().await.expect("describes").state, Some(RuleState::Disabled));
    // Putting it again keeps its targets and switches it on.
    f.put_rule("mine", r#"{"source":["your.app"]}"#).await;
    assert_eq!(described().await.expect("describes").state, Some(RuleState::Enabled));
    let names =
        ListRuleNamesByTargetRequest { target_arn: GROUP.into(), ..ListRuleNamesByTargetRequest::default() };
    let names = f.service.list_rule_names_by_target(&f.context, names).await.expect("lists");
    assert_eq!(names.rule_names, Some(vec!["mine".to_owned()]));
    let delete = || DeleteRuleRequest { name: "mine".into(), ..DeleteRuleRequest::default() };
    assert_eq!(
        code(f.service.delete_rule(&f.context, delete()).await),
        ("ValidationException", "Rule can't be deleted since it has targets.".to_owned())
    );
    let remove = RemoveTargetsRequest {
        rule: "mine".into(),
        ids: vec!["t".into(), "no".into()],
        ..RemoveTargetsRequest::default()
    };
    let removed = f.service.remove_targets(&f.context, remove).await.expect("removes");
    assert_eq!(removed.failed_entry_count, Some(1));
    f.service.delete_rule(&f.context, delete()).await.expect("deletes");
    assert_eq!(
        code(described().await),
        ("ResourceNotFoundException", "Rule mine does not exist on EventBus default.".to_owned())
    );
}

#[tokio::test]
async fn rules_that_are_refused() {
    let f = fixture();
    let refused = |request: PutRuleRequest| async { code(f.service.put_rule(&f.context, request).await) };
    let named = || PutRuleRequest { name: "r".into(), ..PutRuleRequest::default() };
    assert_eq!(refused(named()).await.0, "ValidationException");
    let pattern = PutRuleRequest { event_pattern: Some("{\"a\":1}".into()), ..named() };
    assert_eq!(refused(pattern).await.0, "InvalidEventPatternException");
    let schedule = PutRuleRequest { schedule_expression: Some("rate(1 minutes)".into()), ..named() };
    assert_eq!(
        refused(schedule).await,
        ("ValidationException", "Parameter ScheduleExpression is not valid.".to_owned())
    );
    let bus = PutRuleRequest {
        schedule_expression: Some("rate(1 minute)".into()),
        event_bus_name: Some("none".into()),
        ..named()
    };
    assert_eq!(
        refused(bus).await,
        ("ResourceNotFoundException", "Event bus none does not exist.".to_owned())
    );
    let create = CreateEventBusRequest { name: "none".into(), ..CreateEventBusRequest::default() };
    f.service.create_event_bus(&f.context, create.clone()).await.expect("creates");
    assert_eq!(
        code(f.service.create_event_bus(&f.context, create).await).0,
        "ResourceAlreadyExistsException"
    );
    let bus = PutRuleRequest {
        schedule_expression: Some("rate(1 minute)".into()),
        event_bus_name: Some("none".into()),
        ..named()
    };
    assert_eq!(refused(bus).await.1, "ScheduleExpression is supported only on the default event bus.");
}

#[tokio::test]
async fn targets_come_back_as_they_were_given() {
    let f = fixture();
    f.put_rule("r", r#"{"source":["a"]}"#).await;
    let ecs = EcsParameters {
        task_definition_arn: "arn:aws:ecs:us-east-1:123456789012:task-definition/web".into(),
        task_count: Some(2),
        launch_type: Some(LaunchType::Fargate),
        enable_ecs_managed_tags: Some(false),
        enable_execute_command: Some(false),
        network_configuration: Some(NetworkConfiguration {
            awsvpc_configuration: Some(AwsVpcConfiguration {
                subnets: vec!["subnet-1".into()],
                ..AwsVpcConfiguration::default()
            }),
        }),
        ..EcsParameters::default()
    };
    let given = vec![
        Target {
            id: "ecs".into(),
            arn: CLUSTER.into(),
            role_arn: Some(ROLE.into()),
            ecs_parameters: Some(ecs),
            input: Some(r#"{"containerOverrides":[]}"#.into()),
            ..Target::default()
        },
        Target {
            id: "logs".into(),
            arn: GROUP.into(),
            input_transformer: Some(InputTransformer {
                input_paths_map: Some([("a".to_owned(), "$.detail.a".to_owned())].into()),
                input_template: "\"<a>\"".into(),
            }),
            retry_policy: Some(RetryPolicy {
                maximum_retry_attempts: Some(2),
                maximum_event_age_in_seconds: Some(60),
            }),
            ..Target::default()
        },
    ];
    f.put_targets("r", given.clone()).await.expect("puts");
    let list = ListTargetsByRuleRequest { rule: "r".into(), ..ListTargetsByRuleRequest::default() };
    assert_eq!(f.service.list_targets_by_rule(&f.context, list).await.expect("lists").targets, Some(given));
}

#[tokio::test]
async fn targets_that_are_refused() {
    let f = fixture();
    f.put_rule("r", r#"{"source":["a"]}"#).await;
    let cases = [
        (target("arn:aws:lambda:us-east-1:123456789012:function:f"), "has no targets of this kind of lambda"),
        (target("queue"), "Provided Arn is not in correct format"),
        (target("arn:aws:logs:eu-west-1:123456789012:log-group:x"), "other accounts and regions"),
        (target(CLUSTER), "EcsParameters must be specified"),
        (Target { role_arn: Some(ROLE.into()), ..target(GROUP) }, "RoleArn is not supported"),
        (
            Target { ecs_parameters: Some(EcsParameters::default()), ..target(CLUSTER) },
            "RoleArn is required for target",
        ),
        (Target { input: Some("{".into()), ..target(GROUP) }, "JSON syntax error"),
        (
            Target { input: Some("1".into()), input_path: Some("$.a".into()), ..target(GROUP) },
            "Only one of Input",
        ),
        (Target { input_path: Some("a".into()), ..target(GROUP) }, "Invalid JSON path"),
        (
            Target { dead_letter_config: Some(DeadLetterConfig { arn: Some("x".into()) }), ..target(GROUP) },
            "DeadLetterConfig is not supported",
        ),
    ];
    for (target, expected) in cases {
        let (name, message) = code(f.put_targets("r", vec![target]).await);
        assert_eq!(name, "ValidationException");
        assert!(message.contains(expected), "{message}");
    }
    let many = (0..6).map(|index| Target { id: index.to_string(), ..target(GROUP) }).collect();
    assert_eq!(code(f.put_targets("r", many).await).0, "LimitExceededException");
}

#[tokio::test]
async fn events_are_taken_one_by_one() {
    let f = fixture();
    f.put_rule("r", r#"{"source":["my.app"],"detail":{"n":[{"numeric":[">",1]}]}}"#).await;
    f.put_targets("r", vec![target(GROUP)]).await.expect("puts");
    let entries = vec![
        entry("my.app", r#"{"n":2}"#),
        entry("my.app", r#"{"n":1}"#),
        entry("aws.ecs", "{}"),
        entry("my.app", "no"),
        PutEventsRequestEntry { source: None, ..entry("", "{}") },
        PutEventsRequestEntry { event_bus_name: Some("none".into()), ..entry("my.app", "{}") },
    ];
    let answer = f.put_events(entries).await;
    assert_eq!(answer.failed_entry_count, Some(4));
    let codes: Vec<Option<String>> =
        answer.entries.expect("entries").into_iter().map(|entry| entry.error_code).collect();
    let expected = [
        None,
        None,
        Some("NotAuthorizedForSourceException"),
        Some("MalformedDetail"),
        Some("InvalidArgument"),
        Some("ResourceNotFoundException"),
    ];
    assert_eq!(codes, expected.map(|code| code.map(str::to_owned)));
    assert_eq!(f.waiting().await, 1);
    let large =
        PutEventsRequest { entries: vec![entry("a", &"x".repeat(1 << 20))], ..PutEventsRequest::default() };
    assert_eq!(code(f.service.put_events(&f.context, large).await).0, "ValidationException");
}

#[tokio::test]
async fn secrets_of_connections_are_sealed_and_never_shown() {
    let f = fixture();
    let create = CreateConnectionRequest {
        name: "c".into(),
        authorization_type: ConnectionAuthorizationType::ApiKey,
        auth_parameters: CreateConnectionAuthRequestParameters {
            api_key_auth_parameters: Some(CreateConnectionApiKeyAuthRequestParameters {
                api_key_name: "x-key".into(),
                api_key_value: "swordfish".into(),
            }),
            invocation_http_parameters: Some(ConnectionHttpParameters {
                header_parameters: Some(vec![ConnectionHeaderParameter {
                    key: Some("x-more".into()),
                    value: Some("hidden".into()),
                    is_value_secret: Some(true),
                }]),
                ..ConnectionHttpParameters::default()
            }),
            ..CreateConnectionAuthRequestParameters::default()
        },
        ..CreateConnectionRequest::default()
    };
    let made = f.service.create_connection(&f.context, create).await.expect("creates");
    assert_eq!(made.connection_state, Some(ConnectionState::Authorized));
    let row = f.tables.get::<stored::Connection>("123456789012/c").await.expect("reads").expect("is there");
    let text = format!("{row:?}");
    assert!(!text.contains("swordfish") && !text.contains("hidden"), "{text}");
    let describe = DescribeConnectionRequest { name: "c".into() };
    let shown =
        format!("{:?}", f.service.describe_connection(&f.context, describe).await.expect("describes"));
    assert!(shown.contains("x-key") && !shown.contains("swordfish") && !shown.contains("hidden"), "{shown}");
    // A change of the description keeps the secrets.
    let update = UpdateConnectionRequest {
        name: "c".into(),
        description: Some("d".into()),
        ..UpdateConnectionRequest::default()
    };
    f.service.update_connection(&f.context, update).await.expect("updates");
    let row = f.tables.get::<stored::Connection>("123456789012/c").await.expect("reads").expect("is there");
    let opened: Vec<String> =
        f.service.open(&row).expect("opens").iter().map(|text| text.to_string()).collect();
    assert_eq!(opened, ["swordfish", "hidden"]);

    let destination = CreateApiDestinationRequest {
        name: "d".into(),
        connection_arn: made.connection_arn.expect("an ARN"),
        invocation_endpoint: "http://localhost:9/x".into(),
        http_method: ApiDestinationHttpMethod::Post,
        ..CreateApiDestinationRequest::default()
    };
    f.service.create_api_destination(&f.context, destination.clone()).await.expect("creates");
    let bad = CreateApiDestinationRequest {
        name: "e".into(),
        invocation_endpoint: "ftp://x".into(),
        ..destination
    };
    assert_eq!(code(f.service.create_api_destination(&f.context, bad).await).0, "ValidationException");
    let delete = DeleteConnectionRequest { name: "c".into() };
    assert_eq!(code(f.service.delete_connection(&f.context, delete).await).0, "ValidationException");
}

#[tokio::test]
async fn patterns_are_tested_and_tags_kept() {
    let f = fixture();
    let event =
        r#"{"id":"1","account":"1","source":"a","time":"t","region":"r","resources":[],"detail-type":"d"}"#;
    let test = |event: &str| TestEventPatternRequest {
        event_pattern: r#"{"source":["a"]}"#.into(),
        event: event.into(),
    };
    let answer = f.service.test_event_pattern(&f.context, test(event)).await.expect("tests");
    assert_eq!(answer.result, Some(true));
    assert_eq!(code(f.service.test_event_pattern(&f.context, test("{}")).await).0, "ValidationException");
    let arn = "arn:aws:events:us-east-1:123456789012:event-bus/default";
    let tags = vec![Tag { key: "a".into(), value: "1".into() }];
    let tag = TagResourceRequest { resource_arn: arn.into(), tags: tags.clone() };
    f.service.tag_resource(&f.context, tag).await.expect("tags");
    let list = || ListTagsForResourceRequest { resource_arn: arn.into() };
    assert_eq!(f.service.list_tags_for_resource(&f.context, list()).await.expect("lists").tags, Some(tags));
    let untag = UntagResourceRequest { resource_arn: arn.into(), tag_keys: vec!["a".into()] };
    f.service.untag_resource(&f.context, untag).await.expect("untags");
    assert_eq!(f.service.list_tags_for_resource(&f.context, list()).await.expect("lists").tags, Some(vec![]));
}
