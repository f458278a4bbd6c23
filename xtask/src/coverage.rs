//! `cargo xtask coverage`: which operations of a service's API model are built, as a table in `docs/coverage`.
//!
//! The operations of the model come from the generated shapes, the built ones from the service's list of methods, and
//! what is to be said of them from `models/coverage.toml`. So the table needs no package and no network.

use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// Remarks by service and operation.
type Remarks = BTreeMap<String, BTreeMap<String, String>>;

/// Writes the tables; with `check`, fails when one differs instead.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let text =
        std::fs::read_to_string(root.join("models/coverage.toml")).context("read models/coverage.toml")?;
    let remarks: Remarks = toml::from_str(&text).context("parse models/coverage.toml")?;
    for (service, remarks) in &remarks {
        let table = table(root, service, remarks)?;
        let path = root.join("docs/coverage").join(format!("{service}.md"));
        if std::fs::read_to_string(&path).is_ok_and(|old| old == table) {
            continue;
        }
        ensure!(!check, "{} is stale; run `cargo xtask coverage`", path.display());
        std::fs::create_dir_all(root.join("docs/coverage"))?;
        std::fs::write(&path, table).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn table(root: &Path, service: &str, remarks: &BTreeMap<String, String>) -> Result<String> {
    let source = root.join(format!("crates/api/api-{service}/src"));
    let shapes = std::fs::read_to_string(source.join("shapes/service.rs"))?;
    let methods = methods(&std::fs::read_to_string(source.join("lib.rs"))?);
    let all = operations(&shapes);
    ensure!(!all.is_empty(), "no operations in the shapes of {service}");
    if let Some(unknown) = remarks.keys().find(|name| !all.contains(*name)) {
        anyhow::bail!("models/coverage.toml speaks of {unknown}, which {service} does not have");
    }
    let built = all.iter().filter(|name| methods.contains(&plain(name))).count();
    let mut out = format!(
        "# Operations of {service}\n\nWritten by `cargo xtask coverage`. {built} of {} operations of the API model are \
         built. One that is not answers UnknownOperationException.\n\n| operation | built | remark |\n| --- | --- | --- |\n",
        all.len()
    );
    for name in &all {
        let built = if methods.contains(&plain(name)) { "yes" } else { "no" };
        let remark = remarks.get(name).map_or("", String::as_str);
        writeln!(out, "| {name} | {built} | {remark} |")?;
    }
    Ok(out)
}

/// Names of all operations of the model, in the generated table and in the list of those that are not generated.
fn operations(shapes: &str) -> BTreeSet<String> {
    let table = between(shapes, "pub static OPERATIONS", "];");
    let generated = table.lines().filter_map(|line| line.trim().strip_prefix("name: \""));
    let generated = generated.filter_map(|rest| rest.split('"').next());
    let unbuilt = between(shapes, "unbuilt: &[", "]");
    let unbuilt = unbuilt.split('"').skip(1).step_by(2);
    generated.chain(unbuilt).map(str::to_owned).collect()
}

/// Names of the methods that a service hands over to its operations.
fn methods(lib: &str) -> BTreeSet<String> {
    let block = between(lib, "operations! {", "\n}");
    block.lines().filter_map(|line| line.trim().split([':', ',']).next()).map(plain).collect()
}

/// A name without the differences of writing: `GetLifecyclePolicy` and `get_lifecycle_policy` are the same.
fn plain(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let rest = text.split_once(start).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or(rest, |(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_current() {
        run(&crate::root(), true).expect("run `cargo xtask coverage`");
    }

    #[test]
    fn names_are_found() {
        let shapes = "pub static OPERATIONS: [Operation; 1] = [\n Operation {\n name: \"PutThing\",\n }\n];\n x { name: \"s\", unbuilt: &[\"GetThing\", \"ListThings\"] }";
        let found: Vec<String> = operations(shapes).into_iter().collect();
        assert_eq!(found, ["GetThing", "ListThings", "PutThing"]);
        let lib = "macro_rules! operations {\n}\n\noperations! {\n    put_thing: A => B, things::put;\n    get_thing, A => B;\n}\n";
        assert!(["PutThing", "GetThing"].iter().all(|name| methods(lib).contains(&plain(name))));
    }
}
