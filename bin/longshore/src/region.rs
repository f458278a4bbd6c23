//! A region in this process: everything wired together, started in order and stopped in reverse.

pub(crate) mod accounts;
mod event_targets;
mod express;
mod filter;
mod handlers;
pub(crate) mod host;
pub(crate) mod hosts;
mod keys;
mod load_balancers;
pub(crate) mod name_server;
mod other_regions;
mod ranges;
mod records;
pub(crate) mod registry;
mod reset;
mod service_connect;
mod service_hooks;
pub(crate) mod spot;
mod storage;
mod template_roles;

use crate::client::Client;
use crate::data_dir::{AccessKeyFile, DataDir, EndpointFile, VULNERABILITIES};
use crate::hosts_file::{self, HostsFile};
use crate::settings::{AuthMode, Settings};
use access::{Access, Caller};
use accounts::AccountsHandler;
use agent_gateway::{AgentGateway, GatewayConfig, SessionGateway};
use anyhow::{Context, Result, bail};
use api_server::{ApiServer, Authenticator, Config, HttpHandler, Listener, Running};
use aws_wire::Service;
use blob_store::BlobStore;
use controllers::load_balancer::DataPlane;
use encryption::KeyRing;
use environment::Environment;
use event_outbox::Outbox;
use event_targets::RegionTargets;
use express::RegionInfrastructure;
use handlers::{AgentHandler, RegistryHandler, SessionHandler};
use host::{Host, HostPlan, Sandboxes};
use hosts::HostsHandler;
use image_registry::ImageRegistry;
use load_balancers::HostDataPlane;
use metric_store::Metrics;
use oci_registry::{OwnRegistry, Registry, RegistryConfig, Upstreams};
use other_regions::ConfiguredRegions;
use records::Records;
use registry::{MetricsHandler, RegistryCareHandler};
use reset::ResetHandler;
use resources::ecr::RegistryHosts;
use service_hooks::{Endpoints, name_endpoints};
use spot::SpotHandler;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::{StoreError, Tables};
use store_backends::embedded::EmbeddedStore;
use task_placements::Placements;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use virtual_networks::VirtualNetworks;

/// How long the address of a blob in a bucket is good, which a client is sent to.
const DOWNLOAD: Duration = Duration::from_secs(3600);

/// The load balancers of the host, and who looks after them.
struct Balancers {
    data_plane: HostDataPlane,
    controller: JoinHandle<()>,
}

/// A region at work.
pub(crate) struct Region {
    settings: Settings,
    dir: DataDir,
    key: AccessKeyFile,
    environment: Environment,
    tables: Tables,
    store: Arc<EmbeddedStore>,
    logs: api_logs::LogsService,
    records: Records,
    gateway: AgentGateway,
    sessions: SessionGateway,
    server: Running,
    host: Option<Host>,
    balancers: Option<Balancers>,
    shutdown: CancellationToken,
    /// Ends the controller of services, before tasks are stopped or with everything else.
    services: CancellationToken,
    background: Vec<JoinHandle<()>>,
}

impl Region {
    /// Starts a region and returns once it answers. Its host joins a moment later.
    pub(crate) async fn start(settings: Settings) -> Result<Self> {
        let environment = Environment::real();
        let dir = DataDir::new(&settings.data_dir);
        dir.create()?;
        let plan = HostPlan::of(&dir, &settings)?;
        let listener = Listener::bind(settings.listen)
            .await
            .context("another region, or another program, may use this address; choose one with --listen")?;
        let store = open_store(&dir, &environment).await?;
        let tables = Tables::new(store.clone(), environment.clone());
        let ring = dir.key_ring(environment.clone())?;
        let mut access = Access::new(tables.clone(), ring.clone());
        if settings.auth == AuthMode::Open {
            access = access.without_policies();
        }
        access.ensure_account(&settings.account).await?;
        access.seal_clear_keys().await?;
        let key = keys::root_key(&dir, &access, &settings.account).await?;
        let blobs = storage::open(&settings, &dir.join("blobs"), &environment)?;
        let metrics = Metrics::open(blobs.clone(), environment.clone()).await?;
        let logs = api_logs::LogsService::open(tables.clone(), blobs.clone(), metrics.clone()).await?;
        let records = Records::open(&settings, &tables, &blobs).await?;
        let roles = template_roles::AssumedRoles {
            access: access.clone(),
            region: settings.region.clone(),
            environment: environment.clone(),
        };
        name_endpoints(&tables, &settings.hooks).await?;
        let images = ImageRegistry::new(tables.clone(), blobs.clone()).with_roles(Arc::new(roles));
        let port = listener.address().port();
        let hosts = registry_hosts(&settings, port);
        let registry = Registry::new(
            images.clone(),
            access.clone(),
            RegistryConfig {
                account: settings.account.clone(),
                region: settings.region.clone(),
                create_on_push: settings.create_repository_on_push,
                audit: Some(records.log().clone()),
                redirect_for: settings.redirect_downloads.then_some(DOWNLOAD),
                upstreams: Upstreams {
                    keys: Some(ring.clone()),
                    insecure_hosts: settings.insecure_registries.clone(),
                    recheck_after: Duration::from_secs(settings.pull_through_recheck_hours * 3600),
                    own: Some(OwnRegistry { hosts: hosts.clone(), address: reachable(listener.address()) }),
                },
            },
        );
        let gateway = GatewayConfig {
            region: settings.region.clone(),
            registry: hosts.clone(),
            session_time: agent_gateway::SESSION_TIME,
            audit: Some(records.log().clone()),
        };
        let gateway = AgentGateway::new(tables.clone(), access.clone(), gateway);
        let sessions = SessionGateway::new(tables.clone(), access.clone(), settings.region.clone());
        let mut ecr = api_ecr::EcrService::new(images.clone(), access.clone(), port)
            .asking(Arc::new(registry::Upstreams(registry.clone())))
            .replicating_to(settings.replicate_to.iter().map(|to| to.region.to_string()).collect());
        if settings.auth == AuthMode::Open {
            ecr = ecr.taking_incomplete_images();
        }
        let outbox = Outbox::new(tables.clone(), settings.region.clone());
        outbox.count().await?;
        let targets = RegionTargets::new(
            tables.clone(),
            access.clone(),
            ring.clone(),
            logs.clone(),
            settings.region.clone(),
            format!("http://{}", reachable(listener.address())),
        )?;
        let infrastructure = RegionInfrastructure::new(
            access.clone(),
            settings.region.clone(),
            format!("http://{}", reachable(listener.address())),
            environment.clone(),
        );
        let networks = VirtualNetworks::new(tables.clone(), plan.range()?);
        let placements = Placements::default();
        let resolves = resolves_localhost(port).await;
        let public = api_ecr_public::EcrPublicService::new(images.clone(), access.clone(), port, resolves);
        let services: Vec<Arc<dyn Service>> = vec![
            Arc::new(records.service(tables.clone())),
            Arc::new(api_ecs::shapes::Server(
                api_ecs::EcsService::new(tables.clone(), hosts.clone(), access.clone(), networks.clone())
                    .placing(placements.clone()),
            )),
            Arc::new(api_ec2::shapes::Server(api_ec2::Ec2Service::new(
                tables.clone(),
                networks.clone(),
                Arc::new(plan.clone()),
            ))),
            Arc::new(api_elbv2::shapes::Server(api_elbv2::ElbV2Service::new(
                tables.clone(),
                networks.clone(),
            ))),
            Arc::new(api_ecr::shapes::Server(ecr)),
            Arc::new(api_ecr_public::shapes::Server(public)),
            Arc::new(api_logs::shapes::Server(logs.clone())),
            Arc::new(api_cloudwatch::shapes::Server(api_cloudwatch::CloudWatchService::new(
                metrics.clone(),
                outbox.clone(),
            ))),
            Arc::new(api_events::shapes::Server(api_events::EventsService::new(
                outbox.clone(),
                ring.clone(),
            ))),
            Arc::new(api_iam::shapes::Server(api_iam::IamService::new(tables.clone(), ring.clone()))),
            Arc::new(api_sts::shapes::Server(api_sts::StsService::new(
                tables.clone(),
                access.clone(),
                api_sts::ProviderKeys::new(Some(dir.join("oidc-keys")), environment.clone()),
            ))),
            Arc::new(api_scheduler::shapes::Server(api_scheduler::SchedulerService::new(tables.clone()))),
            Arc::new(api_secretsmanager::shapes::Server(api_secretsmanager::SecretsManagerService::new(
                tables.clone(),
                ring.clone(),
            ))),
            Arc::new(api_ssm::shapes::Server(api_ssm::SsmService::new(tables.clone(), ring.clone()))),
            Arc::new(api_servicediscovery::shapes::Server(
                api_servicediscovery::ServiceDiscoveryService::new(tables.clone()),
            )),
        ];
        let mut handlers: Vec<Arc<dyn HttpHandler>> =
            vec![Arc::new(RegistryHandler(registry.clone())), Arc::new(AgentHandler(gateway.clone()))];
        handlers.push(Arc::new(MetricsHandler::new(registry.clone(), images.clone())));
        let care = RegistryCareHandler::new(
            images.clone(),
            registry.clone(),
            settings.account.clone(),
            settings.region.clone(),
        );
        handlers.push(Arc::new(care));
        handlers.push(Arc::new(AccountsHandler::new(access.clone(), settings.account.clone())));
        let spot = SpotHandler::new(tables.clone(), settings.account.clone(), environment.clone());
        handlers.push(Arc::new(spot));
        handlers.push(Arc::new(HostsHandler::new(placements.clone(), settings.account.clone())));
        let new_authenticator = || {
            let new = Authenticator::new(access.clone(), settings.region.clone(), environment.clone());
            let open = settings.auth == AuthMode::Open;
            if open { new.open_to(Caller::root(&settings.account)) } else { new }
        };
        let channels = SessionHandler { gateway: sessions.clone(), authenticator: new_authenticator() };
        handlers.push(Arc::new(channels));
        let authenticator = new_authenticator();
        if settings.auth == AuthMode::Open {
            handlers.push(Arc::new(ResetHandler::new(
                tables.clone(),
                records.log().clone(),
                metrics.clone(),
            )));
        }
        let server = listener.serve(ApiServer::new(Config {
            region: settings.region.clone(),
            environment: environment.clone(),
            authenticator,
            audit: Some(records.audit(settings.account.clone())),
            services,
            handlers,
        }));
        let others = ConfiguredRegions::new(
            settings.replicate_to.clone(),
            settings.replication_keys.clone(),
            environment.clone(),
        );
        let shutdown = CancellationToken::new();
        let interval = Duration::from_secs(settings.trail_interval.into());
        let deliveries = records.deliver(environment.clone(), interval, shutdown.clone());
        let data = dir.join(VULNERABILITIES);
        let scans = controllers::run_image_scans(tables.clone(), blobs.clone(), data, shutdown.clone());
        let mut region = Self {
            dir,
            key,
            environment: environment.clone(),
            tables: tables.clone(),
            store,
            logs,
            gateway,
            sessions,
            server,
            host: None,
            balancers: None,
            shutdown: shutdown.clone(),
            services: shutdown.child_token(),
            records,
            background: vec![
                tokio::spawn(registry::collect(images.clone(), environment, shutdown.clone())),
                tokio::spawn(note_pulls(images.clone(), shutdown.clone())),
                tokio::spawn(sweep_metrics(metrics.clone(), shutdown.clone())),
                tokio::spawn(controllers::run_registry(
                    images,
                    settings.region.clone(),
                    Arc::new(others),
                    !settings.expire_images_in_use,
                    shutdown.clone(),
                )),
                tokio::spawn(scans),
                tokio::spawn(controllers::run_discovery(
                    tables.clone(),
                    settings.region.clone(),
                    shutdown.clone(),
                )),
                tokio::spawn(controllers::run_alarms(outbox.clone(), metrics.clone(), shutdown.clone())),
                tokio::spawn(controllers::run_events(outbox, Arc::new(targets), shutdown.clone())),
                tokio::spawn(controllers::run_express(
                    tables.clone(),
                    ring.clone(),
                    settings.region.clone(),
                    Arc::new(infrastructure),
                    shutdown.clone(),
                )),
                tokio::spawn(controllers::run_secrets(tables, ring.clone(), shutdown.clone())),
                tokio::spawn(deliveries),
            ],
            settings,
        };
        region.dir.write_endpoint(&region.endpoint_file())?;
        if !region.settings.no_host {
            let shared = (networks.clone(), placements);
            let started = region.start_host(&plan, blobs, &access, registry, hosts, shared).await;
            if let Err(error) = started {
                // Nothing runs yet, so a failed start leaves nothing to adopt.
                let _ = region.stop(false).await;
                return Err(error);
            }
            region.start_service_connect(metrics.clone());
            region.start_balancers(networks, ring, metrics)?;
        }
        Ok(region)
    }

    async fn start_host(
        &mut self,
        plan: &HostPlan,
        blobs: BlobStore,
        access: &Access,
        registry: Registry,
        registry_hosts: RegistryHosts,
        (networks, placements): (VirtualNetworks, Placements),
    ) -> Result<()> {
        let registry_socket = self.hand_blobs_over(registry, &blobs);
        let (filter, switch) = filter::host_filter();
        let config = controllers::Config {
            account: self.settings.account.clone(),
            networks,
            placements,
            filter: Arc::new(filter),
            blobs,
            region: self.settings.region.clone(),
            hooks: Arc::new(Endpoints::new(self.environment.clone())?),
            services: self.services.clone(),
        };
        let controllers = controllers::run(self.tables.clone(), config, self.shutdown.clone());
        self.background.push(tokio::spawn(controllers));
        // Before the name server is told anything, so that no name is missing at any moment.
        let (zones, following) =
            controllers::discovery::Zones::open(self.tables.clone(), self.shutdown.clone()).await?;
        self.background.push(tokio::spawn(following));
        let credentials = keys::host_key(&self.dir, access, &self.settings.account).await?;
        let host = Host::start(
            plan,
            host::Address {
                endpoint: self.endpoint(),
                region: self.settings.region.to_string(),
                registry_hosts,
                registry_socket,
                zones,
            },
            credentials,
            &self.dir,
            (
                self.settings.efs.iter().map(|efs| (efs.id.clone(), efs.directory.clone())).collect(),
                (self.settings.overcommit_cpu, self.settings.overcommit_memory),
            ),
            (&self.environment, switch),
        );
        self.host =
            Some(host.await.context("start the host; `longshore doctor` says what this machine lacks")?);
        Ok(())
    }

    /// Tells the proxies of tasks what to do from now on.
    fn start_service_connect(&mut self, metrics: Metrics) {
        let Some(host) = &self.host else { return };
        let proxies = service_connect::HostProxies(host.proxies().clone());
        let stop = self.shutdown.clone();
        let controller = controllers::run_service_connect(self.tables.clone(), metrics, proxies, stop);
        self.background.push(tokio::spawn(controller));
    }

    /// Looks after load balancers from now on; those of an earlier run are found again.
    fn start_balancers(&mut self, networks: VirtualNetworks, ring: KeyRing, metrics: Metrics) -> Result<()> {
        let Some(host) = &self.host else { return Ok(()) };
        let settings = &self.settings;
        let hosts_file =
            settings.manage_hosts_file.then(|| HostsFile::new(Path::new(hosts_file::PATH), self.dir.path()));
        let data_plane = HostDataPlane::new(
            (host.network().clone(), host.names().clone()),
            self.dir.join("load-balancer"),
            std::env::current_exe().context("find the running program")?,
            self.environment.clone(),
            hosts_file,
        );
        let wanted = controllers::load_balancer::Settings {
            region: settings.region.clone(),
            networks,
            access_logs: settings.elb_logs_dir.clone(),
            loopback: !settings.no_elb_loopback,
        };
        let (tables, stop) = (self.tables.clone(), self.services.clone());
        let controller =
            controllers::run_load_balancers(tables, ring, metrics, wanted, data_plane.clone(), stop);
        self.balancers = Some(Balancers { data_plane, controller: tokio::spawn(controller) });
        Ok(())
    }

    /// Ends the controller of load balancers, and with the last task the load balancers themselves.
    async fn stop_balancers(balancers: Balancers, all_over: bool) {
        if balancers.controller.await.is_err() {
            tracing::error!("the controller of load balancers ended badly");
        }
        if all_over && let Err(error) = balancers.data_plane.stop().await {
            tracing::warn!(%error, "cannot end the load balancers");
        }
    }

    /// Opens the way by which the host takes layers without a copy, if blobs are files of this machine.
    fn hand_blobs_over(&mut self, registry: Registry, blobs: &BlobStore) -> Option<PathBuf> {
        let path = self.dir.join(registry::SOCKET);
        if !blobs.are_files() {
            return None;
        }
        let listener = registry::open_socket(&path)?;
        let address = reachable(self.server.address()).ip();
        let task = registry::hand_over(registry, listener, address, self.shutdown.clone());
        self.background.push(tokio::spawn(task));
        Some(path)
    }

    /// Stops the region. Tasks go on without it, unless they are to be stopped first.
    pub(crate) async fn stop(mut self, stop_tasks: bool) -> Result<()> {
        let stopped = if stop_tasks {
            self.services.cancel();
            reset::stop_tasks(&self.tables).await
        } else {
            Ok(())
        };
        let all_over = stop_tasks && stopped.is_ok();
        self.services.cancel();
        if let Some(balancers) = self.balancers.take() {
            Self::stop_balancers(balancers, all_over).await;
        }
        if let Some(host) = self.host.take() {
            host.stop(if all_over { Sandboxes::BelongToNoTask } else { Sandboxes::Stay }).await;
        }
        self.shutdown.cancel();
        self.gateway.stop().await;
        self.sessions.stop().await;
        self.server.stop().await;
        for task in self.background {
            if task.await.is_err() {
                tracing::error!("a background task ended badly");
            }
        }
        self.logs.close().await;
        self.records.close().await;
        self.store.close().await;
        stopped
    }

    /// `http://127.0.0.1:4566`: where clients on this machine reach the region.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", reachable(self.server.address()))
    }

    /// `localhost:4566`, as images are named.
    pub(crate) fn registry(&self) -> String {
        format!("localhost:{}", self.server.address().port())
    }

    pub(crate) fn name(&self) -> &str {
        self.settings.region.as_str()
    }

    pub(crate) fn account(&self) -> &str {
        self.settings.account.as_str()
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// A client with the root key.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.endpoint(), self.name(), &self.key)
    }

    fn endpoint_file(&self) -> EndpointFile {
        EndpointFile {
            endpoint: self.endpoint(),
            region: self.settings.region.to_string(),
            account: self.settings.account.to_string(),
            pid: std::process::id(),
        }
    }

    /// What is shown when the region is up.
    pub(crate) fn banner(&self) -> String {
        let dir = self.dir.path().display();
        let host = match &self.host {
            Some(host) => format!("this machine, tasks get addresses from {}", host.subnet()),
            None => "none (--no-host): tasks stay PROVISIONING".to_owned(),
        };
        let open = match self.settings.auth {
            AuthMode::Verify => "",
            AuthMode::Open => {
                "\x20 auth         OPEN: any key and date acts as the account's root; for tests only\n"
            }
        };
        format!(
            "Longshore region {} of account {}\n\
             \x20 endpoint     {}\n\
             \x20 registry     {}/NAME or {}.dkr.ecr.{}.localhost:{}/NAME\n\
             \x20 data         {dir}\n\
             \x20 host         {host}\n\
             \x20 credentials  eval \"$(longshore env --data-dir {dir})\"\n{open}",
            self.settings.region,
            self.settings.account,
            self.endpoint(),
            self.registry(),
            self.settings.account,
            self.settings.region,
            self.server.address().port(),
        )
    }
}

async fn open_store(dir: &DataDir, environment: &Environment) -> Result<Arc<EmbeddedStore>> {
    match EmbeddedStore::open(&dir.join("store"), environment.clone()).await {
        Ok(store) => Ok(store),
        Err(StoreError::Locked(_)) => bail!(
            "a region already runs in {}; stop it, or choose another directory with --data-dir",
            dir.path().display()
        ),
        Err(error) => Err(error).with_context(|| format!("open the store in {}", dir.path().display())),
    }
}

/// An address that clients on this machine can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}

/// Whether this machine's resolver knows names below `localhost`, by which the public registry has a host of its own.
async fn resolves_localhost(port: u16) -> bool {
    match tokio::net::lookup_host(("public.ecr.localhost", port)).await {
        Ok(mut addresses) => addresses.all(|address| address.ip().is_loopback()),
        Err(_) => false,
    }
}

/// Hosts under which images of this region's registry are named.
fn registry_hosts(settings: &Settings, port: u16) -> RegistryHosts {
    RegistryHosts::new(vec![
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!(".dkr.ecr.{}.localhost:{port}", settings.region),
        format!(".dkr.ecr.{}.amazonaws.com", settings.region),
    ])
}

async fn sweep_metrics(metrics: Metrics, shutdown: CancellationToken) {
    metrics.run(shutdown.cancelled()).await;
}

async fn note_pulls(images: ImageRegistry, shutdown: CancellationToken) {
    images.pulls().run(shutdown.cancelled()).await;
}
