//! A region in memory with one simulated machine, and waiting for what shall come.

use access::{Access, Caller};
use agent_gateway::{AgentGateway, GatewayConfig, SESSION_TIME};
use api_ecs::EcsService;
use api_logs::LogsService;
use api_secretsmanager::SecretsManagerService;
use api_server::{ApiServer, Authenticator, Config, HttpHandler, Listener, Response, Running, full};
use audit_log::{AuditLog, Bounds, Query, StoredEvent};
use aws_wire::{Protocol, RequestContext, Service};
use blob_store::BlobStore;
use encryption::KeyRing;
use environment::{Environment, Timestamp};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use identifiers::{AccountId, Region};
use metric_store::Metrics;
use node_agent::{Agent, AgentConfig, Credentials, SimulatedEngine};
use resources::Stored;
use resources::ecr::RegistryHosts;
use resources::ecs::{
    ContainerDefinition, ContainerInstance, DefinitionStatus, DesiredStatus, FARGATE_HOSTS, HealthStatus,
    LogConfiguration, NetworkInterface, Task, TaskContainer, TaskDefinition, TaskOverride, TaskStatus,
};
use resources::iam::{PrincipalPolicies, Role};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use store::{MemoryStore, StoreError, Tables};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use virtual_networks::VirtualNetworks;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

struct Handler(AgentGateway);

#[async_trait::async_trait]
impl HttpHandler for Handler {
    fn serves(&self, path: &str) -> bool {
        AgentGateway::serves(path)
    }

    fn signing_name(&self) -> Option<&'static str> {
        Some("ecs")
    }

    async fn handle(&self, request: http::Request<Incoming>, caller: Option<Caller>) -> Response {
        let response = self.0.serve(request, caller.expect("is authenticated")).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("never fails").to_bytes();
        http::Response::from_parts(parts, full(body))
    }
}

/// A region and its machine.
pub(crate) struct TestRegion {
    pub(crate) tables: Tables,
    pub(crate) engine: SimulatedEngine,
    pub(crate) gateway: AgentGateway,
    audit: AuditLog,
    logs: Arc<dyn Service>,
    secrets: Arc<dyn Service>,
    account: AccountId,
    dir: tempfile::TempDir,
    credentials: Credentials,
    server: Option<Running>,
    endpoint: String,
    agent: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl TestRegion {
    /// A region whose agent is not started.
    pub(crate) async fn new(session_time: Duration) -> Self {
        let environment = Environment::real();
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
        let keys = KeyRing::in_memory(environment.clone());
        let access = Access::new(tables.clone(), keys.clone());
        let account: AccountId = "123456789012".parse().expect("an account");
        let region: Region = "us-east-1".parse().expect("a region");
        let made = access.create_key(&access::host(&account)).await.expect("creates");
        let credentials = Credentials {
            access_key_id: made.key.access_key_id,
            // The agent signs with it.
            secret_access_key: made.secret.expose().to_owned(),
        };
        let dir = tempfile::tempdir().expect("makes");
        let blobs = BlobStore::local(&dir.path().join("blobs"), environment.clone()).expect("opens");
        let metrics = Metrics::open(blobs.clone(), environment.clone()).await.expect("opens");
        let logs = LogsService::open(tables.clone(), blobs.clone(), metrics).await.expect("opens");
        let logs: Arc<dyn Service> = Arc::new(api_logs::shapes::Server(logs));
        let secrets = SecretsManagerService::new(tables.clone(), keys);
        let secrets: Arc<dyn Service> = Arc::new(api_secretsmanager::shapes::Server(secrets));
        let audit = AuditLog::open(blobs, environment.clone(), Bounds::default()).await.expect("opens");
        let config = GatewayConfig {
            region: region.clone(),
            registry: RegistryHosts::default(),
            session_time,
            audit: Some(audit.clone()),
        };
        let gateway = AgentGateway::new(tables.clone(), access.clone(), config);
        let networks = VirtualNetworks::new(tables.clone(), "10.88.0.0/16".parse().expect("a range"));
        let ecs = EcsService::new(tables.clone(), RegistryHosts::default(), access.clone(), networks);
        let server = ApiServer::new(Config {
            region: region.clone(),
            environment: environment.clone(),
            authenticator: Authenticator::new(access, region, environment.clone()),
            audit: None,
            services: vec![Arc::new(api_ecs::shapes::Server(ecs)), logs.clone(), secrets.clone()],
            handlers: vec![Arc::new(Handler(gateway.clone()))],
        });
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).await.expect("binds");
        let endpoint = format!("http://{}", listener.address());
        Self {
            engine: SimulatedEngine::new(environment),
            tables,
            gateway,
            audit,
            logs,
            secrets,
            account,
            dir,
            credentials,
            server: Some(listener.serve(server)),
            endpoint,
            agent: None,
        }
    }

    /// A region with its agent connected.
    pub(crate) async fn with_agent() -> Self {
        Self::with_session_time(SESSION_TIME).await
    }

    /// The same, with sessions of roles that last so long.
    pub(crate) async fn with_session_time(session_time: Duration) -> Self {
        let mut region = Self::new(session_time).await;
        region.start_agent();
        region.instance().await;
        region
    }

    pub(crate) fn start_agent(&mut self) {
        let config = AgentConfig {
            endpoint: self.endpoint.clone(),
            region: "us-east-1".to_owned(),
            credentials: self.credentials.clone(),
            cluster: FARGATE_HOSTS.to_owned(),
            data_dir: self.dir.path().join("agent"),
            cpu: 2048,
            memory: 4096,
            attributes: vec![],
        };
        let agent = Agent::new(config, Arc::new(self.engine.clone()), Environment::real());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            agent.run(async { stopped.await.unwrap_or_default() }).await.expect("runs");
        });
        self.agent = Some((stop, task));
    }

    /// Ends the agent as SIGKILL would: nothing of it gets to do anything any more.
    pub(crate) async fn kill_agent(&mut self) {
        let (_stop, task) = self.agent.take().expect("an agent runs");
        task.abort();
        assert!(task.await.expect_err("is aborted").is_cancelled());
    }

    pub(crate) async fn stop_agent(&mut self) {
        let (stop, task) = self.agent.take().expect("an agent runs");
        stop.send(()).expect("is listening");
        task.await.expect("ends well");
    }

    /// The one container instance, once it is connected.
    pub(crate) async fn instance(&self) -> String {
        self.wait_for("a connected agent", async || {
            let all = self.tables.list_all::<ContainerInstance>("").await.expect("lists");
            all.iter().find(|instance| instance.takes_tasks()).map(|instance| instance.key())
        })
        .await
    }

    pub(crate) async fn wait_for<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Environment::real().now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(Environment::real().now() < deadline, "waited too long for {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Places a task of these containers on the machine, as the task controller would.
    pub(crate) async fn place(&self, containers: Vec<ContainerDefinition>) -> String {
        self.place_with(containers, None, None).await
    }

    /// The same with an execution role that may write logs.
    pub(crate) async fn place_logged(&self, containers: Vec<ContainerDefinition>) -> String {
        let key = format!("{}/logging", self.account);
        if self.tables.get::<Role>(&key).await.expect("reads").is_none() {
            let actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
            self.make_role("logging", "ecs-tasks.amazonaws.com", &actions).await;
        }
        self.place_with(containers, None, Some("logging")).await
    }

    /// The same with a role for its containers and one for the agent.
    pub(crate) async fn place_with(
        &self,
        containers: Vec<ContainerDefinition>,
        task_role: Option<&str>,
        execution_role: Option<&str>,
    ) -> String {
        let now = Environment::real().now();
        let id = Environment::real().random_hex(32);
        let states = containers.iter().map(state).collect();
        let definition = TaskDefinition {
            account: self.account.clone(),
            family: format!("f-{id}"),
            revision: 1,
            status: DefinitionStatus::Active,
            network_mode: "awsvpc".to_owned(),
            requires_compatibilities: vec!["FARGATE".to_owned()],
            cpu: 256,
            memory: 512,
            task_role_arn: task_role.map(str::to_owned),
            execution_role_arn: execution_role.map(str::to_owned),
            containers,
            volumes: vec!["shared".to_owned()],
            volume_kinds: std::collections::BTreeMap::new(),
            pid_mode: None,
            fault_injection: false,
            ephemeral_storage: None,
            runtime_platform: None,
            tags: vec![],
            registered_at: now,
            registered_by: "test".to_owned(),
            deregistered_at: None,
        };
        let task = Task {
            account: self.account.clone(),
            cluster: "default".to_owned(),
            id,
            family: definition.family.clone(),
            revision: 1,
            desired_status: DesiredStatus::Running,
            last_status: TaskStatus::Pending,
            containers: states,
            overrides: TaskOverride::default(),
            cpu: 256,
            memory: 512,
            ephemeral_storage: 20,
            volumes: vec![],
            subnets: vec![],
            security_groups: vec![],
            network_interface: Some(NetworkInterface {
                id: "eni-0".to_owned(),
                attachment_id: "a".to_owned(),
                mac: "0a:58:0a:58:00:07".to_owned(),
                address: Ipv4Addr::new(10, 88, 0, 7),
                gateway: Ipv4Addr::new(10, 88, 0, 1),
                prefix: 16,
                name_server: None,
                subnet_id: "subnet-0".to_owned(),
                zone: "a".to_owned(),
            }),
            container_instance: Some(self.instance().await),
            lack: None,
            group: "family:f".to_owned(),
            credentials_id: Environment::real().uuid(),
            started_by: None,
            service: None,
            capacity_provider: None,
            protected_until: None,
            targets: vec![],
            registries: vec![],
            connect: None,
            execute_command: false,
            tags: vec![],
            version: 1,
            created_at: now,
            connectivity_at: None,
            pull_started_at: None,
            pull_stopped_at: None,
            started_at: None,
            stopping_at: None,
            execution_stopped_at: None,
            stopped_at: None,
            stop_code: None,
            stopped_reason: None,
        };
        let key = task.key();
        self.tables.create(definition).await.expect("creates");
        self.tables.create(task).await.expect("creates");
        key
    }

    pub(crate) async fn task(&self, key: &str) -> Task {
        (*self.tables.get::<Task>(key).await.expect("reads").expect("is there").value).clone()
    }

    pub(crate) async fn wait_for_status(&self, key: &str, status: TaskStatus) -> Task {
        self.wait_for(status.as_str(), async || {
            Some(self.task(key).await).filter(|t| t.last_status == status)
        })
        .await
    }

    /// StopTask.
    pub(crate) async fn want_stop(&self, key: &str) {
        let now = Environment::real().now();
        let change = |old: &Task| {
            let mut new = old.clone();
            new.want_stop(resources::ecs::StopCode::UserInitiated, "enough", now);
            Ok::<_, StoreError>(Some(new))
        };
        self.tables.update(key, change).await.expect("updates");
    }

    /// Every message in a container's log stream.
    pub(crate) async fn messages(&self, group: &str, stream: &str) -> Vec<String> {
        let input =
            serde_json::json!({"logGroupName": group, "logStreamName": stream, "startFromHead": true});
        let answer = self.call(&self.logs, "GetLogEvents", input).await;
        let Some(value) = answer else { return Vec::new() };
        let events = value["events"].as_array().expect("has events").iter();
        events.map(|event| event["message"].as_str().expect("has a message").to_owned()).collect()
    }

    /// CreateSecret; answers its ARN.
    pub(crate) async fn make_secret(&self, name: &str, value: &str) -> String {
        let token = Environment::real().uuid();
        let input = serde_json::json!({"Name": name, "SecretString": value, "ClientRequestToken": token});
        let answer = self.call(&self.secrets, "CreateSecret", input).await.expect("creates");
        answer["ARN"].as_str().expect("has one").to_owned()
    }

    /// Calls an operation as the root of the account; `None` when it is refused.
    async fn call(
        &self,
        service: &Arc<dyn Service>,
        name: &str,
        input: serde_json::Value,
    ) -> Option<serde_json::Value> {
        let definition = service.definition();
        let operation = definition.operations.iter().find(|o| o.name == name).expect("is built");
        let node = Protocol::Json.read(operation, input.to_string().as_bytes()).expect("reads");
        let context = RequestContext {
            account: self.account.clone(),
            region: "us-east-1".parse().expect("a region"),
            principal_arn: "arn".into(),
            principal_id: "id".into(),
            request_id: "r".into(),
            source_ip: Ipv4Addr::LOCALHOST.into(),
            host: "localhost".into(),
            time: Environment::real().now(),
            extensions: aws_wire::Extensions::new(),
        };
        let answer = service.call(operation, &context, node).await.ok()?;
        let body = Protocol::Json.write(definition, operation, &*answer, "r").body;
        Some(serde_json::from_slice(&body).expect("is JSON"))
    }

    /// Makes a role that trusts a service and has one policy.
    pub(crate) async fn make_role(&self, name: &str, trusted: &str, actions: &[&str]) -> String {
        let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": "*"}]});
        let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}]});
        let mut policies = PrincipalPolicies::default();
        if !actions.is_empty() {
            policies.inline.insert("p".to_owned(), policy.to_string());
        }
        let role = Role {
            account: self.account.clone(),
            name: name.to_owned(),
            path: "/".to_owned(),
            id: format!("AROA{}", name.to_uppercase()),
            description: None,
            trust_policy: trust.to_string(),
            max_session_seconds: 3600,
            policies,
            boundary: None,
            instance_profiles: vec![],
            linked_service: None,
            tags: vec![],
            created_at: Environment::real().now(),
        };
        self.tables.create(role).await.expect("creates");
        format!("arn:aws:iam::{}:role/{name}", self.account)
    }

    /// What is on record under a name, newest first.
    pub(crate) async fn records(&self, name: &str) -> Vec<StoredEvent> {
        let query = Query {
            account: self.account.to_string(),
            matching: Some(audit_log::Matching::Text(audit_log::Attribute::EventName, name.to_owned())),
            from: Timestamp::from_seconds(0),
            until: Timestamp::from_seconds(i64::from(u32::MAX)),
            before: None,
            limit: 50,
        };
        self.audit.search(&query).await.expect("searches").events
    }

    /// The agent's own files.
    pub(crate) fn agent_files(&self) -> std::path::PathBuf {
        self.dir.path().join("agent")
    }

    pub(crate) async fn end(mut self) {
        if self.agent.is_some() {
            self.stop_agent().await;
        }
        self.gateway.stop().await;
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        self.audit.close().await;
    }
}

/// The last part of a task's key, which names its sandbox.
pub(crate) fn sandbox(key: &str) -> &str {
    key.rsplit('/').next().expect("has parts")
}

/// An essential container.
pub(crate) fn container(name: &str) -> ContainerDefinition {
    ContainerDefinition {
        name: name.to_owned(),
        image: format!("registry.example/{name}:1"),
        essential: true,
        ..ContainerDefinition::default()
    }
}

/// An essential container whose output goes to a log group that is made for it.
pub(crate) fn logged(name: &str) -> ContainerDefinition {
    let options = [
        ("awslogs-group", "/test"),
        ("awslogs-region", "us-east-1"),
        ("awslogs-stream-prefix", "p"),
        ("awslogs-create-group", "true"),
    ];
    let options: BTreeMap<String, String> =
        options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    ContainerDefinition {
        log_configuration: Some(LogConfiguration {
            driver: "awslogs".to_owned(),
            options,
            secret_options: vec![],
        }),
        ..container(name)
    }
}

fn state(container: &ContainerDefinition) -> TaskContainer {
    TaskContainer {
        name: container.name.clone(),
        id: Environment::real().uuid(),
        image: container.image.clone(),
        last_status: "PENDING".to_owned(),
        image_digest: None,
        pinned_digest: None,
        runtime_id: None,
        exit_code: None,
        reason: None,
        health: HealthStatus::Unknown,
        essential: container.essential,
        cpu: 0,
        memory: None,
        exec_agent: None,
        memory_reservation: None,
    }
}
