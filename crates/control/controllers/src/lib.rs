//! The controllers of a region: each reads what is wanted and what is there, and moves one step.
//!
//! One folder per controller: `observe` reads, `plan` is pure and decides, `apply` writes. Everything they know
//! is in the store; what they keep in memory only saves looking it up. All of them may be killed anywhere and
//! started over.

pub mod alarms;
mod announce;
pub mod discovery;
pub mod event_delivery;
pub mod express;
mod feed;
#[cfg(test)]
mod flaky;
pub mod image_lifecycle;
pub mod image_replication;
pub mod image_scan;
pub mod load_balancer;
pub mod logs_retention;
pub mod rule_schedule;
pub mod run_token;
pub mod schedule;
pub mod sealing;
pub mod secrets_expiry;
pub mod security_groups;
pub mod service;
pub mod service_connect;
pub mod service_hook;
pub mod service_targets;
#[cfg(test)]
mod simulation;
pub mod task;
pub mod task_definition;

use alarms::Alarms;
use blob_store::BlobStore;
use discovery::{DiscoveryController, OperationController};
use encryption::KeyRing;
use event_delivery::EventDelivery;
pub use event_delivery::{TargetError, Targets};
use event_outbox::Outbox;
use express::{ExpressController, Infrastructure};
use feed::{feed, feed_whole};
use identifiers::{AccountId, Region};
use image_lifecycle::ImageLifecycle;
use image_registry::ImageRegistry;
pub use image_replication::{OtherRegions, Reached, Unreachable};

use image_replication::ImageReplicationController;
use image_scan::{Data, ImageScanController};
use load_balancer::{DataPlane, LoadBalancerController};
use logs_retention::LogsRetention;
use metric_store::Metrics;
use reconcile::{Queue, Settings};
use resources::discovery::Instance;
use resources::ec2::{NetworkInterface, SecurityGroup, Subnet, Vpc};
use resources::ecs::Service;
use resources::elb::{Listener, LoadBalancer, Rule, Target, TargetGroup};
use rule_schedule::RuleSchedule;
use run_token::RunTokenController;
use schedule::ScheduleController;
use sealing::SealingController;
use secrets_expiry::SecretsExpiry;
use security_groups::{PacketFilter, SecurityGroupController};
use service::ServiceController;
use service_connect::{Names, Proxies, ServiceConnectController};
pub use service_hook::HookCaller;
use service_hook::ServiceHookController;
use service_targets::ServiceTargetsController;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Tables;
use task::TaskController;
use task_definition::TaskDefinitionController;
use task_placements::Placements;
use tokio_util::sync::CancellationToken;
use virtual_networks::VirtualNetworks;

/// Time between two sweeps of what is old and in nobody's way.
const SWEEP: Duration = Duration::from_secs(3600);

/// Time between two applications of lifecycle policies.
const LIFECYCLE: Duration = Duration::from_secs(60);

/// Time between two looks whether the region's keys changed.
const KEYS: Duration = Duration::from_secs(5);

/// Most functions that are called at once for deployments that wait for them.
const HOOK_CALLS: usize = 64;

/// Time between two looks at all images, for settings that changed meanwhile.
const SCANS: Duration = Duration::from_secs(600);

/// Time between two looks whether the host's filter is whole.
const FILTER: Duration = Duration::from_secs(30);
/// Time between two looks at load balancers, when nothing changes, and longest wait after a failure of their data plane.
const BALANCERS: Duration = Duration::from_secs(5);

/// What the controllers of a region need to know.
#[derive(Clone)]
pub struct Config {
    /// Account of the region, which owns the Fargate hosts.
    pub account: AccountId,
    /// Where tasks get their network interfaces from.
    pub networks: VirtualNetworks,
    /// Which task is on which host.
    pub placements: Placements,
    /// What lets traffic of tasks through.
    pub filter: Arc<dyn PacketFilter>,
    /// Where log events lie.
    pub blobs: BlobStore,
    /// Name of the region.
    pub region: Region,
    /// How the functions are called that deployments wait for.
    pub hooks: Arc<dyn HookCaller>,
    /// Ends the controller of services before the others, so that it does not replace tasks that are stopped for good.
    pub services: CancellationToken,
}

/// Runs every controller until `shutdown`; then finishes the steps in progress and returns.
pub async fn run(tables: Tables, config: Config, shutdown: CancellationToken) {
    tokio::join!(
        run_tasks(tables.clone(), &config, shutdown.clone()),
        run_security_groups(tables.clone(), config.filter.clone(), shutdown.clone()),
        run_services(tables.clone(), config.region.clone(), config.services.clone()),
        run_service_targets(tables.clone(), config.services.clone()),
        run_service_hooks(tables.clone(), &config, config.services.clone()),
        run_task_definitions(tables.clone(), shutdown.clone()),
        run_run_tokens(tables.clone(), shutdown.clone()),
        run_logs_retention(tables, &config, shutdown),
    );
}

/// Runs the controllers of secrets, which a region without a host needs too, until `shutdown`.
pub async fn run_secrets(tables: Tables, keys: KeyRing, shutdown: CancellationToken) {
    let environment = tables.environment().clone();
    let sealing = Arc::new(SealingController::new(tables.clone(), keys));
    let expiry = Arc::new(SecretsExpiry::new(tables));
    let often = Settings { concurrency: 1, resync: KEYS, ..Settings::named("sealing") };
    let seldom = Settings { concurrency: 1, resync: SWEEP, ..Settings::named("secrets_expiry") };
    tokio::join!(
        reconcile::run(sealing, Queue::new(), often, environment.clone(), shutdown.clone()),
        reconcile::run(expiry, Queue::new(), seldom, environment, shutdown),
    );
}

/// Runs the controllers of service discovery until `shutdown`. Without a host they have little to do.
pub async fn run_discovery(tables: Tables, region: Region, shutdown: CancellationToken) {
    let queue = Queue::new();
    let environment = tables.environment().clone();
    let instances = Arc::new(DiscoveryController::new(tables.clone(), region, queue.clone()));
    let operations = Arc::new(OperationController::new(tables.clone()));
    let seldom = Settings { concurrency: 1, resync: SWEEP, ..Settings::named("discovery_operation") };
    let often = Settings::named("discovery");
    tokio::join!(
        feed(tables, shutdown.clone(), |seen| instances.see_task(&seen)),
        reconcile::run(instances.clone(), queue, often, environment.clone(), shutdown.clone()),
        reconcile::run(operations, Queue::new(), seldom, environment, shutdown.clone()),
    );
}

/// Runs the controller that scans images, which a region without a host does too, until `shutdown`. `data` is the directory
/// of the vulnerability data.
pub async fn run_image_scans(tables: Tables, blobs: BlobStore, data: PathBuf, shutdown: CancellationToken) {
    let queue = Queue::new();
    let environment = tables.environment().clone();
    let data = Arc::new(Data::new(data));
    let controller = ImageScanController::new(tables.clone(), blobs, data, queue.clone(), shutdown.clone());
    let controller = Arc::new(controller);
    // A scan takes a core and memory for as long as it lasts.
    let settings = Settings { concurrency: 1, resync: SCANS, ..Settings::named("image_scan") };
    tokio::join!(
        feed(tables.clone(), shutdown.clone(), |seen| controller.see_image(seen)),
        feed(tables, shutdown.clone(), |seen| controller.see_scan(seen)),
        controller.watch_data(shutdown.clone()),
        reconcile::run(controller.clone(), queue, settings, environment, shutdown.clone()),
    );
}

/// Runs the controller of CloudWatch alarms until `shutdown`.
pub async fn run_alarms(outbox: Outbox, metrics: Metrics, shutdown: CancellationToken) {
    let (tables, queue) = (outbox.tables().clone(), Queue::new());
    let environment = tables.environment().clone();
    let controller = Arc::new(Alarms::new(outbox, metrics, queue.clone()));
    let few = Settings { concurrency: 8, ..Settings::named("alarms") };
    tokio::join!(
        feed(tables, shutdown.clone(), |seen| controller.see(&seen)),
        reconcile::run(controller.clone(), queue, few, environment, shutdown.clone()),
    );
}

/// Runs the controllers of EventBridge, which a region without a host needs too, until `shutdown`: what happens is
/// announced, rules with a schedule make their events, schedules come due, and deliveries are brought to their targets.
pub async fn run_events(outbox: Outbox, targets: Arc<dyn Targets>, shutdown: CancellationToken) {
    let tables = outbox.tables().clone();
    let environment = tables.environment().clone();
    let (deliveries, rules, schedules) = (Queue::new(), Queue::new(), Queue::new());
    let delivery = Arc::new(EventDelivery::new(outbox.clone(), targets, deliveries.clone()));
    let rule = Arc::new(RuleSchedule::new(outbox.clone(), rules.clone()));
    let schedule = Arc::new(ScheduleController::new(outbox.clone(), schedules.clone()));
    let few = |name| Settings { concurrency: 8, ..Settings::named(name) };
    tokio::join!(
        announce::follow(outbox.clone(), announce::Tasks::new(outbox.clone()), shutdown.clone()),
        announce::follow(outbox.clone(), announce::Services::new(outbox.clone()), shutdown.clone()),
        announce::follow(outbox.clone(), announce::Instances::new(outbox.clone()), shutdown.clone()),
        announce::follow(outbox.clone(), announce::Images::new(outbox.clone()), shutdown.clone()),
        feed(tables.clone(), shutdown.clone(), |seen| delivery.see(&seen)),
        feed(tables.clone(), shutdown.clone(), |seen| rule.see(&seen)),
        feed(tables.clone(), shutdown.clone(), |seen| schedule.see(&seen)),
        schedule::remove_groups(tables, shutdown.clone()),
        reconcile::run(rule.clone(), rules, few("rule_schedule"), environment.clone(), shutdown.clone()),
        reconcile::run(schedule.clone(), schedules, few("schedule"), environment.clone(), shutdown.clone()),
        reconcile::run(
            delivery.clone(),
            deliveries,
            Settings::named("event_delivery"),
            environment,
            shutdown.clone(),
        ),
    );
}

/// Runs the controllers of images, which a region without a host needs too, until `shutdown`. With `spare_in_use`,
/// lifecycle policies leave alone what tasks use. `others` says where other regions are.
pub async fn run_registry(
    images: ImageRegistry,
    region: Region,
    others: Arc<dyn OtherRegions>,
    spare_in_use: bool,
    shutdown: CancellationToken,
) {
    let tables = images.tables().clone();
    let environment = tables.environment().clone();
    let (lifecycle_queue, replication_queue) = (Queue::new(), Queue::new());
    let lifecycle = Arc::new(ImageLifecycle::new(images.clone(), spare_in_use, lifecycle_queue.clone()));
    let replication =
        Arc::new(ImageReplicationController::new(images, region, others, replication_queue.clone()));
    let minutely = Settings { concurrency: 1, resync: LIFECYCLE, ..Settings::named("image_lifecycle") };
    let few = Settings { concurrency: 4, ..Settings::named("image_replication") };
    tokio::join!(
        feed(tables.clone(), shutdown.clone(), |seen| lifecycle.see(&seen)),
        feed(tables, shutdown.clone(), |seen| replication.see(&seen)),
        reconcile::run(lifecycle.clone(), lifecycle_queue, minutely, environment.clone(), shutdown.clone()),
        reconcile::run(replication.clone(), replication_queue, few, environment, shutdown.clone()),
    );
}

async fn run_tasks(tables: Tables, config: &Config, shutdown: CancellationToken) {
    let queue = Queue::new();
    let controller = TaskController::new(
        tables.clone(),
        config.account.clone(),
        config.networks.clone(),
        config.placements.clone(),
        queue.clone(),
    );
    let controller = Arc::new(controller);
    let environment = tables.environment().clone();
    if let Err(error) = config.networks.adopt().await {
        tracing::error!(%error, "tasks of an earlier version have no network interfaces");
    }
    tokio::join!(
        feed_whole(
            tables.clone(),
            shutdown.clone(),
            |seen| controller.see_task(seen),
            || controller.tasks_are_listed()
        ),
        feed(tables, shutdown.clone(), |seen| controller.see_host(seen)),
        reconcile::run(controller.clone(), queue, Settings::named("task"), environment, shutdown.clone()),
    );
}

async fn run_security_groups(tables: Tables, filter: Arc<dyn PacketFilter>, shutdown: CancellationToken) {
    let queue = Queue::new();
    let controller = Arc::new(SecurityGroupController::new(tables.clone(), filter, queue.clone()));
    let environment = tables.environment().clone();
    // Often, so that a filter that somebody else has emptied is whole again.
    let settings = Settings { concurrency: 1, resync: FILTER, ..Settings::named("security_groups") };
    let stop = || shutdown.clone();
    tokio::join!(
        feed::<Vpc>(tables.clone(), stop(), |_| controller.changed()),
        feed::<Subnet>(tables.clone(), stop(), |_| controller.changed()),
        feed::<SecurityGroup>(tables.clone(), stop(), |_| controller.changed()),
        feed::<NetworkInterface>(tables.clone(), stop(), |_| controller.changed()),
        reconcile::run(controller.clone(), queue, settings, environment, shutdown.clone()),
    );
}

async fn run_services(tables: Tables, region: Region, shutdown: CancellationToken) {
    let queue = Queue::new();
    let controller = Arc::new(ServiceController::new(tables.clone(), region, queue.clone()));
    let environment = tables.environment().clone();
    tokio::join!(
        feed(tables.clone(), shutdown.clone(), |seen| controller.see_service(&seen)),
        feed(tables.clone(), shutdown.clone(), |seen| controller.see_task(&seen)),
        feed(tables.clone(), shutdown.clone(), |seen| controller.see_target(&seen)),
        feed(tables, shutdown.clone(), |seen| controller.see_alarm(&seen)),
        reconcile::run(controller.clone(), queue, Settings::named("service"), environment, shutdown.clone()),
    );
}

async fn run_service_targets(tables: Tables, shutdown: CancellationToken) {
    let queue = Queue::new();
    let controller = Arc::new(ServiceTargetsController::new(tables.clone(), queue.clone()));
    let environment = tables.environment().clone();
    let settings = Settings { concurrency: 8, ..Settings::named("service_targets") };
    tokio::join!(
        feed(tables.clone(), shutdown.clone(), |seen| controller.see_task(&seen)),
        feed(tables, shutdown.clone(), |seen| controller.see_target(&seen)),
        reconcile::run(controller.clone(), queue, settings, environment, shutdown.clone()),
    );
}

async fn run_service_hooks(tables: Tables, config: &Config, shutdown: CancellationToken) {
    let queue = Queue::new();
    let environment = tables.environment().clone();
    let (region, hooks) = (config.region.clone(), config.hooks.clone());
    let controller =
        ServiceHookController::new(tables.clone(), region, hooks, queue.clone(), shutdown.clone());
    let controller = Arc::new(controller);
    // A call may last for minutes, and another service's shall not wait for it.
    let settings = Settings { concurrency: HOOK_CALLS, ..Settings::named("service_hook") };
    tokio::join!(
        feed(tables, shutdown.clone(), |seen| controller.see(&seen)),
        reconcile::run(controller.clone(), queue, settings, environment, shutdown.clone()),
    );
}

/// Runs the controller of load balancers over a host's data plane until `shutdown`. The data plane goes on without it.
pub async fn run_load_balancers<D: DataPlane>(
    tables: Tables,
    keys: KeyRing,
    metrics: Metrics,
    settings: load_balancer::Settings,
    data_plane: D,
    shutdown: CancellationToken,
) {
    let queue = Queue::new();
    let environment = tables.environment().clone();
    let controller =
        Arc::new(LoadBalancerController::new(tables.clone(), keys, Some(metrics), settings, data_plane));
    let one = Settings {
        concurrency: 1,
        resync: BALANCERS,
        longest_backoff: BALANCERS,
        ..Settings::named("load_balancer")
    };
    let nudge = || queue.nudge(load_balancer::All);
    tokio::join!(
        feed::<LoadBalancer>(tables.clone(), shutdown.clone(), |_| nudge()),
        feed::<Listener>(tables.clone(), shutdown.clone(), |_| nudge()),
        feed::<Rule>(tables.clone(), shutdown.clone(), |_| nudge()),
        feed::<TargetGroup>(tables.clone(), shutdown.clone(), |_| nudge()),
        feed::<Target>(tables, shutdown.clone(), |_| nudge()),
        reconcile::run(controller, queue.clone(), one, environment, shutdown.clone()),
    );
}

/// Runs the controller that makes what express services need, until `shutdown`.
pub async fn run_express(
    tables: Tables,
    keys: KeyRing,
    region: Region,
    infrastructure: Arc<dyn Infrastructure>,
    shutdown: CancellationToken,
) {
    let queue = Queue::new();
    let environment = tables.environment().clone();
    let controller = ExpressController::new(tables.clone(), keys, region, infrastructure, queue.clone());
    let controller = Arc::new(controller);
    let few = Settings { concurrency: 4, ..Settings::named("express") };
    tokio::join!(
        feed(tables.clone(), shutdown.clone(), |seen| controller.see(&seen)),
        feed(tables, shutdown.clone(), |seen| controller.see_service(&seen)),
        reconcile::run(controller.clone(), queue, few, environment, shutdown.clone()),
    );
}

/// Runs the controller of Service Connect over a host's proxies until `shutdown`. The proxies go on without it.
pub async fn run_service_connect<P: Proxies>(
    tables: Tables,
    metrics: Metrics,
    proxies: P,
    shutdown: CancellationToken,
) {
    let (queue, names_queue) = (Queue::new(), Queue::new());
    let environment = tables.environment().clone();
    let controller = ServiceConnectController::new(tables.clone(), metrics, proxies, queue.clone());
    let controller = Arc::new(controller);
    let names = Arc::new(Names::new(tables.clone(), names_queue.clone()));
    let settings =
        Settings { concurrency: 8, longest_backoff: BALANCERS, ..Settings::named("service_connect") };
    let few = Settings { concurrency: 2, ..Settings::named("service_connect_names") };
    tokio::join!(
        feed(tables.clone(), shutdown.clone(), |seen| controller.see_task(&seen)),
        feed::<Instance>(tables.clone(), shutdown.clone(), |seen| controller.see_instance(&seen)),
        feed::<Service>(tables.clone(), shutdown.clone(), |seen| controller.see_service(&seen)),
        feed(tables.clone(), shutdown.clone(), |seen| names.see_name(&seen)),
        feed(tables, shutdown.clone(), |seen| names.see_service(&seen)),
        controller.follow(shutdown.clone()),
        controller.count(shutdown.clone()),
        reconcile::run(controller.clone(), queue, settings, environment.clone(), shutdown.clone()),
        reconcile::run(names.clone(), names_queue, few, environment, shutdown.clone()),
    );
}

async fn run_task_definitions(tables: Tables, shutdown: CancellationToken) {
    let queue = Queue::new();
    let controller = Arc::new(TaskDefinitionController::new(tables.clone(), queue.clone()));
    let environment = tables.environment().clone();
    let settings = Settings { concurrency: 2, ..Settings::named("task_definition") };
    tokio::join!(
        feed(tables, shutdown.clone(), |seen| controller.see(seen)),
        reconcile::run(controller.clone(), queue, settings, environment, shutdown.clone()),
    );
}

async fn run_logs_retention(tables: Tables, config: &Config, shutdown: CancellationToken) {
    let environment = tables.environment().clone();
    let controller = Arc::new(LogsRetention::new(tables, config.blobs.clone()));
    let settings = Settings { concurrency: 1, resync: SWEEP, ..Settings::named("logs_retention") };
    reconcile::run(controller, Queue::new(), settings, environment, shutdown).await;
}

async fn run_run_tokens(tables: Tables, shutdown: CancellationToken) {
    let environment = tables.environment().clone();
    let controller = Arc::new(RunTokenController::new(tables));
    let settings = Settings { concurrency: 1, resync: SWEEP, ..Settings::named("run_token") };
    reconcile::run(controller, Queue::new(), settings, environment, shutdown).await;
}
