//! `longshore vulnerabilities`: the data that images are scanned with.

use crate::data_dir::{DataDir, VULNERABILITIES};
use crate::download::{download, is_url};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use environment::{Environment, Timestamp};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use vulnerability_data::{Database, Importer, Progress, Report, import_path};

/// Import and show the vulnerability data that images are scanned with.
#[derive(Args)]
pub(crate) struct VulnerabilitiesArgs {
    #[command(subcommand)]
    command: VulnerabilitiesCommand,
    /// Data directory of the region [default: as `longshore up`]
    #[arg(long, global = true, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum VulnerabilitiesCommand {
    /// Import advisories: OSV documents and exports, Debian's tracker, Alpine's secdb, RustSec's files
    ///
    /// What did not change is passed over, what was withdrawn is removed. A running region notices new data within
    /// seconds and scans again what is scanned continuously.
    Import {
        /// File, zip archive, directory or URL
        #[arg(required = true, value_name = "FILE|DIR|URL")]
        sources: Vec<String>,
        /// These are all OSV documents or RustSec files there are: remove what they no longer hold
        #[arg(long)]
        complete: bool,
        /// Begin with nothing instead of the data there is
        #[arg(long)]
        rebuild: bool,
    },
    /// Show what was imported, and when
    Status,
}

/// Imports or shows.
pub(crate) async fn run(arguments: VulnerabilitiesArgs) -> Result<()> {
    let dir = DataDir::new(arguments.data_dir.unwrap_or_else(crate::settings::default_data_dir));
    let directory = dir.join(VULNERABILITIES);
    match arguments.command {
        VulnerabilitiesCommand::Import { sources, complete, rebuild } => {
            import(&directory, &sources, complete, rebuild).await
        }
        VulnerabilitiesCommand::Status => status(&directory),
    }
}

async fn import(directory: &Path, sources: &[String], complete: bool, rebuild: bool) -> Result<()> {
    let environment = Environment::real();
    let started = environment.now();
    let mut importer = Importer::begin(directory, started.as_millis(), rebuild)?;
    let mut line = Line::new(environment.clone());
    for (number, source) in sources.iter().enumerate() {
        // Only the last of several sources knows what all of them hold.
        let complete = complete && number + 1 == sources.len();
        let downloaded;
        let path = if is_url(source) {
            downloaded = download(source, |bytes, length| {
                let of = length.map(|length| format!(" of {}", size(length))).unwrap_or_default();
                line.show(|| format!("downloading {source}: {}{of}", size(bytes)));
            });
            downloaded.await?.into_temp_path().keep().context("keep the downloaded file")?
        } else {
            PathBuf::from(source)
        };
        let mut report = |progress: Progress| {
            line.show(|| format!("importing {source}: {} documents", progress.documents));
        };
        let imported = import_path(&mut importer, &path, complete, &mut report);
        if is_url(source) {
            let _ = std::fs::remove_file(&path);
        }
        let progress = imported?;
        line.clear();
        if progress.passed_over > 0 {
            println!("{source}: {} files that hold no advisories were passed over", progress.passed_over);
        }
    }
    line.show(|| "writing".to_owned());
    let report: Report = importer.finish()?;
    line.clear();
    println!(
        "{} added, {} changed, {} removed, {} unchanged, in {:.1} s",
        report.added,
        report.changed,
        report.removed,
        report.unchanged,
        environment.now().since(started).as_secs_f64()
    );
    Ok(())
}

fn status(directory: &Path) -> Result<()> {
    let Some(database) = Database::open(directory)? else {
        println!(
            "No vulnerability data was ever imported; scans fail until `longshore vulnerabilities import` has."
        );
        return Ok(());
    };
    let summary = database.summary();
    let time = |millis: i64| Timestamp::from_millis(millis).to_rfc3339_seconds();
    println!("imported  {}", time(summary.imported_at));
    println!("size      {}, {} advisories", size(database.size()), summary.advisories);
    println!("feeds");
    for (name, feed) in &summary.feeds {
        println!("  {name:<32} {:>8} items, changed {}", feed.items, time(feed.changed_at));
    }
    println!("systems");
    for (name, system) in &summary.systems {
        println!("  {name:<32} {:>8} advisories about {} packages", system.advisories, system.packages);
    }
    Ok(())
}

fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 10 << 20 => format!("{} MiB", bytes >> 20),
        bytes if bytes >= 10 << 10 => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} bytes"),
    }
}

/// A line on the terminal that shows how far it is; nothing where there is no terminal.
struct Line {
    environment: Environment,
    terminal: bool,
    shown: Option<Timestamp>,
}

/// Time between two states of the line.
const SHOWN: Duration = Duration::from_millis(200);

impl Line {
    fn new(environment: Environment) -> Self {
        Self { environment, terminal: std::io::stderr().is_terminal(), shown: None }
    }

    fn show(&mut self, text: impl FnOnce() -> String) {
        let now = self.environment.now();
        if !self.terminal || self.shown.is_some_and(|shown| now.since(shown) < SHOWN) {
            return;
        }
        self.shown = Some(now);
        let mut stderr = std::io::stderr().lock();
        // A terminal that is gone is no reason to end.
        let _ = write!(stderr, "\r\x1b[K{}", text()).and_then(|()| stderr.flush());
    }

    fn clear(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}
