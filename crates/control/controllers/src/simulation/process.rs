//! The controllers of a region as one process that can be killed: their queues, and the watches that nudge them.
//!
//! Everything is as when the region runs them, but that the simulation decides who is next and when a change is seen.

use super::plane::Plane;
use crate::discovery::DiscoveryController;
use crate::feed::Seen;
use crate::load_balancer::{self, LoadBalancerController};
use crate::service::ServiceController;
use crate::service_hook::{HookCaller, ServiceHookController};
use crate::service_targets::ServiceTargetsController;
use crate::task::TaskController;
use crate::task_definition::TaskDefinitionController;
use encryption::KeyRing;
use environment::{Environment, Timestamp};
use futures::FutureExt;
use futures::future::BoxFuture;
use ipnet::Ipv4Net;
use reconcile::{Queue, Reconciler, Settings};
use resources::Stored;
use resources::cloudwatch::Alarm;
use resources::ecs::{ContainerInstance, Service, Task, TaskDefinition};
use resources::elb::{Listener, LoadBalancer, Rule, Target, TargetGroup};
use std::sync::Arc;
use std::time::Duration;
use store::{Store, TableChange, TableWatch, Tables};
use task_placements::Placements;
use tokio_util::sync::CancellationToken;
use virtual_networks::VirtualNetworks;

/// One run of a controller, to be polled to its end or dropped, which is a kill.
pub type Run = BoxFuture<'static, ()>;

/// Time between two looks of the engine at everything.
const RESYNC: Duration = Settings::named("").resync;

/// A controller with its queue.
pub trait Lane: Send {
    fn name(&self) -> &'static str;
    /// The next run, if there is something to do.
    fn next(&self) -> Option<Run>;
    /// Lists all keys.
    fn list(&self) -> Run;
    fn next_timer(&self) -> Option<Timestamp>;
}

struct LaneOf<R: Reconciler> {
    name: &'static str,
    reconciler: Arc<R>,
    queue: Queue<R::Key>,
    environment: Environment,
}

impl<R: Reconciler> Lane for LaneOf<R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn next(&self) -> Option<Run> {
        let key = self.queue.take(self.environment.now())?;
        let (own, queue, environment) =
            (self.reconciler.clone(), self.queue.clone(), self.environment.clone());
        let settings = Settings::named(self.name);
        Some(Box::pin(async move {
            match own.reconcile(&key).await {
                Ok(next) => queue.finish(&key, next, environment.now()),
                Err(_) => queue.fail(&key, environment.now(), |failures| settings.backoff(failures)),
            }
        }))
    }

    fn list(&self) -> Run {
        let (own, queue) = (self.reconciler.clone(), self.queue.clone());
        Box::pin(async move {
            // The engine tries again after a while; here it does at once.
            loop {
                if let Ok(keys) = own.keys().await {
                    return keys.into_iter().for_each(|key| queue.nudge(key));
                }
            }
        })
    }

    fn next_timer(&self) -> Option<Timestamp> {
        self.queue.next_timer()
    }
}

/// A watch of a table that nudges a controller.
trait Feed: Send {
    /// Shows what has changed.
    fn pump(&mut self) -> BoxFuture<'_, ()>;
    /// The watch fell behind, and everything is listed anew.
    fn lose(&mut self);
}

struct FeedOf<T> {
    tables: Tables,
    watch: Option<TableWatch<T>>,
    see: Box<dyn FnMut(Seen<T>) + Send>,
    listed: Box<dyn FnMut() + Send>,
}

impl<T: Stored> Feed for FeedOf<T> {
    fn pump(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if self.watch.is_none() {
                // It is tried again at the next time.
                let Ok((rows, watch)) = self.tables.list_and_watch("").await else { return };
                self.watch = Some(watch);
                (self.see)(Seen::Anew);
                for row in rows {
                    (self.see)(Seen::Row(row));
                }
                (self.listed)();
            }
            // The runtime's budget is for those who share it.
            let next = |watch: &mut TableWatch<T>| tokio::task::unconstrained(watch.next()).now_or_never();
            while let Some(changes) = self.watch.as_mut().and_then(next) {
                let Ok(changes) = changes else { return self.lose() };
                for change in changes {
                    (self.see)(match change {
                        TableChange::Put(row) => Seen::Row(row),
                        TableChange::Deleted { key, .. } => Seen::Gone(key),
                    });
                }
            }
        })
    }

    fn lose(&mut self) {
        self.watch = None;
    }
}

/// What a process is started with.
#[derive(Clone)]
pub struct Setup {
    pub store: Arc<dyn Store>,
    pub environment: Environment,
    pub range: Ipv4Net,
    pub plane: Plane,
    pub hooks: Arc<dyn HookCaller>,
    pub account: identifiers::AccountId,
}

pub struct Process {
    pub lanes: Vec<Box<dyn Lane>>,
    feeds: Vec<Box<dyn Feed>>,
    /// When everything is looked at again.
    pub resync_at: Timestamp,
}

/// Makes lanes and feeds.
struct Maker {
    tables: Tables,
    process: Process,
}

impl Maker {
    fn lane<R: Reconciler>(&mut self, name: &'static str, queue: Queue<R::Key>, reconciler: R) -> Arc<R> {
        let (reconciler, environment) = (Arc::new(reconciler), self.tables.environment().clone());
        let own = reconciler.clone();
        self.process.lanes.push(Box::new(LaneOf { name, reconciler, queue, environment }));
        own
    }

    fn feed<T: Stored>(&mut self, see: impl FnMut(Seen<T>) + Send + 'static) {
        self.feed_whole(see, || {});
    }

    fn feed_whole<T: Stored>(
        &mut self,
        see: impl FnMut(Seen<T>) + Send + 'static,
        listed: impl FnMut() + Send + 'static,
    ) {
        let tables = self.tables.clone();
        let feed = FeedOf { tables, watch: None, see: Box::new(see), listed: Box::new(listed) };
        self.process.feeds.push(Box::new(feed));
    }
}

impl Process {
    /// A process that has just been started: it has seen nothing yet, and everything is due.
    pub fn new(setup: &Setup) -> Self {
        let tables = Tables::new(setup.store.clone(), setup.environment.clone());
        let process =
            Self { lanes: Vec::new(), feeds: Vec::new(), resync_at: setup.environment.now() + RESYNC };
        let mut maker = Maker { tables: tables.clone(), process };
        let networks = VirtualNetworks::new(tables.clone(), setup.range);
        let region: identifiers::Region = "us-east-1".parse().expect("a region");

        let queue = Queue::new();
        let (account, placements) = (setup.account.clone(), Placements::default());
        let own = TaskController::new(tables.clone(), account, networks.clone(), placements, queue.clone());
        let own = maker.lane("task", queue, own);
        let (second, other) = (own.clone(), own.clone());
        maker.feed_whole::<Task>(move |seen| own.see_task(seen), move || second.tasks_are_listed());
        maker.feed::<ContainerInstance>(move |seen| other.see_host(seen));

        let queue = Queue::new();
        let own = ServiceController::new(tables.clone(), region.clone(), queue.clone());
        let own = maker.lane("service", queue, own);
        let (second, third, fourth) = (own.clone(), own.clone(), own.clone());
        maker.feed::<Service>(move |seen| own.see_service(&seen));
        maker.feed::<Task>(move |seen| second.see_task(&seen));
        maker.feed::<Target>(move |seen| third.see_target(&seen));
        maker.feed::<Alarm>(move |seen| fourth.see_alarm(&seen));

        let queue = Queue::new();
        let own = ServiceTargetsController::new(tables.clone(), queue.clone());
        let own = maker.lane("service_targets", queue, own);
        let other = own.clone();
        maker.feed::<Task>(move |seen| own.see_task(&seen));
        maker.feed::<Target>(move |seen| other.see_target(&seen));

        let queue = Queue::new();
        let own = DiscoveryController::new(tables.clone(), region.clone(), queue.clone());
        let own = maker.lane("discovery", queue, own);
        maker.feed::<Task>(move |seen| own.see_task(&seen));

        let queue = Queue::new();
        let (hooks, stop) = (setup.hooks.clone(), CancellationToken::new());
        let own = ServiceHookController::new(tables.clone(), region.clone(), hooks, queue.clone(), stop);
        let own = maker.lane("service_hook", queue, own);
        maker.feed::<Service>(move |seen| own.see(&seen));

        let queue = Queue::new();
        let own = maker.lane(
            "task_definition",
            queue.clone(),
            TaskDefinitionController::new(tables.clone(), queue),
        );
        maker.feed::<TaskDefinition>(move |seen| own.see(seen));

        maker.balancers(setup, networks, region);
        maker.process
    }

    /// Shows every controller what has changed.
    pub async fn pump(&mut self) {
        for feed in &mut self.feeds {
            feed.pump().await;
        }
    }

    /// Shows one controller what has changed in one table.
    pub async fn pump_one(&mut self, which: usize) {
        let which = which % self.feeds.len();
        self.feeds[which].pump().await;
    }

    /// A watch is lost.
    pub fn lose_watch(&mut self, which: usize) {
        let which = which % self.feeds.len();
        self.feeds[which].lose();
    }

    /// Lists all keys, when it is time for it.
    pub async fn resync(&mut self, now: Timestamp) {
        if now >= self.resync_at || self.resync_at.since(now) > RESYNC {
            self.list().await;
            self.resync_at = now + RESYNC;
        }
    }

    /// Lists all keys.
    pub async fn list(&mut self) {
        for lane in &self.lanes {
            lane.list().await;
        }
    }

    /// When a controller that matters for services wants to look again. The others have always a timer.
    pub fn next_timer(&self) -> Option<Timestamp> {
        let matter = ["service", "service_targets", "discovery", "service_hook"];
        let lanes = self.lanes.iter().filter(|lane| matter.contains(&lane.name()));
        lanes.filter_map(|lane| lane.next_timer()).min()
    }
}

impl Maker {
    fn balancers(&mut self, setup: &Setup, networks: VirtualNetworks, region: identifiers::Region) {
        let settings =
            load_balancer::Settings { region, networks, access_logs: "/logs".into(), loopback: false };
        let keys = KeyRing::in_memory(setup.environment.clone());
        let queue = Queue::new();
        let own = LoadBalancerController::new(self.tables.clone(), keys, None, settings, setup.plane.clone());
        self.lane("load_balancer", queue.clone(), own);
        let nudge = |queue: &Queue<load_balancer::All>| {
            let queue = queue.clone();
            move || queue.nudge(load_balancer::All)
        };
        let now = nudge(&queue);
        self.feed::<LoadBalancer>(move |_| now());
        let now = nudge(&queue);
        self.feed::<Listener>(move |_| now());
        let now = nudge(&queue);
        self.feed::<Rule>(move |_| now());
        let now = nudge(&queue);
        self.feed::<TargetGroup>(move |_| now());
        let now = nudge(&queue);
        self.feed::<Target>(move |_| now());
    }
}
