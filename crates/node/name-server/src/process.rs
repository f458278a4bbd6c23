//! The process, from its start to its end.

use crate::server::Server;
use daemon::{End, Place, ProcessError, Service};
use environment::Environment;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, interval, sleep};

/// How often sockets that could not be had are tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Longest time for queries that are in progress at the end; no resolver and no silent client takes longer.
const LONGEST_DRAIN: Duration = Duration::from_secs(15);
/// Pause between looks at whether there are any.
const LOOK: Duration = Duration::from_millis(20);

/// Runs the process that serves names from a directory, until it is told to stop or another one has taken over.
pub fn run(directory: &Path) -> Result<(), ProcessError> {
    // Signals that a terminal sends are not for it. It stands alone already when this fails.
    let _ = rustix::process::setsid();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ProcessError::Workers)?;
    runtime.block_on(serve(directory, &Environment::real()))
}

async fn serve(directory: &Path, environment: &Environment) -> Result<(), ProcessError> {
    let (place, inherited) = Place::take(directory).await?;
    let mut server = Server::new(environment, inherited);
    match place.configuration() {
        Ok(Some(configuration)) => server.apply(configuration).await,
        Ok(None) => {}
        // After a loss of power, when it does not matter: it is told again before there is a task.
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "nothing is known from before");
        }
    }
    let taken_over = place.takes_over();
    let server = Arc::new(Mutex::new(server));
    let control = place.serve(server.clone()).await?;
    tracing::info!(directory = %directory.display(), taken_over, "names are served");
    let end = tokio::select! {
        end = control.until_end() => end,
        never = retry(&server) => match never {},
    };
    drain(&server, end).await;
    Ok(())
}

async fn retry(server: &Mutex<Server>) -> Infallible {
    let mut steps = interval(RETRY);
    loop {
        steps.tick().await;
        server.lock().await.listen();
    }
}

async fn drain(server: &Mutex<Server>, end: End) {
    let shared = {
        let mut server = server.lock().await;
        server.stop().await;
        server.shared.clone()
    };
    let deadline = Instant::now() + end.drain.min(LONGEST_DRAIN);
    while !shared.is_idle() && Instant::now() < deadline {
        sleep(LOOK).await;
    }
}
