//! The `longshore` program: the command line, configuration and wiring; everything else is in the crates.

mod client;
mod commands;
mod data_dir;
mod download;
mod hosts_file;
mod region;
mod registry_client;
mod settings;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use commands::{
    account, configure, demo, doctor, env, exec, keys, logs, registry, spot, status, up, vulnerabilities,
};
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// What is logged where nothing else is said.
const LOG: &str = "warn";

/// A self-hosted container region that speaks the AWS API.
///
/// Start a region with `longshore up`, then point any AWS client at it: eval "$(longshore env)".
#[derive(Parser)]
#[command(name = "longshore", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What to log: error, warn, info, debug, trace, or a filter such as info,node_agent=debug
    #[arg(long, global = true, env = "LONGSHORE_LOG", default_value = LOG, value_name = "LEVEL")]
    log: String,
}

#[derive(Subcommand)]
enum Command {
    Up(up::UpArgs),
    Demo(demo::DemoArgs),
    Env(env::EnvArgs),
    Configure(configure::ConfigureArgs),
    Status(status::StatusArgs),
    Exec(exec::ExecArgs),
    Logs(logs::LogsArgs),
    Account(account::AccountArgs),
    Doctor(doctor::DoctorArgs),
    Keys(keys::KeysArgs),
    Registry(registry::RegistryArgs),
    Spot(spot::SpotArgs),
    Vulnerabilities(vulnerabilities::VulnerabilitiesArgs),
    /// Print the effective configuration, or what is wrong with it
    CheckConfig(settings::SettingsArgs),
    /// The process that carries the traffic of load balancers, or of a task by Service Connect
    #[command(name = load_balancer::COMMAND, hide = true)]
    LoadBalancer {
        /// Its directory
        #[arg(long)]
        dir: std::path::PathBuf,
        /// The network namespace of the task that it is the proxy of
        #[arg(long)]
        network_namespace: Option<std::path::PathBuf>,
    },
    /// What the containers of the demonstration run
    #[command(hide = true)]
    DemoContainer(demo::container::DemoContainerArgs),
    /// Print a completion script for a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    // A shim is this program started anew; it must be there before any thread is.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == container_runtime::SHIM_COMMAND) {
        container_runtime::shim_main(arguments.collect());
    }
    if let Some(dir) = name_server_dir() {
        // Reading the whole command line would take more memory than answering names does.
        say(&std::env::var("LONGSHORE_LOG").unwrap_or_else(|_| LOG.to_owned()));
        return ended(name_server::run(&dir).map_err(Into::into));
    }
    let cli = Cli::parse();
    say(&cli.log);
    if !matches!(cli.command, Command::Up(_) | Command::LoadBalancer { .. }) {
        end_with_the_reader();
    }
    ended(run(cli.command))
}

/// Lets a program whose reader has gone (`longshore status | head -1`) end as SIGPIPE would end it, where `println!` panics.
/// Not by that signal itself: it would also come of a server that closes a connection, which is to be told.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let cause = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if cause.starts_with("failed printing to stdout") && cause.contains("Broken pipe") {
            std::process::exit(141);
        }
        usual(panic);
    }));
}

/// The directory of the name server that this process is to be: `longshore name-server --dir DIR`.
fn name_server_dir() -> Option<PathBuf> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [command, flag, dir] if command == name_server::COMMAND && flag == "--dir" => Some(dir.into()),
        _ => None,
    }
}

/// Has what is worth saying said on the standard error.
fn say(level: &str) {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new(LOG)))
        .with_writer(std::io::stderr)
        // That would be said where nothing can be said (on a full disk), and to fail twice is to panic.
        .log_internal_errors(false)
        .init();
}

fn ended(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("longshore: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Env(arguments) => env::run(arguments),
        Command::Configure(arguments) => configure::run(arguments),
        Command::Keys(arguments) => keys::run(arguments),
        Command::DemoContainer(arguments) => demo::container::run(arguments),
        Command::LoadBalancer { dir, network_namespace } => {
            Ok(load_balancer::run(&dir, network_namespace.as_deref())?)
        }
        Command::CheckConfig(arguments) => {
            print!("{}", toml::to_string(&arguments.resolve()?)?);
            Ok(())
        }
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "longshore", &mut std::io::stdout());
            Ok(())
        }
        Command::Up(arguments) => block_on(up::run(arguments)),
        Command::Demo(arguments) => block_on(demo::run(arguments)),
        Command::Doctor(arguments) => block_on(doctor::run(arguments)),
        Command::Exec(arguments) => block_on(exec::run(arguments)),
        Command::Logs(arguments) => block_on(logs::run(arguments)),
        Command::Account(arguments) => block_on(account::run(arguments)),
        Command::Registry(arguments) => block_on(registry::run(arguments)),
        Command::Spot(arguments) => block_on(spot::run(arguments)),
        Command::Status(arguments) => block_on(status::run(arguments)),
        Command::Vulnerabilities(arguments) => block_on(vulnerabilities::run(arguments)),
    }
}

fn block_on(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
