//! Commands that somebody talks to.

use crate::machine::{code, ended, machine};
use container_runtime::{AttachSpec, Attachment, RuntimeError, Sandbox};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn spec(script: &str, terminal: bool) -> AttachSpec {
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    AttachSpec { argv, env: vec!["TERM=xterm-256color".to_owned(), "PATH=/wrong".to_owned()], terminal }
}

async fn attach(sandbox: &Sandbox, script: &str, terminal: bool) -> Attachment {
    sandbox.attach("a", &spec(script, terminal)).await.expect("attaches")
}

/// What it says until its end, and its exit code.
async fn to_the_end(mut attachment: Attachment) -> (String, String, Option<i32>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    attachment.output.read_to_end(&mut out).await.expect("reads");
    if let Some(error) = &mut attachment.error {
        error.read_to_end(&mut err).await.expect("reads");
    }
    let code = attachment.ended().await.expect("ends");
    (String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&err).into_owned(), code)
}

#[tokio::test]
async fn a_command_with_a_terminal_and_one_with_pipes() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    sandbox.start(&machine.container("a", "exec sleep 600")).await.expect("starts");

    let attachment = attach(&sandbox, "test -t 0 && test -t 1 && tty && echo $TERM && exit 3", true).await;
    let (out, _, code_seen) = to_the_end(attachment).await;
    assert_eq!((out.as_str(), code_seen), ("/dev/pts/0\r\nxterm-256color\r\n", Some(3)));

    let attachment = attach(&sandbox, "read a; echo got $a; stty size", true).await;
    attachment.output.resize(123, 45).expect("resizes");
    attachment.input.clone().expect("an input").write_all(b"hello\r").await.expect("writes");
    let (out, _, _) = to_the_end(attachment).await;
    assert_eq!(out, "hello\r\ngot hello\r\n45 123\r\n");

    let mut attachment = attach(&sandbox, "cat; echo bad >&2; exit 4", false).await;
    let mut input = attachment.input.take().expect("an input");
    let bytes: Vec<u8> = (0..=255).collect();
    input.write_all(&bytes).await.expect("writes");
    drop(input);
    let mut out = Vec::new();
    attachment.output.read_to_end(&mut out).await.expect("reads");
    assert_eq!(out, bytes, "bytes pass as they are");
    let (_, err, code_seen) = to_the_end(attachment).await;
    assert_eq!((err.as_str(), code_seen), ("bad\n", Some(4)));
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}

#[tokio::test]
async fn interrupts_come_through_the_terminal() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    sandbox.start(&machine.container("a", "exec sleep 600")).await.expect("starts");
    let mut attachment =
        attach(&sandbox, "trap 'echo caught; exit 7' INT; echo up; while :; do sleep 0.05; done", true).await;
    let mut up = [0; 4];
    attachment.output.read_exact(&mut up).await.expect("reads");
    attachment.input.clone().expect("an input").write_all(&[3]).await.expect("writes");
    let (out, _, code_seen) = to_the_end(attachment).await;
    assert!(out.contains("caught"), "{out:?}");
    assert_eq!(code_seen, Some(7));
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}

#[tokio::test]
async fn a_command_ends_with_its_asker_and_with_its_container() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    sandbox
        .start(&machine.container("a", "while [ ! -e /tmp/end ]; do sleep 0.02; done; exit 5"))
        .await
        .expect("starts");
    let left = attach(&sandbox, "trap '' HUP; echo $$ > /tmp/pid; sleep 600", false).await;
    let waiting = "while [ ! -s /tmp/pid ]; do sleep 0.02; done; cat /tmp/pid";
    let (pid, _, _) = to_the_end(attach(&sandbox, waiting, false).await).await;
    drop(left);
    let gone = format!("while kill -0 {} 2>/dev/null; do sleep 0.02; done", pid.trim());
    let (_, _, code_seen) = to_the_end(attach(&sandbox, &gone, false).await).await;
    assert_eq!(code_seen, Some(0));

    let stays = attach(&sandbox, "sleep 600", true).await;
    let (_, _, code_seen) = to_the_end(attach(&sandbox, "touch /tmp/end", false).await).await;
    assert!(code_seen.is_some());
    assert_eq!(code(ended(&sandbox, "a").await), Some(5));
    let (_, _, code_seen) = to_the_end(stays).await;
    assert_eq!(code_seen, Some(137));
    let refused = sandbox.attach("a", &spec("true", false)).await;
    assert!(matches!(refused, Err(RuntimeError::Refused(_))));
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}

#[tokio::test]
async fn much_output_and_programs_that_are_not_there() {
    let Some(machine) = machine() else { return };
    let sandbox = machine.create("s").await;
    sandbox.start(&machine.container("a", "exec sleep 600")).await.expect("starts");
    let attachment =
        attach(&sandbox, "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done", true).await;
    let (out, _, code_seen) = to_the_end(attachment).await;
    let lines: Vec<String> = (0..20_000).map(|number| format!("line {number}\r\n")).collect();
    let expected = lines.concat();
    assert!(out == expected, "{} bytes of {}", out.len(), expected.len());
    assert_eq!(code_seen, Some(0));
    for terminal in [true, false] {
        let none = AttachSpec { argv: vec!["/no/program".to_owned()], env: vec![], terminal };
        let Err(RuntimeError::Refused(text)) = sandbox.attach("a", &none).await else { panic!("it runs") };
        assert!(text.contains("no such file"), "{text}");
    }
    // Whoever is refused leaves nothing behind that is in the way of the next.
    let again =
        tokio::time::timeout(Duration::from_secs(20), to_the_end(attach(&sandbox, "echo ok", true).await));
    assert_eq!(again.await.expect("in time").0, "ok\r\n");
    machine.runtime.remove("s").await.expect("removes");
    machine.assert_clean();
}
