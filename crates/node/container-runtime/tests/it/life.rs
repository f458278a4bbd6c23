//! Starting, ending, output, commands, adoption.

use crate::machine::{Machine, code, ended, lines, lines_of_run, machine, open};
use container_runtime::{ContainerSpec, ExecSpec, LogChunk, Mount, MountSource, Phase, RuntimeError};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

#[tokio::test]
async fn exit_codes_and_output() {
    let Some(machine) = machine() else { return };
    let (phase, said) =
        machine.run(machine.container("a", "echo one; echo two >&2; printf three; exit 3")).await;
    assert_eq!(code(phase), Some(3));
    let mut said = said;
    said.sort();
    assert_eq!(said, ["one", "three", "two"]);
}

#[tokio::test]
async fn signals_and_init() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    let mut with_init =
        machine.container("init", "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done");
    with_init.init = true;
    sandbox.start(&with_init).await.expect("starts");
    sandbox.start(&machine.container("plain", "exec sleep 600")).await.expect("starts");
    let mut log = sandbox.logs("init", None);
    assert!(matches!(log.read(1).await.expect("reads"), LogChunk::Records(_)));
    sandbox.signal("init", 15).await.expect("signals");
    assert_eq!(code(ended(&sandbox, "init").await), Some(7));
    sandbox.signal("plain", 9).await.expect("signals");
    assert_eq!(code(ended(&sandbox, "plain").await), Some(137));
    sandbox.signal("plain", 9).await.expect("a second signal does no harm");
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}

#[tokio::test]
async fn programs_that_are_not_there() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    for (program, text) in [
        ("/no/such", "stat /no/such: no such file or directory"),
        ("nothing", "executable file not found in $PATH"),
        ("/etc/passwd", "permission denied"),
    ] {
        let mut spec = machine.container("x", "");
        spec.argv = vec![program.to_owned()];
        let error = sandbox.start(&spec).await.expect_err("refused").to_string();
        assert!(error.contains(text), "{error}");
    }
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}

#[tokio::test]
async fn programs_that_cannot_run_are_errors_of_the_start() {
    let Some(machine) = machine() else { return };
    let layer = machine.dir.path().join("layer/bin");
    let write = |name: &str, content: &[u8], mode: u32| {
        let path = layer.join(name);
        std::fs::write(&path, content).expect("writes");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("sets");
    };
    let dynamic = std::fs::read(std::env::current_exe().expect("is known")).expect("reads");
    write("script", b"#!/nope -x\necho said", 0o755);
    write("dynamic", &dynamic, 0o755);
    write("text", b"echo said", 0o755);
    write("cut", &dynamic[..64], 0o755);
    write("secret", b"#!/bin/sh\necho said", 0o700);
    let volume = machine.dir.path().join("volume");
    std::fs::create_dir(&volume).expect("makes");
    std::fs::copy(layer.join("busybox"), volume.join("busy")).expect("copies");
    let _writer = std::fs::File::options().append(true).open(volume.join("busy")).expect("opens");
    let sandbox = machine.create("s").await;
    for (number, (argv, env, text)) in [
        (
            vec!["script"],
            String::new(),
            "\"script\": no such file or directory (its interpreter \"/nope\" is not in",
        ),
        (vec!["/bin/dynamic"], String::new(), "no such file or directory (its interpreter \"/lib"),
        (vec!["text"], String::new(), "exec format error (it is neither"),
        (vec!["cut"], String::new(), "exec format error"),
        (vec!["/bin/secret"], String::new(), "permission denied (the user"),
        (vec!["/volume/busy", "true"], String::new(), "text file busy"),
        (vec!["true"], "x".repeat(200_000), "argument list too long"),
        (vec!["/volume/gone"], String::new(), "no such file or directory"),
    ]
    .into_iter()
    .enumerate()
    {
        for init in [false, true] {
            let mut spec = machine.container("x", "");
            spec.argv = argv.iter().map(|arg| (*arg).to_owned()).collect();
            spec.env.push(format!("LONG={env}"));
            spec.user = Some("app".to_owned());
            spec.init = init;
            spec.mounts = vec![Mount {
                source: MountSource::Host(volume.clone()),
                target: "/volume".into(),
                read_only: false,
            }];
            let started = sandbox.start(&spec).await;
            let error = started.map_err(|error| error.to_string()).expect_err(text);
            assert!(error.contains(text), "{number}: {error}");
        }
    }
    let mut good = machine.container("x", "echo said; exec sleep 600");
    good.init = true;
    sandbox.start(&good).await.expect("starts under the same name");
    let script = ExecSpec { argv: vec!["script".to_owned()], timeout_ms: 1000 };
    let error = sandbox.exec("x", &script).await.expect_err("refused").to_string();
    assert!(error.contains("its interpreter"), "{error}");
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}

#[tokio::test]
async fn commands_in_a_container() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    let mut spec = machine.container("a", "echo here > /tmp/f; exec sleep 600");
    spec.user = Some("app".to_owned());
    std::fs::create_dir_all(machine.dir.path().join("layer/tmp")).expect("makes");
    spec.tmpfs = vec![container_runtime::Tmpfs { target: "/tmp".into(), options: vec!["mode=1777".into()] }];
    sandbox.start(&spec).await.expect("starts");
    let exec = |script: &str, timeout_ms| ExecSpec {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        timeout_ms,
    };
    let result = sandbox.exec("a", &exec("id -u; cat /tmp/f; exit 4", 10_000)).await.expect("executes");
    assert_eq!((result.code, result.output.as_str()), (Some(4), "1000\nhere\n"));
    let slow = sandbox.exec("a", &exec("sleep 60", 200)).await.expect("executes");
    assert_eq!(slow.code, None);
    let usage = sandbox.usage("a").await.expect("measures");
    assert!(usage.memory_bytes > 0);
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}

#[tokio::test]
async fn a_container_that_has_ended_runs_again_with_its_files() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    let script = "echo $RUN >> /tmp/f; cat /tmp/f; exit $RUN";
    let mut ids = Vec::new();
    for run in 0..3 {
        let mut spec = ContainerSpec { run, ..machine.container("a", script) };
        spec.env.push(format!("RUN={run}"));
        ids.push(sandbox.start(&spec).await.expect("starts"));
        assert_eq!(code(ended(&sandbox, "a").await), i32::try_from(run).ok());
        let said: Vec<String> = (0..=run).map(|run| run.to_string()).collect();
        assert_eq!(lines_of_run(&sandbox, "a", run).await, said);
    }
    assert_eq!(ids[0], ids[2], "it is the same container");
    let same = sandbox.start(&ContainerSpec { run: 2, ..machine.container("a", "true") }).await;
    assert!(same.is_err(), "a run happens once");
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}

#[tokio::test]
async fn containers_outlive_the_agent() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    sandbox.start(&machine.container("long", "exec sleep 600")).await.expect("starts");
    sandbox.start(&machine.container("short", "echo said; exit 5")).await.expect("starts");
    drop(sandbox);
    let again = open(&machine.dir, &machine.group);
    let sandbox = again.adopt("s").expect("is there");
    assert_eq!(code(ended(&sandbox, "short").await), Some(5));
    assert_eq!(lines(&sandbox, "short").await, ["said"]);
    assert!(matches!(sandbox.last_state()["long"].phase, Phase::Running { .. }));
    again.remove("s").await.expect("removes");
    machine.assert_clean();
}

#[tokio::test]
async fn a_killed_shim_leaves_nothing_after_removal() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    let mut spec = machine.container("a", "exec sleep 600");
    // Its first process is made of the shim, and must hold nothing of it.
    spec.init = true;
    sandbox.start(&spec).await.expect("starts");
    let mut watch = sandbox.watch().await.expect("watches");
    watch.next().await.expect("the first state");
    machine.kill_shim("s");
    assert!(matches!(watch.next().await, Err(RuntimeError::ShimGone(_))));
    let unlocked = async {
        while machine.runtime.adopt("s").is_some() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), unlocked).await.expect("the shim is seen to be gone");
    let remains = machine.runtime.remains("s").expect("is there");
    assert!(matches!(remains.last_state()["a"].phase, Phase::Running { .. }));
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}

#[tokio::test]
async fn a_sandbox_is_made_once() {
    let Some(machine) = machine() else { return };
    let _sandbox = machine.create("s").await;
    assert!(machine.runtime.create(&Machine::sandbox("s")).await.is_err());
    machine.runtime.remove("s").await.expect("removes");
    machine.runtime.remove("s").await.expect("removes what is gone");
    machine.assert_clean();
}

#[tokio::test]
async fn a_shim_killed_at_any_stage_of_a_start_leaves_nothing() {
    let Some(machine) = machine() else { return };
    for stage_ms in [0, 1, 2, 4, 6, 8, 10, 13, 17, 25] {
        let sandbox = machine.create("s").await;
        let mut spec = machine.container("a", "sleep 600 & exec sleep 600");
        spec.init = stage_ms % 2 == 0;
        let starts = tokio::spawn(async move { sandbox.start(&spec).await });
        tokio::time::sleep(Duration::from_millis(stage_ms)).await;
        machine.kill_shim("s");
        // It may have been started just before, or not; it must only not hang.
        let _ =
            tokio::time::timeout(Duration::from_secs(10), starts).await.expect("an answer").expect("joins");
        machine.runtime.remove("s").await.expect("removes");
        machine.assert_clean();
    }
}

#[tokio::test]
async fn a_shim_killed_at_any_stage_of_an_end_leaves_nothing() {
    let Some(machine) = machine() else { return };
    for stage_ms in [0, 1, 2, 3, 5, 8, 12, 20] {
        let sandbox = machine.create("s").await;
        for name in ["a", "b"] {
            let mut spec = machine.container(name, "trap '' TERM; sleep 600 & while :; do sleep 0.01; done");
            spec.init = name == "b";
            sandbox.start(&spec).await.expect("starts");
        }
        sandbox.signal("a", 15).await.expect("signals");
        let runtime = machine.runtime.clone();
        let removes = tokio::spawn(async move { runtime.remove("s").await });
        tokio::time::sleep(Duration::from_millis(stage_ms)).await;
        // It may have done its work and ended.
        machine.kill_shim_if_there("s");
        let removed = tokio::time::timeout(Duration::from_secs(30), removes).await.expect("an answer");
        removed.expect("joins").expect("removes, with the shim or by force");
        machine.assert_clean();
    }
}

#[tokio::test]
async fn a_command_of_a_killed_shim_ends_with_it() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    sandbox.start(&machine.container("a", "echo up; exec sleep 600")).await.expect("starts");
    let again = sandbox.clone();
    let exec = ExecSpec { argv: ["sleep", "600"].map(str::to_owned).to_vec(), timeout_ms: 600_000 };
    let command = tokio::spawn(async move { again.exec("a", &exec).await });
    // Its process counts, once it runs.
    let running = async {
        while machine.processes_in_groups() < 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), running).await.expect("the command runs");
    machine.kill_shim("s");
    let ended = tokio::time::timeout(Duration::from_secs(15), command).await.expect("an answer");
    assert!(matches!(ended.expect("joins"), Err(RuntimeError::ShimGone(_))));
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}
