//! The configuration of a region: flags over environment over file over defaults, resolved once.

mod efs;
mod hook_address;
mod overcommit;

pub(crate) use efs::EfsDirectory;

use anyhow::{Context, Result, bail};
use clap::Args;
pub(crate) use hook_address::HookAddress;
use identifiers::{AccountId, Region};
pub(crate) use overcommit::Overcommit;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Read when it exists and no `--config` is given.
const DEFAULT_FILE: &str = "/etc/longshore/longshore.toml";
const DEFAULT_LISTEN: &str = "127.0.0.1:4566";
const DEFAULT_REGION: &str = "us-east-1";
const DEFAULT_ACCOUNT: &str = "123456789012";
const DEFAULT_RETENTION_DAYS: u32 = 90;
const DEFAULT_RECHECK_HOURS: u64 = 24;
/// In seconds.
const DEFAULT_TRAIL_INTERVAL: u32 = 300;

/// Settings as given by flags and environment; what is absent comes from the file or the defaults.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SettingsArgs {
    /// TOML file with these settings by their long names [default: /etc/longshore/longshore.toml if it exists]
    #[arg(long, env = "LONGSHORE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address and port of the endpoint [default: 127.0.0.1:4566]
    #[arg(long, env = "LONGSHORE_LISTEN", value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where everything that survives is kept [default: /var/lib/longshore as root, else ~/.local/share/longshore]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// AWS region name this installation answers for [default: us-east-1]
    #[arg(long, env = "LONGSHORE_REGION", value_name = "NAME")]
    pub(crate) region: Option<Region>,
    /// Account of the root access key [default: 123456789012]
    #[arg(long, env = "LONGSHORE_ACCOUNT", value_name = "12 DIGITS")]
    pub(crate) account: Option<AccountId>,
    /// Address range of the tasks, a /16 to /24 [default: the first free one of 10.88.0.0/16, 10.89.0.0/16, ...]
    #[arg(long, env = "LONGSHORE_TASK_SUBNET", value_name = "CIDR")]
    pub(crate) task_subnet: Option<String>,
    /// Serve the API and the registry only: no task runs on this machine
    #[arg(long, env = "LONGSHORE_NO_HOST")]
    pub(crate) no_host: bool,
    /// Create an ECR repository at the first push to it, which AWS does not
    #[arg(long, env = "LONGSHORE_CREATE_REPOSITORY_ON_PUSH")]
    pub(crate) create_repository_on_push: bool,
    /// Bucket for the registry's blobs, `s3://BUCKET/PREFIX`; keys as for the aws command line: AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY, or a profile of the credentials file [default: DATA-DIR/blobs]
    #[arg(long, env = "LONGSHORE_BLOBS", value_name = "URL")]
    pub(crate) blobs: Option<String>,
    /// Address of the S3-compatible server with that bucket [default: Amazon's of --s3-region]
    #[arg(long, env = "LONGSHORE_S3_ENDPOINT", value_name = "URL")]
    pub(crate) s3_endpoint: Option<String>,
    /// Region that requests to the bucket are signed for [default: us-east-1]
    #[arg(long, env = "LONGSHORE_S3_REGION", value_name = "NAME")]
    pub(crate) s3_region: Option<String>,
    /// Profile of the credentials file with the bucket's keys [default: the keys of the environment, then `default`]
    #[arg(long, env = "LONGSHORE_S3_PROFILE", value_name = "NAME")]
    pub(crate) s3_profile: Option<String>,
    /// Send clients that pull to the bucket, with an address that is good for an hour; they must be able to reach it
    #[arg(long, env = "LONGSHORE_REDIRECT_DOWNLOADS")]
    pub(crate) redirect_downloads: bool,
    /// Host of another registry that pull-through cache rules reach by plain HTTP; may be given several times
    #[arg(
        long = "insecure-registry",
        env = "LONGSHORE_INSECURE_REGISTRIES",
        value_delimiter = ',',
        value_name = "HOST:PORT"
    )]
    pub(crate) insecure_registries: Vec<String>,
    /// Hours after which a tag of a pull-through cache is compared with the other registry's again; 0 is at every pull
    /// [default: 24]
    #[arg(long, env = "LONGSHORE_PULL_THROUGH_RECHECK_HOURS", value_name = "HOURS")]
    pub(crate) pull_through_recheck_hours: Option<u64>,
    /// Another region of Longshore that replication rules may name, and where it answers; may be given several times. Its
    /// access key is read from REGION.toml in --replication-keys
    #[arg(
        long = "replicate-to",
        env = "LONGSHORE_REPLICATE_TO",
        value_delimiter = ',',
        value_name = "REGION=URL"
    )]
    pub(crate) replicate_to: Vec<ReplicateTo>,
    /// Directory with the access keys of other regions, readable by its owner alone [default: DATA-DIR/replication-keys]
    #[arg(long, env = "LONGSHORE_REPLICATION_KEYS", value_name = "DIR")]
    pub(crate) replication_keys: Option<PathBuf>,
    /// Where a function is called that ECS deployments wait for (a lifecycle hook); may be given several times
    #[arg(long = "hook", env = "LONGSHORE_HOOKS", value_delimiter = ',', value_name = "ARN=URL")]
    pub(crate) hooks: Vec<HookAddress>,
    /// Let lifecycle policies delete and archive images that tasks of this region use, as AWS does
    #[arg(long, env = "LONGSHORE_EXPIRE_IMAGES_IN_USE")]
    pub(crate) expire_images_in_use: bool,
    /// Whose requests are answered: `verify` demands signatures; `open` takes any key and date for the account's root,
    /// on a loopback address only, for test suites written against mocks [default: verify]
    #[arg(long, env = "LONGSHORE_AUTH", value_name = "MODE")]
    pub(crate) auth: Option<AuthMode>,
    /// Do not serve application load balancers on the loopback address, where curl and browsers look for names under
    /// .localhost
    #[arg(long, env = "LONGSHORE_NO_ELB_LOOPBACK")]
    pub(crate) no_elb_loopback: bool,
    /// Write the names of load balancers into /etc/hosts, for programs that ask the C library
    #[arg(long, env = "LONGSHORE_MANAGE_HOSTS_FILE")]
    pub(crate) manage_hosts_file: bool,
    /// Directory whose subdirectories stand for the buckets of load balancers' access logs
    /// [default: DATA-DIR/load-balancer-logs]
    #[arg(long, env = "LONGSHORE_ELB_LOGS_DIR", value_name = "DIR")]
    pub(crate) elb_logs_dir: Option<PathBuf>,
    /// Days for which the record of API calls is kept [default: 90]
    #[arg(long, env = "LONGSHORE_AUDIT_RETENTION_DAYS", value_name = "DAYS")]
    pub(crate) audit_retention_days: Option<NonZeroU32>,
    /// Directory whose subdirectories stand for the buckets of CloudTrail trails [default: DATA-DIR/trails]
    #[arg(long, env = "LONGSHORE_TRAILS_DIR", value_name = "DIR")]
    pub(crate) trails_dir: Option<PathBuf>,
    /// Seconds between two deliveries of CloudTrail trails [default: 300]
    #[arg(long, env = "LONGSHORE_TRAIL_INTERVAL", value_name = "SECONDS")]
    pub(crate) trail_interval: Option<NonZeroU32>,
    /// Directory of this machine that stands for a file system of EFS in volumes of tasks, or for one of its access
    /// points; it may be where an NFS export is mounted. May be given several times
    #[arg(long = "efs", env = "LONGSHORE_EFS", value_delimiter = ',', value_name = "fs-ID=DIR")]
    pub(crate) efs: Vec<EfsDirectory>,
    /// CPU that this machine lends to tasks, as a multiple of what it has [default: 64]
    #[arg(long, env = "LONGSHORE_OVERCOMMIT_CPU", value_name = "FACTOR")]
    pub(crate) overcommit_cpu: Option<Overcommit>,
    /// Memory that this machine lends to tasks, as a multiple of what it has; 1 for tasks that use what they reserve
    /// [default: 16]
    #[arg(long, env = "LONGSHORE_OVERCOMMIT_MEMORY", value_name = "FACTOR")]
    pub(crate) overcommit_memory: Option<Overcommit>,
}

/// Another region, and where it answers: `us-west-2=https://region.example`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ReplicateTo {
    pub(crate) region: Region,
    pub(crate) endpoint: String,
}

impl FromStr for ReplicateTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (region, endpoint) = text.split_once('=').ok_or("write REGION=URL")?;
        let region = region.parse().map_err(|_| format!("{region} is no name of a region"))?;
        let endpoint = endpoint.trim_end_matches('/');
        let uri: http::Uri = endpoint.parse().map_err(|error| format!("{endpoint}: {error}"))?;
        let host = uri.host().ok_or_else(|| format!("{endpoint} is no URL with a host"))?;
        if uri.path() != "/" || uri.query().is_some() {
            return Err(format!("{endpoint} is more than the address of a region"));
        }
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if here => {}
            _ => return Err(format!("{endpoint}: passwords go to other machines by https:// only")),
        }
        Ok(Self { region, endpoint: endpoint.to_owned() })
    }
}

impl TryFrom<String> for ReplicateTo {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ReplicateTo> for String {
    fn from(to: ReplicateTo) -> Self {
        format!("{}={}", to.region, to.endpoint)
    }
}

/// Whose requests are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AuthMode {
    /// Those of callers who sign with a key of the region.
    #[default]
    Verify,
    /// Everybody's, as the account's root.
    Open,
}

/// The file's settings. Unknown keys are refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    listen: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
    region: Option<Region>,
    account: Option<AccountId>,
    task_subnet: Option<String>,
    #[serde(default)]
    no_host: bool,
    #[serde(default)]
    create_repository_on_push: bool,
    blobs: Option<String>,
    s3_endpoint: Option<String>,
    s3_region: Option<String>,
    s3_profile: Option<String>,
    #[serde(default)]
    redirect_downloads: bool,
    #[serde(default)]
    insecure_registries: Vec<String>,
    pull_through_recheck_hours: Option<u64>,
    #[serde(default)]
    replicate_to: Vec<ReplicateTo>,
    replication_keys: Option<PathBuf>,
    #[serde(default)]
    hooks: Vec<HookAddress>,
    #[serde(default)]
    expire_images_in_use: bool,
    #[serde(default)]
    no_elb_loopback: bool,
    #[serde(default)]
    manage_hosts_file: bool,
    elb_logs_dir: Option<PathBuf>,
    auth: Option<AuthMode>,
    audit_retention_days: Option<NonZeroU32>,
    trails_dir: Option<PathBuf>,
    trail_interval: Option<NonZeroU32>,
    #[serde(default)]
    efs: Vec<EfsDirectory>,
    overcommit_cpu: Option<Overcommit>,
    overcommit_memory: Option<Overcommit>,
}

/// The effective settings.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) region: Region,
    pub(crate) account: AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) task_subnet: Option<String>,
    pub(crate) no_host: bool,
    pub(crate) create_repository_on_push: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) blobs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) s3_endpoint: Option<String>,
    pub(crate) s3_region: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) s3_profile: Option<String>,
    pub(crate) redirect_downloads: bool,
    pub(crate) insecure_registries: Vec<String>,
    pub(crate) pull_through_recheck_hours: u64,
    pub(crate) replicate_to: Vec<ReplicateTo>,
    pub(crate) replication_keys: PathBuf,
    pub(crate) hooks: Vec<HookAddress>,
    pub(crate) expire_images_in_use: bool,
    pub(crate) no_elb_loopback: bool,
    pub(crate) manage_hosts_file: bool,
    pub(crate) elb_logs_dir: PathBuf,
    pub(crate) auth: AuthMode,
    pub(crate) audit_retention_days: u32,
    pub(crate) trails_dir: PathBuf,
    /// In seconds.
    pub(crate) trail_interval: u32,
    pub(crate) efs: Vec<EfsDirectory>,
    pub(crate) overcommit_cpu: Overcommit,
    pub(crate) overcommit_memory: Overcommit,
}

impl Settings {
    /// Settings of a region that lives in `directory`, on any free port.
    pub(crate) fn temporary(directory: &Path) -> Result<Self> {
        let arguments = SettingsArgs {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            data_dir: Some(directory.to_owned()),
            ..SettingsArgs::default()
        };
        arguments.resolve()
    }
}

impl SettingsArgs {
    /// The effective settings, or what is wrong with the file.
    pub(crate) fn resolve(self) -> Result<Settings> {
        let file = read_file(self.config.as_deref())?;
        let data_dir = self.data_dir.or(file.data_dir).unwrap_or_else(default_data_dir);
        let listen = match self.listen.or(file.listen) {
            Some(listen) => listen,
            None => DEFAULT_LISTEN.parse()?,
        };
        let auth = self.auth.or(file.auth).unwrap_or_default();
        if auth == AuthMode::Open && !listen.ip().is_loopback() {
            bail!(
                "--auth open lets everybody in as root, and {listen} is not a loopback address; \
                 listen on 127.0.0.1, or leave --auth open out"
            );
        }
        let trails_dir = self.trails_dir.or(file.trails_dir).unwrap_or_else(|| data_dir.join("trails"));
        let logs = self.elb_logs_dir.or(file.elb_logs_dir);
        let logs = logs.unwrap_or_else(|| data_dir.join("load-balancer-logs"));
        let keys = self.replication_keys.or(file.replication_keys);
        let keys = keys.unwrap_or_else(|| data_dir.join("replication-keys"));
        let retention = self.audit_retention_days.or(file.audit_retention_days);
        let interval = self.trail_interval.or(file.trail_interval);
        Ok(Settings {
            listen,
            trails_dir: absolute(&trails_dir)?,
            replication_keys: absolute(&keys)?,
            replicate_to: [self.replicate_to, file.replicate_to].concat(),
            hooks: [self.hooks, file.hooks].concat(),
            data_dir: absolute(&data_dir)?,
            audit_retention_days: retention.map_or(DEFAULT_RETENTION_DAYS, NonZeroU32::get),
            trail_interval: interval.map_or(DEFAULT_TRAIL_INTERVAL, NonZeroU32::get),
            region: match self.region.or(file.region) {
                Some(region) => region,
                None => DEFAULT_REGION.parse()?,
            },
            account: match self.account.or(file.account) {
                Some(account) => account,
                None => DEFAULT_ACCOUNT.parse()?,
            },
            task_subnet: self.task_subnet.or(file.task_subnet),
            no_host: self.no_host || file.no_host,
            create_repository_on_push: self.create_repository_on_push || file.create_repository_on_push,
            blobs: self.blobs.or(file.blobs),
            s3_endpoint: self.s3_endpoint.or(file.s3_endpoint),
            s3_region: self.s3_region.or(file.s3_region).unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            s3_profile: self.s3_profile.or(file.s3_profile),
            redirect_downloads: self.redirect_downloads || file.redirect_downloads,
            insecure_registries: [self.insecure_registries, file.insecure_registries].concat(),
            pull_through_recheck_hours: self
                .pull_through_recheck_hours
                .or(file.pull_through_recheck_hours)
                .unwrap_or(DEFAULT_RECHECK_HOURS),
            expire_images_in_use: self.expire_images_in_use || file.expire_images_in_use,
            no_elb_loopback: self.no_elb_loopback || file.no_elb_loopback,
            manage_hosts_file: self.manage_hosts_file || file.manage_hosts_file,
            elb_logs_dir: absolute(&logs)?,
            auth,
            efs: [self.efs, file.efs].concat(),
            overcommit_cpu: self.overcommit_cpu.or(file.overcommit_cpu).unwrap_or(Overcommit::CPU),
            overcommit_memory: self
                .overcommit_memory
                .or(file.overcommit_memory)
                .unwrap_or(Overcommit::MEMORY),
        })
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("make {} absolute", path.display()))
}

fn read_file(given: Option<&Path>) -> Result<File> {
    let path = given.unwrap_or(Path::new(DEFAULT_FILE));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if given.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(File::default());
        }
        Err(error) => {
            return Err(error).with_context(|| format!("read the configuration {}", path.display()));
        }
    };
    match toml::from_str(&text) {
        Ok(file) => Ok(file),
        Err(error) => bail!("the configuration {} is not right: {error}", path.display()),
    }
}

/// `/var/lib/longshore` for root, the user's data directory otherwise.
pub(crate) fn default_data_dir() -> PathBuf {
    if nix::unistd::geteuid().is_root() {
        return PathBuf::from("/var/lib/longshore");
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    std::env::var_os("XDG_DATA_HOME")
        .map_or_else(|| home.join(".local/share"), PathBuf::from)
        .join("longshore")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_beat_the_file_and_the_file_beats_defaults() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("longshore.toml");
        std::fs::write(&path, "region = \"eu-west-1\"\nlisten = \"127.0.0.1:1\"\novercommit-cpu = 2\n")
            .expect("writes");
        let arguments = SettingsArgs {
            config: Some(path),
            listen: Some("127.0.0.1:2".parse().expect("an address")),
            data_dir: Some(dir.path().to_owned()),
            ..SettingsArgs::default()
        };
        let settings = arguments.resolve().expect("resolves");
        assert_eq!(settings.listen.port(), 2);
        assert_eq!(settings.region.as_str(), "eu-west-1");
        assert_eq!(settings.account.as_str(), DEFAULT_ACCOUNT);
        assert_eq!(
            (settings.overcommit_cpu.of(1024), settings.overcommit_memory),
            (2048, Overcommit::MEMORY)
        );
    }

    #[test]
    fn only_a_loopback_address_is_open_to_everybody() {
        let dir = tempfile::tempdir().expect("a directory");
        let open_on = |listen: &str| SettingsArgs {
            listen: Some(listen.parse().expect("an address")),
            data_dir: Some(dir.path().to_owned()),
            auth: Some(AuthMode::Open),
            ..SettingsArgs::default()
        };
        assert_eq!(open_on("[::1]:0").resolve().expect("resolves").auth, AuthMode::Open);
        let error = open_on("0.0.0.0:4566").resolve().expect_err("refused").to_string();
        assert!(error.contains("not a loopback address"), "{error}");
    }

    #[test]
    fn other_regions_are_reached_by_tls() {
        for (text, good) in [
            ("us-west-2=https://region.example:4566/", true),
            ("us-west-2=http://127.0.0.1:4566", true),
            ("us-west-2=http://[::1]:4566", true),
            ("us-west-2=http://localhost:4566", true),
            ("us-west-2=http://10.0.0.1:4566", false),
            ("us-west-2=ftp://region.example", false),
            ("us-west-2=https://region.example/path", false),
            ("us-west-2=region.example", false),
            ("West=https://region.example", false),
            ("https://region.example", false),
        ] {
            assert_eq!(text.parse::<ReplicateTo>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("longshore.toml");
        std::fs::write(&path, "lisen = \"127.0.0.1:1\"\n").expect("writes");
        let arguments = SettingsArgs { config: Some(path), ..SettingsArgs::default() };
        let error = arguments.resolve().expect_err("refused").to_string();
        assert!(error.contains("lisen"), "{error}");
    }
}
