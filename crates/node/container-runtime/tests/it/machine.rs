//! A runtime with a root file system of busybox, and a check that nothing stays behind.

use container_runtime::{
    ContainerSpec, ContainerState, LogChunk, Phase, Runtime, RuntimeConfig, Sandbox, SandboxSpec,
};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const BUSYBOX: &str = "/bin/busybox";
const DEADLINE: Duration = Duration::from_secs(15);

pub(crate) struct Machine {
    pub(crate) runtime: Runtime,
    pub(crate) dir: TempDir,
    pub(crate) group: String,
}

/// A runtime of its own, or `None` where containers cannot run.
pub(crate) fn machine() -> Option<Machine> {
    let root = std::fs::read_to_string("/proc/self/status").is_ok_and(|text| text.contains("Uid:\t0\t"));
    if !root || !Path::new(BUSYBOX).exists() {
        eprintln!("skipped: needs root and busybox-static");
        return None;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let layer = dir.path().join("layer");
    for name in ["bin", "etc", "tmp", "proc", "sys", "dev"] {
        std::fs::create_dir_all(layer.join(name)).expect("makes");
    }
    std::fs::copy(BUSYBOX, layer.join("bin/busybox")).expect("copies");
    for applet in
        ["sh", "echo", "sleep", "id", "cat", "touch", "mount", "unshare", "dd", "ps", "kill", "true", "pwd"]
    {
        std::os::unix::fs::symlink("busybox", layer.join("bin").join(applet)).expect("links");
    }
    std::fs::write(layer.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/tmp:/bin/sh\n")
        .expect("writes");
    std::fs::write(layer.join("etc/group"), "root:x:0:\napp:x:1000:\n").expect("writes");
    let unique = dir.path().file_name().expect("a name").to_string_lossy().replace('.', "");
    let group = format!("longshore-test-{unique}");
    let runtime = open(&dir, &group);
    Some(Machine { runtime, dir, group })
}

pub(crate) fn open(dir: &TempDir, group: &str) -> Runtime {
    let config = RuntimeConfig {
        root: dir.path().join("s"),
        shim_program: PathBuf::from(env!("CARGO_BIN_EXE_longshore-test-shim")),
        cgroup: group.to_owned(),
        disks: container_runtime::disks_unavailable().is_none().then(|| dir.path().join("disks")),
    };
    Runtime::open(config).expect("opens")
}

impl Machine {
    pub(crate) fn sandbox(id: &str) -> SandboxSpec {
        SandboxSpec {
            id: id.to_owned(),
            hostname: "box".to_owned(),
            network_namespace: PathBuf::from("/proc/self/ns/net"),
            hosts: "127.0.0.1 localhost\n".to_owned(),
            resolv_conf: String::new(),
            cpu: Some(512),
            memory: Some(256 << 20),
            pids: 64,
            ..SandboxSpec::default()
        }
    }

    pub(crate) fn container(&self, name: &str, script: &str) -> ContainerSpec {
        ContainerSpec {
            name: name.to_owned(),
            layers: vec![self.dir.path().join("layer")],
            argv: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
            env: vec!["PATH=/bin".to_owned()],
            cwd: "/".to_owned(),
            keep_output: true,
            ..ContainerSpec::default()
        }
    }

    pub(crate) async fn create(&self, id: &str) -> Sandbox {
        self.runtime.create(&Self::sandbox(id)).await.expect("creates")
    }

    /// Runs a script to its end and returns how it ended and what it said.
    pub(crate) async fn run(&self, spec: ContainerSpec) -> (Phase, Vec<String>) {
        let sandbox = self.create("run").await;
        sandbox.start(&spec).await.expect("starts");
        let ended = ended(&sandbox, &spec.name).await;
        let lines = lines(&sandbox, &spec.name).await;
        self.runtime.remove("run").await.expect("removes");
        self.assert_clean();
        (ended, lines)
    }

    /// Kills the shim of a sandbox the hard way.
    pub(crate) fn kill_shim(&self, id: &str) {
        assert!(self.kill_shim_if_there(id), "the shim's process");
    }

    /// Does so unless it has ended already.
    pub(crate) fn kill_shim_if_there(&self, id: &str) -> bool {
        let folder = self.dir.path().join("s").join(id);
        let folder = folder.to_string_lossy();
        let is_shim = |command: &str| command.contains(&*folder) && command.contains("shim");
        // A container's first process looks the same until it becomes its program; the shim leads its session.
        let shim =
            processes().into_iter().find(|pid| is_shim(&about(*pid, "cmdline")) && leads_session(*pid));
        let Some(shim) = shim else { return false };
        let killed = std::process::Command::new("kill").args(["-9", &shim.to_string()]).status();
        killed.expect("kills").success()
    }

    /// How many processes are in groups of this machine.
    pub(crate) fn processes_in_groups(&self) -> usize {
        processes().into_iter().filter(|pid| about(*pid, "cgroup").contains(&self.group)).count()
    }

    /// No group, directory, mount or process of this machine is left.
    pub(crate) fn assert_clean(&self) {
        // A shim, and what it had forked before that joined a group, carry the directory in their command. What has
        // ended and waits for the machine's init to collect it has no command any more.
        let folder = self.dir.path().join("s");
        let lives = |pid: &i32| {
            let command = about(*pid, "cmdline");
            let in_group = !command.is_empty() && about(*pid, "cgroup").contains(&self.group);
            in_group || command.contains(&*folder.to_string_lossy())
        };
        let deadline = std::time::Instant::now() + DEADLINE;
        let mut left: Vec<i32> = processes().into_iter().filter(lives).collect();
        while !left.is_empty() && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
            left.retain(lives);
        }
        assert!(left.is_empty(), "processes are left: {left:?}");
        assert_eq!(self.runtime.list().expect("lists"), Vec::<String>::new());
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("reads");
        assert!(!mounts.contains(&*self.dir.path().to_string_lossy()), "mounts are left");
        for hierarchy in ["memory", "pids", "cpu", ""] {
            let folder = Path::new("/sys/fs/cgroup").join(hierarchy).join(&self.group);
            let left = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let left: Vec<PathBuf> = left.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
            assert!(left.is_empty(), "groups are left: {left:?}");
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for hierarchy in std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            let _ = std::fs::remove_dir(hierarchy.path().join(&self.group));
        }
        let _ = std::fs::remove_dir(Path::new("/sys/fs/cgroup").join(&self.group));
    }
}

fn processes() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").expect("lists").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A file about a process; empty when it has ended.
fn about(pid: i32, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
}

fn leads_session(pid: i32) -> bool {
    // Fields after the name: state, parent, group, session.
    let stat = about(pid, "stat");
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().nth(3).is_some_and(|session| session == pid.to_string())
}

/// Waits for a container's end.
pub(crate) async fn ended(sandbox: &Sandbox, name: &str) -> Phase {
    let wait = async {
        let mut watch = sandbox.watch().await.expect("watches");
        loop {
            let state = watch.next().await.expect("a state");
            if let Some(ContainerState { phase: phase @ Phase::Exited { .. }, .. }) = state.get(name) {
                return *phase;
            }
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("the container ends")
}

pub(crate) async fn lines(sandbox: &Sandbox, name: &str) -> Vec<String> {
    lines_of_run(sandbox, name, 0).await
}

pub(crate) async fn lines_of_run(sandbox: &Sandbox, name: &str, run: u32) -> Vec<String> {
    let mut reader = sandbox.logs_of_run(name, run, None);
    let mut lines = Vec::new();
    let read = async {
        while let LogChunk::Records(records) = reader.read(1000).await.expect("reads") {
            lines.extend(
                records.into_iter().map(|record| String::from_utf8_lossy(&record.bytes).into_owned()),
            );
        }
    };
    tokio::time::timeout(DEADLINE, read).await.expect("the log ends");
    lines
}

pub(crate) fn code(phase: Phase) -> Option<i32> {
    match phase {
        Phase::Exited { code, .. } => code,
        Phase::Running { .. } => None,
    }
}
