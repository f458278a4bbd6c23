//! The service over a store in memory.

use super::*;
use aws_wire::{Node, RequestContext, ServiceError};
use environment::{Environment, Timestamp};
use resources::ec2::Vpc;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use store::MemoryStore;

fn context() -> RequestContext {
    RequestContext {
        account: "123456789012".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        principal_arn: "arn:aws:iam::123456789012:root".into(),
        principal_id: "123456789012".into(),
        request_id: "request".into(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: "localhost:4566".into(),
        time: Timestamp::from_seconds(1_700_000_000),
        extensions: aws_wire::Extensions::new(),
    }
}

struct Fixture {
    api: ServiceDiscoveryService,
    context: RequestContext,
}

fn refusal<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> (&'static str, String) {
    let error = result.expect_err("refused");
    (error.shape.name, error.message.into_owned())
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn record(r#type: RecordType) -> DnsRecord {
    DnsRecord { r#type, ttl: 10 }
}

fn private(name: &str) -> CreatePrivateDnsNamespaceRequest {
    CreatePrivateDnsNamespaceRequest { name: name.into(), vpc: "vpc-1".into(), ..Default::default() }
}

impl Fixture {
    /// With a VPC.
    async fn new() -> Self {
        let environment = Environment::real();
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
        let vpc = Vpc {
            account: context().account,
            id: "vpc-1".to_owned(),
            cidr: "10.88.0.0/16".parse().expect("a range"),
            is_default: true,
            default_group: "sg-1".to_owned(),
            route_table: "rtb-1".to_owned(),
            internet_gateway: None,
            dns_support: true,
            dns_hostnames: true,
            address_metrics: false,
            closing: false,
            created_at: context().time,
        };
        tables.create(vpc).await.expect("creates");
        Self { api: ServiceDiscoveryService::new(tables), context: context() }
    }

    /// The id of what an operation was about.
    async fn target(&self, operation: Option<String>, kind: &str) -> String {
        let input = GetOperationRequest { operation_id: operation.expect("an id"), owner_account: None };
        let shown = self.api.get_operation(&self.context, input).await.expect("gets");
        let shown = shown.operation.expect("an operation");
        assert_eq!(shown.status, Some(OperationStatus::Success));
        shown.targets.expect("targets")[kind].clone()
    }

    async fn http(&self, name: &str) -> String {
        let input = CreateHttpNamespaceRequest { name: name.into(), ..Default::default() };
        let made = self.api.create_http_namespace(&self.context, input).await.expect("creates");
        self.target(made.operation_id, "NAMESPACE").await
    }

    async fn private(&self, name: &str) -> String {
        let made = self.api.create_private_dns_namespace(&self.context, private(name)).await;
        self.target(made.expect("creates").operation_id, "NAMESPACE").await
    }

    async fn create(&self, input: CreateServiceRequest) -> Result<Service, ServiceError> {
        Ok(self.api.create_service(&self.context, input).await?.service.expect("a service"))
    }

    async fn service(&self, namespace: &str, name: &str, records: &[RecordType], custom: bool) -> String {
        let records: Vec<DnsRecord> = records.iter().copied().map(record).collect();
        let dns = DnsConfig { dns_records: records.clone(), ..Default::default() };
        let input = CreateServiceRequest {
            name: name.into(),
            namespace_id: Some(namespace.into()),
            dns_config: (!records.is_empty()).then_some(dns),
            health_check_custom_config: custom.then(HealthCheckCustomConfig::default),
            ..Default::default()
        };
        self.create(input).await.expect("creates").id.expect("an id")
    }

    async fn register(
        &self,
        service: &str,
        id: &str,
        attributes: &[(&str, &str)],
    ) -> Result<RegisterInstanceResponse, ServiceError> {
        let input = RegisterInstanceRequest {
            service_id: service.into(),
            instance_id: id.into(),
            attributes: texts(attributes),
            creator_request_id: None,
        };
        self.api.register_instance(&self.context, input).await
    }

    async fn deregister(&self, service: &str, id: &str) -> Result<DeregisterInstanceResponse, ServiceError> {
        let input = DeregisterInstanceRequest { service_id: service.into(), instance_id: id.into() };
        self.api.deregister_instance(&self.context, input).await
    }

    async fn set_health(&self, service: &str, id: &str, healthy: bool) -> Result<(), ServiceError> {
        let status = if healthy { CustomHealthStatus::Healthy } else { CustomHealthStatus::Unhealthy };
        let input = UpdateInstanceCustomHealthStatusRequest {
            service_id: service.into(),
            instance_id: id.into(),
            status,
        };
        self.api.update_instance_custom_health_status(&self.context, input).await
    }

    /// Ids that are found, and the revision.
    async fn discover(&self, input: DiscoverInstancesRequest) -> (BTreeSet<String>, i64) {
        let found = self.api.discover_instances(&self.context, input).await.expect("discovers");
        let ids = found.instances.expect("instances").into_iter().map(|one| one.instance_id.expect("an id"));
        (ids.collect(), found.instances_revision.expect("a revision"))
    }

    async fn delete_service(&self, id: &str) -> Result<DeleteServiceResponse, ServiceError> {
        self.api.delete_service(&self.context, DeleteServiceRequest { id: id.into() }).await
    }

    async fn delete_namespace(&self, id: &str) -> Result<DeleteNamespaceResponse, ServiceError> {
        self.api.delete_namespace(&self.context, DeleteNamespaceRequest { id: id.into() }).await
    }
}

fn ids(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn namespaces_are_made_once_and_deleted_when_empty() {
    let f = Fixture::new().await;
    let input = CreatePrivateDnsNamespaceRequest {
        creator_request_id: Some("token".into()),
        tags: Some(vec![Tag { key: "team".into(), value: "blue".into() }]),
        ..private("corp.local")
    };
    let first = f.api.create_private_dns_namespace(&f.context, input.clone()).await.expect("creates");
    assert_eq!(f.api.create_private_dns_namespace(&f.context, input).await.expect("answers again"), first);
    let id = f.target(first.operation_id, "NAMESPACE").await;
    let other = f.api.create_private_dns_namespace(&f.context, private("Corp.local")).await;
    let error = other.expect_err("refused");
    assert_eq!(error.shape.name, "NamespaceAlreadyExists");
    assert!(error.members.contains(&("NamespaceId", Node::Text(id.clone()))), "{:?}", error.members);
    let get = |id: &str| f.api.get_namespace(&f.context, GetNamespaceRequest { id: id.into() });
    let shown = get(&id).await;
    let shown = shown.expect("gets").namespace.expect("a namespace");
    assert_eq!((shown.r#type, shown.service_count), (Some(NamespaceType::DnsPrivate), Some(0)));
    let arn = shown.arn.clone().expect("an ARN");
    assert_eq!(arn, format!("arn:aws:servicediscovery:us-east-1:123456789012:namespace/{id}"));
    assert!(get(&arn).await.is_ok());
    let dns = shown.properties.expect("properties").dns_properties.expect("DNS");
    assert_eq!(dns.soa.expect("an SOA").ttl, 15);
    assert!(dns.hosted_zone_id.expect("a zone").starts_with('Z'));

    let service = f.service(&arn, "worker", &[RecordType::A], false).await;
    assert_eq!(refusal(f.delete_namespace(&id).await).0, "ResourceInUse");
    f.delete_service(&service).await.expect("deletes");
    f.delete_namespace(&id).await.expect("deletes");
    assert_eq!(refusal(f.delete_namespace(&id).await).0, "NamespaceNotFound");
    f.private("corp.local").await;

    let public = CreatePublicDnsNamespaceRequest { name: "example.com".into(), ..Default::default() };
    assert_eq!(refusal(f.api.create_public_dns_namespace(&f.context, public).await).0, "InvalidInput");
    for name in ["a..b", "-", ".a", "a b"] {
        let made = f.api.create_private_dns_namespace(&f.context, private(name)).await;
        assert_eq!(made.is_ok(), name == "-", "{name}");
    }
    for vpc in ["x", "vpc-2", "../vpc-1"] {
        let elsewhere = CreatePrivateDnsNamespaceRequest { vpc: vpc.into(), ..private("x.local") };
        let made = f.api.create_private_dns_namespace(&f.context, elsewhere).await;
        assert_eq!(refusal(made).0, "InvalidInput", "{vpc}");
    }
}

#[tokio::test]
async fn namespaces_and_operations_are_listed_by_filters_and_pages() {
    use NamespaceFilterName::{Name, ResourceOwner, Type};
    let f = Fixture::new().await;
    for name in ["a.local", "b.local"] {
        f.private(name).await;
    }
    f.http("web").await;
    let list = async |filters: Vec<(NamespaceFilterName, Option<FilterCondition>, Vec<&str>)>| {
        let filter = |(name, condition, values): (_, _, Vec<&str>)| NamespaceFilter {
            name,
            condition,
            values: values.into_iter().map(str::to_owned).collect(),
        };
        let filters = Some(filters.into_iter().map(filter).collect());
        let input = ListNamespacesRequest { filters, ..Default::default() };
        let listed = f.api.list_namespaces(&f.context, input).await?;
        let names = listed.namespaces.expect("a list").into_iter().map(|one| one.name.expect("a name"));
        Ok::<_, ServiceError>(names.collect::<Vec<_>>())
    };
    assert_eq!(list(vec![]).await.expect("lists"), ["a.local", "b.local", "web"]);
    assert_eq!(list(vec![(Type, None, vec!["HTTP"])]).await.expect("lists"), ["web"]);
    let begins = Some(FilterCondition::BeginsWith);
    assert_eq!(list(vec![(Name, begins, vec!["b"])]).await.expect("lists"), ["b.local"]);
    let others = vec![(ResourceOwner, None, vec!["OTHER_ACCOUNTS"])];
    assert!(list(others).await.expect("lists").is_empty());
    assert_eq!(refusal(list(vec![(Type, begins, vec!["H"])]).await).0, "InvalidInput");

    let mut token = None;
    let mut seen = 0;
    loop {
        let input = ListOperationsRequest { max_results: Some(2), next_token: token, filters: None };
        let page = f.api.list_operations(&f.context, input).await.expect("lists");
        seen += page.operations.expect("a list").len();
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, 3);
    let foreign = ListNamespacesRequest { next_token: Some("eA".into()), ..Default::default() };
    assert_eq!(refusal(f.api.list_namespaces(&f.context, foreign).await).0, "InvalidInput");
}

#[tokio::test]
async fn services_are_validated_and_named_once() {
    use RecordType::{A, Cname, Srv};
    let f = Fixture::new().await;
    let (http, dns) = (f.http("web").await, f.private("corp.local").await);
    let request = |namespace: &str, name: &str| CreateServiceRequest {
        name: name.into(),
        namespace_id: Some(namespace.into()),
        ..Default::default()
    };
    let with = |records: Vec<RecordType>| {
        let dns_records = records.into_iter().map(record).collect();
        Some(DnsConfig { dns_records, ..Default::default() })
    };
    let refused = async |input: CreateServiceRequest| refusal(f.create(input).await).0;
    let first = CreateServiceRequest { creator_request_id: Some("t".into()), ..request(&dns, "Worker") };
    let made = f.create(first.clone()).await.expect("creates");
    assert_eq!(f.create(first).await.expect("answers again").id, made.id);
    assert_eq!(refused(request(&dns, "worker")).await, "ServiceAlreadyExists");
    f.create(request(&http, "a")).await.expect("creates");
    f.create(request(&http, "A")).await.expect("names without DNS differ by case");
    assert_eq!(refused(request("ns-none", "a")).await, "NamespaceNotFound");
    assert_eq!(
        refused(CreateServiceRequest { name: "a".into(), ..Default::default() }).await,
        "InvalidInput"
    );
    for name in ["", "-a", "a..b", "a b", &"x".repeat(64)] {
        assert_eq!(refused(request(&dns, name)).await, "InvalidInput", "{name}");
    }
    for name in ["_http._tcp", "a.b", "."] {
        f.create(request(&dns, name)).await.expect("creates");
    }
    let in_http = CreateServiceRequest { dns_config: with(vec![A]), ..request(&http, "x") };
    assert_eq!(refused(in_http).await, "InvalidInput");
    for records in [vec![], vec![A, A], vec![Cname]] {
        let input = CreateServiceRequest { dns_config: with(records), ..request(&dns, "x") };
        assert_eq!(refused(input).await, "InvalidInput");
    }
    let checked = CreateServiceRequest {
        health_check_config: Some(HealthCheckConfig::default()),
        ..request(&http, "x")
    };
    assert_eq!(refused(checked).await, "InvalidInput");

    // Records that are left out of a change are deleted; types cannot be added.
    let id = f.service(&dns, "srv", &[A, Srv], true).await;
    let update = async |records: Option<DnsConfigChange>| {
        let service = ServiceChange { dns_config: records, ..Default::default() };
        f.api.update_service(&f.context, UpdateServiceRequest { id: id.clone(), service }).await
    };
    let change = |records: Vec<DnsRecord>| Some(DnsConfigChange { dns_records: records });
    let done = update(change(vec![DnsRecord { r#type: A, ttl: 60 }])).await.expect("updates");
    assert_eq!(f.target(done.operation_id, "SERVICE").await, id);
    assert_eq!(refusal(update(change(vec![record(Srv)])).await).0, "InvalidInput");
    let get = GetServiceRequest { id: id.clone() };
    let shown = f.api.get_service(&f.context, get).await.expect("gets").service.expect("a service");
    assert_eq!(shown.dns_config.expect("DNS").dns_records, [DnsRecord { r#type: A, ttl: 60 }]);
    assert!(shown.health_check_custom_config.is_some() && shown.r#type == Some(ServiceType::DnsHttp));
    let filter =
        ServiceFilter { name: ServiceFilterName::NamespaceId, values: vec![http.clone()], condition: None };
    let input = ListServicesRequest { filters: Some(vec![filter]), ..Default::default() };
    let listed = f.api.list_services(&f.context, input).await.expect("lists").services.expect("a list");
    assert_eq!(listed.len(), 2);
}

#[tokio::test]
async fn instances_have_what_their_records_need() {
    const IP: (&str, &str) = ("AWS_INSTANCE_IPV4", "10.0.0.1");
    const PORT: (&str, &str) = ("AWS_INSTANCE_PORT", "80");
    let f = Fixture::new().await;
    let namespace = f.private("corp.local").await;
    let service = f.service(&namespace, "worker", &[RecordType::A, RecordType::Srv], false).await;
    for attributes in [
        vec![],
        vec![IP],
        vec![PORT],
        vec![PORT, ("AWS_INSTANCE_IPV4", "10.0.0")],
        vec![IP, ("AWS_INSTANCE_PORT", "70000")],
        vec![IP, PORT, ("AWS_INIT_HEALTH_STATUS", "HEALTHY")],
        vec![IP, PORT, ("AWS_ALIAS_DNS_NAME", "x")],
        vec![IP, PORT, ("AWS_EC2_INSTANCE_ID", "i-1")],
    ] {
        assert_eq!(
            refusal(f.register(&service, "one", &attributes).await).0,
            "InvalidInput",
            "{attributes:?}"
        );
    }
    assert_eq!(refusal(f.register(&service, "a/b", &[IP, PORT]).await).0, "InvalidInput");
    assert_eq!(refusal(f.register("srv-none", "one", &[IP, PORT]).await).0, "ServiceNotFound");
    let done = f.register(&service, "one", &[IP, PORT]).await.expect("registers");
    assert_eq!(f.target(done.operation_id, "INSTANCE").await, "one");
    f.register(&service, "one", &[IP, PORT, ("more", "x")]).await.expect("replaces");
    let get = |id: &str| GetInstanceRequest { service_id: service.clone(), instance_id: id.into() };
    let shown = f.api.get_instance(&f.context, get("one")).await.expect("gets").instance.expect("one");
    assert_eq!(shown.attributes.expect("attributes").len(), 3);
    assert_eq!(refusal(f.api.get_instance(&f.context, get("two")).await).0, "InstanceNotFound");
    let (code, message) = refusal(f.delete_service(&service).await);
    assert_eq!(code, "ResourceInUse");
    assert!(message.contains("registered instances"), "{message}");
    f.deregister(&service, "one").await.expect("deregisters");
    assert_eq!(refusal(f.deregister(&service, "one").await).0, "InstanceNotFound");
    assert_eq!(refusal(f.set_health(&service, "one", true).await).0, "InstanceNotFound");
    f.register(&service, "one", &[IP, PORT]).await.expect("registers");
    assert_eq!(refusal(f.set_health(&service, "one", true).await).0, "CustomHealthNotFound");
    f.deregister(&service, "one").await.expect("deregisters");
    f.delete_service(&service).await.expect("deletes");
}

#[tokio::test]
async fn discovery_looks_at_health_and_attributes() {
    let f = Fixture::new().await;
    let namespace = f.http("web").await;
    let service = f.service(&namespace, "worker", &[], true).await;
    let of = || DiscoverInstancesRequest {
        namespace_name: "web".into(),
        service_name: "worker".into(),
        ..Default::default()
    };
    assert_eq!(f.discover(of()).await, (ids(&[]), 0));
    f.register(&service, "a", &[("color", "red"), ("size", "1")]).await.expect("registers");
    f.register(&service, "b", &[("color", "red")]).await.expect("registers");
    f.register(&service, "c", &[("AWS_INIT_HEALTH_STATUS", "UNHEALTHY")]).await.expect("registers");
    let (found, revision) = f.discover(of()).await;
    assert_eq!(found, ids(&["a", "b"]), "the healthy ones");
    let query = |pairs: &[(&str, &str)], optional: &[(&str, &str)]| DiscoverInstancesRequest {
        query_parameters: Some(texts(pairs)),
        optional_parameters: Some(texts(optional)),
        ..of()
    };
    assert_eq!(f.discover(query(&[("color", "red")], &[("size", "1")])).await.0, ids(&["a"]));
    assert_eq!(f.discover(query(&[("color", "red")], &[("size", "2")])).await.0, ids(&["a", "b"]));
    assert_eq!(f.discover(query(&[("color", "blue")], &[])).await.0, ids(&[]));
    let health = |status| DiscoverInstancesRequest { health_status: Some(status), ..of() };
    assert_eq!(f.discover(health(HealthStatusFilter::Unhealthy)).await.0, ids(&["c"]));
    assert_eq!(f.discover(health(HealthStatusFilter::All)).await.0.len(), 3);
    let one = DiscoverInstancesRequest { max_results: Some(1), ..of() };
    assert_eq!(f.discover(one).await.0.len(), 1);
    for id in ["a", "b"] {
        f.set_health(&service, id, false).await.expect("sets");
    }
    assert_eq!(
        f.discover(of()).await,
        (ids(&["a", "b", "c"]), revision),
        "none is healthy: all; same revision"
    );
    assert_eq!(f.discover(health(HealthStatusFilter::Healthy)).await.0, ids(&[]));
    let input = GetInstancesHealthStatusRequest {
        service_id: service.clone(),
        instances: None,
        ..Default::default()
    };
    let status = f.api.get_instances_health_status(&f.context, input).await.expect("gets");
    let status = status.status.expect("a map");
    assert!(status.len() == 3 && status.values().all(|status| *status == HealthStatus::Unhealthy));
    f.deregister(&service, "a").await.expect("deregisters");
    let names = DiscoverInstancesRevisionRequest {
        namespace_name: "web".into(),
        service_name: "worker".into(),
        owner_account: None,
    };
    let now = f.api.discover_instances_revision(&f.context, names.clone()).await.expect("tells");
    assert!(now.instances_revision > Some(revision));
    let wrong = DiscoverInstancesRevisionRequest { service_name: "x".into(), ..names.clone() };
    assert_eq!(refusal(f.api.discover_instances_revision(&f.context, wrong).await).0, "ServiceNotFound");
    let wrong = DiscoverInstancesRevisionRequest { owner_account: Some("999999999999".into()), ..names };
    assert_eq!(refusal(f.api.discover_instances_revision(&f.context, wrong).await).0, "NamespaceNotFound");
}

#[tokio::test]
async fn resources_have_tags_and_services_attributes() {
    let f = Fixture::new().await;
    let namespace = f.http("web").await;
    let service = f.service(&namespace, "worker", &[], false).await;
    let arn = |kind: &str, id: &str| format!("arn:aws:servicediscovery:us-east-1:123456789012:{kind}/{id}");
    for arn in [arn("namespace", &namespace), arn("service", &service)] {
        let tag = |key: &str| Tag { key: key.into(), value: "v".into() };
        let tags = TagResourceRequest { resource_arn: arn.clone(), tags: vec![tag("a"), tag("b")] };
        f.api.tag_resource(&f.context, tags).await.expect("tags");
        let many = (0..51).map(|at| tag(&format!("k{at}"))).collect();
        let many = TagResourceRequest { resource_arn: arn.clone(), tags: many };
        assert_eq!(refusal(f.api.tag_resource(&f.context, many).await).0, "TooManyTagsException");
        let keys = UntagResourceRequest { resource_arn: arn.clone(), tag_keys: vec!["a".into()] };
        f.api.untag_resource(&f.context, keys).await.expect("untags");
        let list = ListTagsForResourceRequest { resource_arn: arn };
        let shown = f.api.list_tags_for_resource(&f.context, list).await.expect("lists");
        assert_eq!(shown.tags, Some(vec![tag("b")]));
    }
    let list = ListTagsForResourceRequest { resource_arn: arn("service", "srv-none") };
    let missing = f.api.list_tags_for_resource(&f.context, list).await;
    assert_eq!(refusal(missing).0, "ResourceNotFoundException");

    let update = |count: usize| UpdateServiceAttributesRequest {
        service_id: service.clone(),
        attributes: (0..count).map(|at| (format!("k{at}"), "v".to_owned())).collect(),
    };
    f.api.update_service_attributes(&f.context, update(2)).await.expect("updates");
    let many = f.api.update_service_attributes(&f.context, update(31)).await;
    assert_eq!(refusal(many).0, "ServiceAttributesLimitExceededException");
    let delete =
        DeleteServiceAttributesRequest { service_id: service.clone(), attributes: vec!["k0".into()] };
    f.api.delete_service_attributes(&f.context, delete).await.expect("deletes");
    let get = GetServiceAttributesRequest { service_id: service.clone() };
    let shown = f.api.get_service_attributes(&f.context, get).await.expect("gets");
    let shown = shown.service_attributes.expect("attributes").attributes.expect("a map");
    assert_eq!(shown, texts(&[("k1", "v")]));
}

/// A service is not deleted while instances are registered, nor a namespace while services are made.
#[tokio::test]
async fn what_races_with_a_deletion_is_refused_or_refuses_it() {
    let f = Fixture::new().await;
    for _ in 0..20 {
        let namespace = f.http("web").await;
        let service = f.service(&namespace, "worker", &[], false).await;
        let (registered, deleted) =
            tokio::join!(f.register(&service, "a", &[("x", "y")]), f.delete_service(&service));
        assert!(registered.is_ok() != deleted.is_ok());
        if registered.is_ok() {
            f.deregister(&service, "a").await.expect("deregisters");
            f.delete_service(&service).await.expect("deletes");
        }
        let input = CreateServiceRequest {
            name: "late".into(),
            namespace_id: Some(namespace.clone()),
            ..Default::default()
        };
        let (made, deleted) = tokio::join!(f.create(input), f.delete_namespace(&namespace));
        assert!(made.is_ok() != deleted.is_ok());
        if let Ok(made) = made {
            f.delete_service(&made.id.expect("an id")).await.expect("deletes");
            f.delete_namespace(&namespace).await.expect("deletes");
        }
    }
}
