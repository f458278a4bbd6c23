//! `longshore up`: server and host in one process.

use crate::region::Region;
use crate::settings::SettingsArgs;
use anyhow::Result;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

/// Run a region on this machine until Ctrl-C or SIGTERM.
///
/// The API, the registry and the controllers run in this process; containers run below shims of their own, which
/// go on when this process ends and are found again at the next start.
#[derive(Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Stop every running task when the region stops
    #[arg(long, env = "LONGSHORE_STOP_TASKS")]
    stop_tasks: bool,
}

/// Runs until a signal arrives.
pub(crate) async fn run(arguments: UpArgs) -> Result<()> {
    let settings = arguments.settings.resolve()?;
    if !settings.no_host {
        super::doctor::require_root()?;
    }
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let region = Region::start(settings).await?;
    print!("{}", region.banner());
    tokio::select! {
        _ = interrupt.recv() => tracing::info!("interrupted, stopping"),
        _ = terminate.recv() => tracing::info!("asked to terminate, stopping"),
    }
    // A second signal ends the process at once, for those who do not want to wait.
    tokio::select! {
        result = region.stop(arguments.stop_tasks) => result,
        _ = interrupt.recv() => std::process::exit(130),
        _ = terminate.recv() => std::process::exit(143),
    }
}
