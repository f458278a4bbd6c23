//! Where a load balancer tells what it carries: files of access logs, or the standard output of a proxy.

use crate::access_log::AccessLogFile;
use environment::Environment;
use load_balancing::{LoadBalancer, ProxyLog};
use parking_lot::Mutex;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Most bytes of a proxy that wait to be written; lines beyond are lost, and that is said among them.
const MOST_WAITING: usize = 4 << 20;

/// The log of one load balancer.
#[derive(Debug)]
pub(crate) enum Log {
    Files(AccessLogFile),
    Output(Output),
}

/// Lines for the standard output.
#[derive(Debug)]
pub(crate) struct Output {
    settings: ProxyLog,
    waiting: Mutex<String>,
    lost: AtomicU64,
}

impl Log {
    /// The log that a load balancer is to have, if any.
    pub(crate) fn of(balancer: &LoadBalancer, environment: &Environment) -> Option<Self> {
        if let Some(settings) = balancer.proxy_log {
            return Some(Self::Output(Output {
                settings,
                waiting: Mutex::default(),
                lost: AtomicU64::new(0),
            }));
        }
        let settings = balancer.access_log.as_ref()?;
        let address = balancer.addresses.first().map_or("-".to_owned(), ToString::to_string);
        Some(Self::Files(AccessLogFile::new(settings, &balancer.arn, &address, environment)))
    }

    /// Whether it is the log that a load balancer is to have.
    pub(crate) fn is_of(&self, balancer: &LoadBalancer) -> bool {
        match self {
            Self::Output(own) => balancer.proxy_log == Some(own.settings),
            Self::Files(own) => {
                balancer.proxy_log.is_none() && balancer.access_log.as_ref().is_some_and(|log| own.has(log))
            }
        }
    }

    /// How lines are told, where it is a proxy that tells them.
    pub(crate) fn proxy(&self) -> Option<ProxyLog> {
        match self {
            Self::Output(own) => Some(own.settings),
            Self::Files(_) => None,
        }
    }

    /// Adds a line, which `line` writes with its end.
    pub(crate) fn write(&self, line: impl FnOnce(&mut String)) {
        match self {
            Self::Files(own) => own.write(line),
            Self::Output(own) => {
                let mut waiting = own.waiting.lock();
                if waiting.len() < MOST_WAITING {
                    line(&mut waiting);
                } else {
                    own.lost.fetch_add(1, Relaxed);
                }
            }
        }
    }

    /// Writes what waits.
    pub(crate) fn flush(&self) {
        match self {
            Self::Files(own) => own.flush(),
            Self::Output(own) => own.flush(),
        }
    }
}

impl Output {
    fn flush(&self) {
        // Held from here on, so that lines stay whole and in their order.
        let mut output = io::stdout().lock();
        let lines = std::mem::take(&mut *self.waiting.lock());
        let lost = self.lost.swap(0, Relaxed);
        let written = output.write_all(lines.as_bytes()).and_then(|()| output.flush());
        if let Err(error) = written {
            tracing::warn!(%error, "what was carried cannot be told");
        }
        if lost > 0 {
            tracing::warn!(lost, "lines about what was carried were lost");
        }
    }
}
