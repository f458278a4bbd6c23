//! A region for one service: its rows, its controllers, whatever happens to them by chance, and then peace.

use super::chance::Chance;
use super::faulty_store::{Faults, FaultyStore};
use super::plane::{Functions, Plane};
use super::process::{Process, Run, Setup};
use super::rows::{self, ALARM, KEY};
use environment::{Environment, Simulation, Timestamp};
use resources::Stored;
use resources::cloudwatch::StateValue;
use resources::ecs::{Controller, DeploymentAlarms, DeploymentConfiguration, Service, Strategy, Task};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::{MemoryStore, Store, Tables, Versioned};

/// Lines of a trace that are shown.
const SHOWN: usize = 80;
/// Most runs of controllers without a moment going by.
const MOST_RUNS: usize = 400;

/// What the tasks of a release do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Run.
    Good,
    /// Run, with a check that passes after a while.
    Checked,
    /// End as soon as they run.
    Crashing,
    /// Run, with a check that fails.
    NeverHealthy,
    /// Run, and fail the checks of load balancers.
    FailsChecks,
    /// Never come to run.
    CannotPull,
}

/// A kind of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Task by task.
    Rolling,
    /// The same behind a load balancer.
    Balanced,
    /// Deployments of all strategies.
    Shifting,
    /// The same behind a load balancer, whose rules shift the traffic.
    BalancedShifting,
    /// Task sets.
    External,
}

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::Rolling, Self::Balanced, Self::Shifting, Self::BalancedShifting, Self::External];

    pub fn is_balanced(self) -> bool {
        matches!(self, Self::Balanced | Self::BalancedShifting)
    }
}

pub struct World {
    pub seed: u64,
    pub chance: Chance,
    pub kind: Kind,
    /// Only releases are bad: no task of a good one crashes, nobody stops one, and hosts stay. Then the minimum of healthy
    /// tasks holds at every moment.
    pub is_calm: bool,
    /// Its tasks are instances of Cloud Map.
    pub is_found: bool,
    /// The rows as they are, whatever the store of the controllers does.
    pub truth: Tables,
    pub releases: BTreeMap<u32, Release>,
    pub plane: Plane,
    functions: Arc<Functions>,
    simulation: Arc<Simulation>,
    store: Arc<FaultyStore>,
    setup: Setup,
    process: Process,
    /// The lowest desired count of the step, when users have asked for something in it.
    pub asked: Option<u32>,
    trace: Vec<String>,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let from = self.trace.len().saturating_sub(SHOWN);
            eprintln!("seed {} ({:?}, calm: {}):", self.seed, self.kind, self.is_calm);
            self.trace[from..].iter().for_each(|line| eprintln!("  {line}"));
        }
    }
}

impl World {
    /// A service with a good release, as the seed has it.
    pub async fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let kind = Kind::ALL[(seed % 5) as usize];
        let (environment, simulation) =
            Environment::simulated(Timestamp::from_seconds(1_700_000_000), seed ^ 0x5eed);
        let inner = MemoryStore::new(environment.clone());
        let truth = Tables::new(inner.clone() as Arc<dyn Store>, environment.clone());
        rows::create_region(&truth, kind).await;
        let limits = [(100, 200), (50, 100), (0, 100), (50, 200), (100, 150)];
        let (minimum_healthy_percent, maximum_percent) = chance.one_of(&limits);
        let configuration = DeploymentConfiguration {
            minimum_healthy_percent,
            maximum_percent,
            ..DeploymentConfiguration::default()
        };
        let controller = if kind == Kind::External { Controller::External } else { Controller::Ecs };
        let desired = chance.below(5) as u32;
        let service = rows::service(controller, desired, configuration, environment.now());
        truth.create(service).await.expect("creates");
        let store = FaultyStore::new(inner, seed);
        let (plane, functions) = (Plane::default(), Arc::new(Functions::default()));
        let setup = Setup {
            store: store.clone(),
            environment,
            range: rows::range(),
            plane: plane.clone(),
            hooks: functions.clone(),
            account: rows::account(),
        };
        let process = Process::new(&setup);
        let (is_calm, is_found) = (chance.percent(40), chance.percent(50) && kind != Kind::External);
        let mut world = Self {
            seed,
            chance,
            kind,
            is_calm,
            is_found,
            truth,
            releases: BTreeMap::new(),
            plane,
            functions,
            simulation,
            store,
            setup,
            process,
            asked: None,
            trace: Vec::new(),
        };
        if kind == Kind::External {
            world.create_task_set(Release::Good, 10_000).await;
            world.make_primary(0).await;
        } else {
            world.deploy_with(Release::Good, |_| {}).await;
        }
        world.process.list().await;
        world
    }

    pub fn note(&mut self, what: String) {
        let at = self.now().as_seconds();
        self.trace.push(format!("{at} {what}"));
    }

    pub fn now(&self) -> Timestamp {
        self.truth.environment().now()
    }

    pub async fn service(&self) -> Service {
        Service::clone(&self.truth.get::<Service>(KEY).await.expect("reads").expect("is there"))
    }

    pub async fn tasks(&self) -> Vec<Versioned<Task>> {
        self.truth.list_all::<Task>("").await.expect("lists")
    }

    async fn advance(&mut self, duration: Duration) {
        self.crash_what_crashes().await;
        self.spread_sickness().await;
        self.simulation.advance(duration);
    }

    /// Chance has its way for a while.
    pub async fn suffer(&mut self) {
        self.store.set(Faults { pauses: 250, reads: 3, fails: 40, answers: 40, conflicts: 40 });
        for _ in 0..self.chance.below(220) + 60 {
            let before = self.served().await;
            self.asked = None;
            self.step().await;
            self.check_always().await;
            self.check_served(&before).await;
        }
    }

    async fn step(&mut self) {
        match self.chance.below(100) {
            0..=19 => {
                let which = self.chance.below(64) as usize;
                self.process.pump_one(which).await;
            }
            20..=27 => self.process.pump().await,
            28..=64 => self.run_some_controller().await,
            65..=82 => self.move_one().await,
            83..=90 => {
                let seconds = self.chance.below(4);
                self.advance(Duration::from_secs(seconds)).await;
                let now = self.now();
                self.process.resync(now).await;
            }
            91..=95 => self.ask().await,
            _ => self.fault().await,
        }
    }

    async fn fault(&mut self) {
        match self.chance.below(10) {
            0 | 1 => self.restart(),
            2 => {
                let which = self.chance.below(64) as usize;
                self.note("a watch is lost".to_owned());
                self.process.lose_watch(which);
            }
            3 => {
                let seconds = self.chance.one_of(&[2, 60, 4_000, 100_000]);
                self.note(format!("the clock is put back by {seconds}"));
                let then = self.now() - Duration::from_secs(seconds);
                self.crash_what_crashes().await;
                self.simulation.set(then);
            }
            4 => {
                let seconds = self.chance.one_of(&[2, 60, 4_000, 100_000]);
                self.note(format!("the clock is put on by {seconds}"));
                let then = self.now() + Duration::from_secs(seconds);
                self.crash_what_crashes().await;
                self.simulation.set(then);
            }
            5 => {
                let seconds = self.chance.one_of(&[10, 100, 2_000]);
                self.note(format!("{seconds} seconds go by"));
                self.advance(Duration::from_secs(seconds)).await;
            }
            6 => {
                let (calls, takes_effect) = (self.chance.below(4) as u32, self.chance.percent(50));
                self.plane.fail_calls(calls, takes_effect);
            }
            7 | 8 => {
                let answers = [
                    Ok(r#"{"hookStatus":"SUCCEEDED"}"#),
                    Ok(r#"{"hookStatus":"IN_PROGRESS","callBackDelay":7}"#),
                    Ok(r#"{"hookStatus":"FAILED"}"#),
                    Err("no answer"),
                ];
                let answers = (0..2).map(|_| self.chance.one_of(&answers));
                let answers = answers.map(|answer| answer.map(str::to_owned).map_err(str::to_owned));
                self.functions.answer(answers.collect());
            }
            _ if self.is_calm => {}
            _ => self.toggle_host().await,
        }
    }

    /// The process is killed and started anew.
    fn restart(&mut self) {
        self.note("the process is started anew".to_owned());
        self.process = Process::new(&self.setup);
        self.process.resync_at = self.now();
    }

    async fn run_some_controller(&mut self) {
        let lane = self.chance.below(self.process.lanes.len() as u64) as usize;
        // At the beginning everything is listed.
        let now = self.now();
        self.process.resync(now).await;
        let Some(run) = self.process.lanes[lane].next() else { return };
        let name = self.process.lanes[lane].name();
        self.note(format!("run {name}"));
        self.drive(run).await;
    }

    /// Polls a run, and lets other things happen whenever it is paused; or kills the process there.
    async fn drive(&mut self, mut run: Run) {
        while futures::poll!(&mut run).is_pending() {
            if self.chance.below(200) == 0 {
                self.note("in the middle of it".to_owned());
                drop(run);
                return self.restart();
            }
            self.interfere().await;
        }
    }

    /// Something else happens in the middle of a run.
    async fn interfere(&mut self) {
        match self.chance.below(100) {
            0..=29 => self.move_one().await,
            30..=44 => {
                let lane = self.chance.below(self.process.lanes.len() as u64) as usize;
                if let Some(run) = self.process.lanes[lane].next() {
                    let name = self.process.lanes[lane].name();
                    self.note(format!("run {name} meanwhile"));
                    run.await;
                }
            }
            45..=49 => self.ask().await,
            50..=54 => self.advance(Duration::from_secs(1)).await,
            _ => {}
        }
    }

    /// No more faults: what is broken is mended, but for the release and the room in subnets.
    pub async fn make_peace(&mut self) {
        self.note("peace".to_owned());
        self.store.set(Faults::default());
        self.plane.fail_calls(0, false);
        self.functions.answer(Vec::new());
        self.set_alarm(StateValue::Ok).await;
        for host in 0..2 {
            self.connect(host, true).await;
        }
        // It lasts until a time of the day, and the clock may have been put back for long.
        for task in self.tasks().await {
            self.change_task(&task.key(), |task| task.protected_until = None).await;
        }
        // One that was started a moment ago has not listed anything yet.
        let now = self.now();
        self.process.resync(now).await;
        self.asked = None;
    }

    /// Everybody does what there is to do, until a moment must go by.
    async fn round(&mut self) {
        let mut runs = 0;
        loop {
            self.process.pump().await;
            let mut is_done = true;
            for lane in 0..self.process.lanes.len() {
                let name = self.process.lanes[lane].name();
                while let Some(run) = self.process.lanes[lane].next() {
                    run.await;
                    // The controller of load balancers looks again and again.
                    is_done &= name == "load_balancer";
                    runs += 1;
                    assert!(runs < MOST_RUNS, "seed {}: {name} does not come to rest", self.seed);
                }
            }
            if is_done {
                return;
            }
        }
    }

    /// Goes on without faults until nothing more happens, at most for this time. Answers how long it took. No key is listed
    /// anew: what is to be done must be known from the watches.
    pub async fn settle(&mut self, most: Duration) -> Duration {
        let begun = self.truth.environment().elapsed();
        let mut quiet = 0;
        loop {
            let took = self.truth.environment().elapsed().saturating_sub(begun);
            if took >= most || quiet == 2 {
                return took;
            }
            let before = (self.revision().await, self.served().await);
            self.round().await;
            self.move_all().await;
            self.answer_pauses(true).await;
            self.check_always().await;
            self.check_served(&before.1).await;
            let is_same = before.0 == self.revision().await && !self.plane.is_moving();
            let step = match (is_same, self.process.next_timer()) {
                (true, None) => {
                    quiet += 1;
                    Duration::from_secs(1)
                }
                (true, Some(at)) => {
                    at.since(self.now()).max(Duration::from_secs(1)).min(most.saturating_sub(took))
                }
                (false, _) => {
                    quiet = 0;
                    Duration::from_secs(1)
                }
            };
            self.advance(step).await;
        }
    }

    async fn revision(&self) -> u64 {
        self.truth.store().status().await.expect("answers").revision
    }

    /// The last release is a good one, and there is room for it.
    pub async fn deploy_the_last(&mut self) {
        let strategy = match self.kind {
            Kind::Shifting | Kind::BalancedShifting => {
                let kinds = [Strategy::Rolling, Strategy::BlueGreen, Strategy::Linear, Strategy::Canary];
                self.chance.one_of(&kinds)
            }
            Kind::Rolling | Kind::Balanced | Kind::External => Strategy::Rolling,
        };
        self.deploy_with(Release::Checked, |service| {
            let configuration = &mut service.deployment_configuration;
            (configuration.maximum_percent, configuration.strategy) = (200, strategy);
            configuration.hooks.clear();
        })
        .await;
    }

    /// A good release whose deployment fails by the alarm; it may need all the time that its tasks and its alarm take.
    pub async fn deploy_watched(&mut self, rollback: bool) {
        self.deploy_with(Release::Checked, |service| {
            let configuration = &mut service.deployment_configuration;
            let names = vec![ALARM.to_owned()];
            configuration.alarms = Some(DeploymentAlarms { names, enabled: true, rollback });
            configuration.bake_minutes = None;
        })
        .await;
    }

    /// Time goes by, and everybody does what there is to do then.
    pub async fn pass(&mut self, duration: Duration) {
        self.advance(duration).await;
        self.round().await;
    }
}
