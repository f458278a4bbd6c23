//! What a session says, as lines in a log stream that has the session's name. The role of the task writes them.

use crate::api::TaskApi;
use crate::task::secrets::attempts;
use environment::{Environment, Timestamp};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Pieces of output that wait; more make the session wait.
const QUEUE: usize = 64;
/// How long lines are gathered before they are sent.
const GATHER: Duration = Duration::from_secs(1);
/// Most lines, and bytes, of one request; half of what the service takes.
const MOST_LINES: usize = 5_000;
const MOST_BYTES: usize = 512 * 1024;
/// Longest line; a longer one is cut in pieces.
const MOST_LINE: usize = 64 * 1024;
/// Time for the last lines to arrive.
const FLUSH_TIME: Duration = Duration::from_secs(20);

/// Writes what a session says.
pub(super) struct Transcript {
    pieces: mpsc::Sender<Vec<u8>>,
    task: JoinHandle<()>,
    environment: Environment,
}

impl Transcript {
    pub(super) fn open(api: TaskApi, environment: Environment, group: String, stream: String) -> Self {
        let (pieces, queue) = mpsc::channel(QUEUE);
        let own = environment.clone();
        let task = tokio::spawn(async move { ship(&api, &own, &group, &stream, queue).await });
        Self { pieces, task, environment }
    }

    /// Takes some output; waits while there is too much. What cannot be logged is lost, and said in the agent's log.
    pub(super) async fn take(&self, bytes: &[u8]) {
        let _ = self.pieces.send(bytes.to_vec()).await;
    }

    /// Waits for the last lines to arrive, within a bound.
    pub(super) async fn close(self) {
        drop(self.pieces);
        tokio::select! {
            _ = self.task => {}
            () = self.environment.sleep(FLUSH_TIME) => tracing::warn!("the end of a session's log is lost"),
        }
    }
}

async fn ship(
    api: &TaskApi,
    environment: &Environment,
    group: &str,
    stream: &str,
    mut queue: mpsc::Receiver<Vec<u8>>,
) {
    let made = attempts(environment, || api.create_log_stream(group, stream)).await;
    if let Err((_, error)) = made
        && error.code() != Some("ResourceAlreadyExistsException")
    {
        tracing::warn!(group, stream, %error, "a session is not logged");
        return;
    }
    let mut lines = Lines::default();
    let mut open = true;
    while open {
        let mut send_at = None;
        while open && !lines.are_many() {
            let due = async {
                match send_at {
                    Some(at) => environment.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                piece = queue.recv() => match piece {
                    Some(piece) => {
                        let now = environment.now();
                        lines.take(&piece, now);
                        send_at.get_or_insert(now + GATHER);
                    }
                    None => open = false,
                },
                () = due => break,
            }
        }
        if !open {
            lines.end(environment.now());
        }
        let ready = std::mem::take(&mut lines.ready);
        lines.bytes = 0;
        if ready.is_empty() {
            continue;
        }
        let events: Vec<(Timestamp, &str)> = ready.iter().map(|(at, line)| (*at, line.as_str())).collect();
        if let Err((_, error)) = attempts(environment, || api.put_log_events(group, stream, &events)).await {
            tracing::warn!(group, stream, lines = events.len(), %error, "lines of a session are lost");
        }
    }
}

/// Output on its way to become lines.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
    ready: Vec<(Timestamp, String)>,
    bytes: usize,
}

impl Lines {
    fn are_many(&self) -> bool {
        self.ready.len() >= MOST_LINES || self.bytes >= MOST_BYTES
    }

    fn take(&mut self, bytes: &[u8], now: Timestamp) {
        for byte in bytes {
            if *byte == b'\n' {
                self.end(now);
            } else {
                self.rest.push(*byte);
                if self.rest.len() >= MOST_LINE {
                    self.end(now);
                }
            }
        }
    }

    /// Ends the line. Empty ones are left out, for the service takes none.
    fn end(&mut self, now: Timestamp) {
        let line = std::mem::take(&mut self.rest);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches('\r');
        if !line.is_empty() {
            self.bytes += line.len();
            self.ready.push((now, line.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_becomes_lines() {
        let mut lines = Lines::default();
        let now = Timestamp::from_millis(1);
        lines.take(b"one\r\ntw", now);
        lines.take(b"o\n\nthree", now);
        lines.end(now);
        let texts: Vec<_> = lines.ready.iter().map(|(_, line)| line.as_str()).collect();
        assert_eq!(texts, ["one", "two", "three"]);
        lines.take(&vec![b'x'; MOST_LINE + 1], now);
        assert_eq!(lines.ready.last().expect("cut").1.len(), MOST_LINE);
    }
}
