//! The name server of this machine's tasks: its process, and what that is told.

use anyhow::{Context, Result, bail};
use container_network::Network;
use controllers::discovery::Zones;
use dns_zones::{Configuration, Report};
use environment::Environment;
use ipnet::Ipv4Net;
use name_server::{ControlError, NameServer};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

/// Its directory in that of the region; there while names are to be answered.
const DIRECTORY: &str = "name-server";
/// Port of name queries.
const PORT: u16 = 53;
/// Pause between two configurations: what changes meanwhile is told together.
const PAUSE: Duration = Duration::from_millis(10);
/// Pause before a configuration that was not taken is told again, at first and at most.
const AGAIN: Duration = Duration::from_millis(100);
const LONGEST_AGAIN: Duration = Duration::from_secs(10);
/// Longest time for queries that are in progress when names are no longer answered.
const DRAIN: Duration = Duration::from_secs(1);

/// Names by their addresses.
pub(super) type Names = BTreeMap<String, Vec<Ipv4Addr>>;

/// The names of the host's tasks; clones are the same.
#[derive(Clone)]
pub(super) struct HostNames(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    program: PathBuf,
    environment: Environment,
    listen: SocketAddr,
    range: Ipv4Net,
    /// Names of private namespaces.
    zones: Zones,
    /// Names of load balancers; those of the last run until they are known again.
    names: watch::Sender<Names>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    process: Option<NameServer>,
    told: Option<Configuration>,
}

impl HostNames {
    /// Of the tasks in a network with addresses from `range`.
    pub(super) fn new(
        network: &Network,
        range: Ipv4Net,
        zones: Zones,
        data_dir: &Path,
        program: PathBuf,
        environment: Environment,
    ) -> Self {
        let directory = data_dir.join(DIRECTORY);
        let last = name_server::home(&directory, program.clone(), &environment).last_configuration();
        let names = last.map_or_else(Names::new, |last: Configuration| last.names);
        Self(Arc::new(Inner {
            directory,
            program,
            environment,
            listen: (network.gateway(), PORT).into(),
            range,
            zones,
            names: watch::Sender::new(names),
            state: Mutex::default(),
        }))
    }

    /// Finds the process, or starts it, and has it answer. Fails when it cannot, as when its port is taken.
    pub(super) async fn start(&self) -> Result<()> {
        let Inner { directory, program, environment, .. } = &*self.0;
        let process = name_server::start(directory, program.clone(), environment).await;
        self.0.state.lock().await.process = Some(process.context("start the name server of tasks")?);
        self.tell().await.context("tell the name server of tasks what to answer")?;
        if let Some(process) = &self.0.state.lock().await.process {
            let report = process.report().await?;
            if !report.faults.is_empty() {
                bail!("{}", report.faults.join("; "));
            }
        }
        Ok(())
    }

    /// Has everybody find load balancers by these names, and by no others.
    pub(super) fn set(&self, names: Names) {
        self.0.names.send_if_modified(|own| {
            let changed = *own != names;
            *own = names;
            changed
        });
    }

    /// Tells the process what changes, until `stop`.
    pub(super) async fn follow(self, stop: CancellationToken) {
        let (mut zones, mut names) = (self.0.zones.changes(), self.0.names.subscribe());
        // What has changed since the process was started.
        zones.mark_changed();
        loop {
            let told = async {
                tokio::select! {
                    _ = zones.changed() => {}
                    _ = names.changed() => {}
                }
                self.tell_until_taken().await;
                self.0.environment.sleep(PAUSE).await;
            };
            tokio::select! {
                () = told => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn tell_until_taken(&self) {
        let mut pause = AGAIN;
        while let Err(error) = self.tell().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the name server of tasks does not know what has changed"
            );
            self.0.environment.sleep(pause).await;
            pause = (pause * 2).min(LONGEST_AGAIN);
        }
    }

    /// Tells the process what holds now, unless it knows.
    async fn tell(&self) -> Result<(), ControlError> {
        let mut state = self.0.state.lock().await;
        let wanted = self.wanted();
        if let Some(process) = &state.process
            && state.told.as_ref() != Some(&wanted)
        {
            process.apply(&wanted).await?;
            state.told = Some(wanted);
        }
        Ok(())
    }

    fn wanted(&self) -> Configuration {
        let range = self.0.range;
        let mut zones = self.0.zones.now();
        if zones.zones.is_empty() {
            // All see the same, so who may ask anyway need not be named, and nothing changes with each task.
            zones.views.iter_mut().for_each(|view| view.clients.retain(|client| !range.contains(client)));
            zones.views.retain(|view| !view.clients.is_empty());
        }
        Configuration {
            listen: vec![self.0.listen],
            range: Some(range),
            resolvers: vec![],
            names: self.0.names.borrow().clone(),
            zones,
        }
    }

    /// Ends the process: nobody is left who asks.
    pub(super) async fn end(&self) {
        // Nobody replaces it from here on.
        drop(self.0.state.lock().await.process.take());
        let Inner { directory, program, environment, .. } = &*self.0;
        let home = name_server::home(directory, program.clone(), environment);
        if let Err(error) = home.stop(DRAIN).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the name server has ended by itself");
        }
        if let Err(error) = std::fs::remove_dir_all(directory) {
            tracing::warn!(%error, path = %directory.display(), "cannot remove what the name server knew");
        }
    }
}

/// What the name server of a region says of itself, or what is wrong with it; nothing when there are no tasks that would ask it.
pub(crate) async fn look(data_dir: &Path) -> Option<Result<String, String>> {
    let directory = data_dir.join(DIRECTORY);
    if !directory.exists() {
        return None;
    }
    let home = name_server::home(&directory, PathBuf::new(), &Environment::real());
    let asked = async { Ok::<_, ControlError>((home.pid().await?, home.report::<Report>().await?)) };
    Some(match asked.await {
        Ok((pid, report)) if report.faults.is_empty() => Ok(format!(
            "process {pid}: {} queries of tasks answered, {} passed on, {} refused",
            report.answered, report.forwarded, report.refused
        )),
        Ok((pid, report)) => Err(format!("process {pid}: {}", report.faults.join("; "))),
        Err(_) => Err(format!(
            "tasks resolve no names: the name server does not run; `longshore up` starts it, and {} says why it ended",
            directory.join(format!("{}.log", name_server::COMMAND)).display()
        )),
    })
}
