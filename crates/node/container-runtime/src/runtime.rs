//! The agent's side: starting shims, finding them again, and clearing up after those that died.

use crate::disks::disks_unavailable;
use crate::error::RuntimeError;
use crate::protocol::Request;
use crate::sandbox::{Sandbox, ask};
use crate::spec::{SandboxSpec, VolumeSource};
use crate::{SHIM_COMMAND, cgroup, liveness, volumes};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// How long a shim may take to answer for the first time.
const SHIM_TIME: Duration = Duration::from_secs(10);
/// How long a shim may take to undo everything.
const REMOVE_TIME: Duration = Duration::from_secs(30);

/// Where and how sandboxes are kept.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// Directory of the sandboxes' state. Its path is short, since sockets lie in it.
    pub root: PathBuf,
    /// The program to start as shim, called with [`SHIM_COMMAND`] as its first argument.
    pub shim_program: PathBuf,
    /// Group of the region below which sandboxes have theirs, such as `longshore-a1b2`.
    pub cgroup: String,
    /// Directory of formatted disks that those of sandboxes are copied from; without it sandboxes have none.
    pub disks: Option<PathBuf>,
}

/// The sandboxes of a machine; cheap to clone.
#[derive(Clone, Debug)]
pub struct Runtime(Arc<RuntimeConfig>);

impl Runtime {
    /// Opens the directory of sandboxes, which may hold some of an earlier run.
    pub fn open(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        fs::create_dir_all(&config.root)
            .map_err(|error| RuntimeError::io("creating", &config.root, error))?;
        // Sockets that start processes as root and the environment of containers are nobody else's.
        fs::set_permissions(&config.root, fs::Permissions::from_mode(0o700))
            .map_err(|error| RuntimeError::io("closing to others", &config.root, error))?;
        Ok(Self(Arc::new(config)))
    }

    /// Makes a sandbox and its shim. A sandbox of that id must not exist.
    pub async fn create(&self, spec: &SandboxSpec) -> Result<Sandbox, RuntimeError> {
        let (runtime, own) = (self.clone(), spec.clone());
        let spawned = tokio::task::spawn_blocking(move || runtime.spawn(&own)).await;
        spawned.map_err(|error| RuntimeError::NoShim(error.to_string()))??;
        let sandbox = Sandbox::new(&spec.id, self.folder(&spec.id));
        match tokio::time::timeout(SHIM_TIME, ask(&sandbox.socket(), &Request::Ping)).await {
            Ok(Ok(_)) => Ok(sandbox),
            Ok(Err(error)) => Err(RuntimeError::NoShim(self.last_words(&spec.id, error.to_string()))),
            Err(_) => Err(RuntimeError::NoShim(self.last_words(&spec.id, "no answer in time".to_owned()))),
        }
    }

    /// A sandbox of an earlier run whose shim lives.
    pub fn adopt(&self, id: &str) -> Option<Sandbox> {
        let sandbox = Sandbox::new(id, self.folder(id));
        liveness::shim_lives(&sandbox.lock()).then_some(sandbox)
    }

    /// A sandbox whose shim may be gone, to read what is left of it: the last state and the logs.
    pub fn remains(&self, id: &str) -> Option<Sandbox> {
        let folder = self.folder(id);
        folder.is_dir().then(|| Sandbox::new(id, folder))
    }

    /// Ids of all sandboxes, whether their shims live or not.
    pub fn list(&self) -> Result<Vec<String>, RuntimeError> {
        let root = &self.0.root;
        let entries = fs::read_dir(root).map_err(|error| RuntimeError::io("listing", root, error))?;
        Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    /// Moves a process of the host into a group of its own beside the containers of a sandbox, so that it ends with the sandbox.
    pub fn join(&self, id: &str, name: &str, pid: u32) -> Result<(), RuntimeError> {
        let group = self.group(id);
        let pid = i32::try_from(pid).map_err(|error| RuntimeError::Refused(error.to_string()))?;
        cgroup::join_beside_containers(&group, name, pid)
            .map_err(|error| RuntimeError::io("joining the cgroup", &group, error))
    }

    /// Kills what is left in a sandbox and removes every trace of it; fine when there is none.
    pub async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        let sandbox = Sandbox::new(id, self.folder(id));
        let mut orderly = false;
        if liveness::shim_lives(&sandbox.lock()) {
            // A shim that does not answer is killed below with everything else.
            let asked = tokio::time::timeout(REMOVE_TIME, sandbox.ask(&Request::Remove)).await;
            orderly = matches!(asked, Ok(Ok(_)));
            if !orderly {
                tracing::warn!(sandbox = id, "the shim did not remove its sandbox, removing it by force");
            }
        }
        let (runtime, id) = (self.clone(), id.to_owned());
        let cleared = tokio::task::spawn_blocking(move || {
            let folder = runtime.folder(&id);
            if !orderly && folder.is_dir() {
                liveness::kill_all(&folder)
                    .map_err(|error| RuntimeError::io("killing what is left of", folder, error))?;
            }
            runtime.clear(&id)
        })
        .await;
        cleared.map_err(|error| RuntimeError::NoShim(error.to_string()))?
    }

    /// Removes the region's own control group if no sandbox is left in it.
    pub fn close(&self) {
        for folder in cgroup::folders(&self.0.cgroup) {
            // It stays while a sandbox has a group below it, and the next start uses it again.
            let _ = fs::remove_dir(folder);
        }
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.0.root.join(id)
    }

    fn group(&self, id: &str) -> String {
        format!("/{}/{id}", self.0.cgroup)
    }

    /// Starts the shim: it daemonizes, so its first process ends at once and nothing has to wait for it later.
    fn spawn(&self, spec: &SandboxSpec) -> Result<(), RuntimeError> {
        let folder = self.folder(&spec.id);
        let failed =
            |action: &'static str| move |error| RuntimeError::io(action, folder_of(self, spec), error);
        fs::create_dir(&folder).map_err(failed("creating"))?;
        let spec = &self.with_disks(&folder, spec)?;
        let text = serde_json::to_vec(spec).map_err(|error| RuntimeError::NoShim(error.to_string()))?;
        for (name, content) in [
            ("sandbox.json", text.as_slice()),
            ("hosts", spec.hosts.as_bytes()),
            ("hostname", format!("{}\n", spec.hostname).as_bytes()),
            ("resolv.conf", spec.resolv_conf.as_bytes()),
        ] {
            let path = folder.join(name);
            fs::write(&path, content).map_err(failed("writing"))?;
            // Any user of a container reads these, whatever mask the server was started with.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644))
                .map_err(failed("opening to readers"))?;
        }
        let sandbox = Sandbox::new(&spec.id, folder.clone());
        // The socket is there before the shim is, so nobody waits for it to appear.
        let listener = UnixListener::bind(sandbox.socket()).map_err(failed("binding the socket of"))?;
        let errors = fs::File::create(folder.join("shim.log")).map_err(failed("creating the log of"))?;
        let mut child = Command::new(&self.0.shim_program)
            .arg(SHIM_COMMAND)
            .arg(&folder)
            .arg(self.group(&spec.id))
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::null())
            .stderr(Stdio::from(errors))
            .env_clear()
            .current_dir("/")
            .spawn()
            .map_err(failed("starting the shim of"))?;
        let status = child.wait().map_err(failed("waiting for the shim of"))?;
        if status.success() {
            Ok(())
        } else {
            Err(RuntimeError::NoShim(self.last_words(&spec.id, status.to_string())))
        }
    }

    /// Makes the sandbox's disks. Where there are none, what is written is not bounded here; see [`Runtime::written`].
    fn with_disks(&self, folder: &Path, spec: &SandboxSpec) -> Result<SandboxSpec, RuntimeError> {
        let mut spec = spec.clone();
        if let Some(templates) = &self.0.disks {
            volumes::make_disks(folder, &spec, templates).map_err(RuntimeError::Refused)?;
        } else {
            spec.scratch = None;
            let disk = spec.volumes.iter().find(|volume| matches!(volume.source, VolumeSource::Disk(_)));
            if let Some(volume) = disk {
                let why = disks_unavailable().unwrap_or_default();
                return Err(RuntimeError::Refused(format!(
                    "volume {}: this host cannot make block volumes: {why}",
                    volume.name
                )));
            }
        }
        Ok(spec)
    }

    /// Whether sandboxes get disks, so that a bound on what they write holds by itself.
    pub fn has_disks(&self) -> bool {
        self.0.disks.is_some()
    }

    /// Bytes that a sandbox takes on the disk of the host for what it has written.
    pub fn written(&self, id: &str) -> u64 {
        volumes::written(&self.folder(id))
    }

    /// Bytes of the disk that holds the sandboxes: available, and in all.
    pub fn room(&self) -> Result<(u64, u64), RuntimeError> {
        let root = &self.0.root;
        let about = nix::sys::statvfs::statvfs(root)
            .map_err(|error| RuntimeError::io("asking for the room of", root, error.into()))?;
        let unit = about.fragment_size();
        Ok((about.blocks_available() * unit, about.blocks() * unit))
    }

    /// What a shim wrote before it died, or else `error`.
    fn last_words(&self, id: &str, error: String) -> String {
        let words = fs::read_to_string(self.folder(id).join("shim.log")).unwrap_or_default();
        if words.trim().is_empty() { error } else { words.trim().to_owned() }
    }

    /// Removes what a shim left, killed or not. Its mounts went with its mount namespace.
    fn clear(&self, id: &str) -> Result<(), RuntimeError> {
        let group = self.group(id);
        cgroup::destroy(&group).map_err(|error| RuntimeError::io("removing the cgroup", &group, error))?;
        let folder = self.folder(id);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(RuntimeError::io("removing", folder, error))
            }
            _ => Ok(()),
        }
    }
}

fn folder_of(runtime: &Runtime, spec: &SandboxSpec) -> PathBuf {
    runtime.folder(&spec.id)
}
