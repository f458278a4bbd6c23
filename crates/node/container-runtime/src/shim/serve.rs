//! The poll loop: questions, output of containers, and ends of processes.

use super::attach::{self, Attached};
use super::container::{Container, Place};
use super::exec::Running;
use super::memory;
use crate::cgroup;
use crate::protocol::{ContainerState, MOST_LINE_BYTES, Phase, Reply, Request, State};
use crate::spec::SandboxSpec;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// Connections at the same time.
const MOST_CLIENTS: usize = 64;
/// How often a full log is looked at again, and a command's time.
const LOOK_MS: u16 = 50;

/// A connection.
struct Client {
    stream: UnixStream,
    line: Vec<u8>,
    /// Gets every state from now on.
    watches: bool,
    gone: bool,
}

pub(super) struct Shim {
    folder: PathBuf,
    group: String,
    spec: SandboxSpec,
    listener: UnixListener,
    signals: SignalFd,
    clients: Vec<Client>,
    containers: Vec<Container>,
    commands: Vec<(Running, UnixStream)>,
    /// The process whose PID namespace the containers share, if they share one.
    processes: Option<i32>,
    attached: Vec<Attached>,
    removed: bool,
}

impl Shim {
    pub(super) fn new(
        folder: PathBuf,
        group: String,
        spec: SandboxSpec,
        listener: UnixListener,
        processes: Option<i32>,
    ) -> Result<Self, String> {
        listener.set_nonblocking(true).map_err(|error| format!("listen: {error}"))?;
        let mut set = SigSet::empty();
        set.add(Signal::SIGCHLD);
        set.thread_block().map_err(|error| format!("block signals: {error}"))?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let signals =
            SignalFd::with_flags(&set, flags).map_err(|error| format!("wait for signals: {error}"))?;
        Ok(Self {
            folder,
            group,
            spec,
            listener,
            signals,
            clients: Vec::new(),
            containers: Vec::new(),
            commands: Vec::new(),
            processes,
            attached: Vec::new(),
            removed: false,
        })
    }

    pub(super) fn serve(mut self) -> Result<(), String> {
        while !self.removed {
            self.wait()?;
            while let Ok(Some(_)) = self.signals.read_signal() {}
            self.collect();
            for container in &mut self.containers {
                container.drain();
            }
            self.commands_step();
            self.attached.retain_mut(Attached::step);
            self.accept();
            self.clients_step();
        }
        Ok(())
    }

    /// Waits until there is something to do.
    fn wait(&mut self) -> Result<(), String> {
        let flags = PollFlags::POLLIN;
        let mut fds =
            vec![PollFd::new(self.listener.as_fd(), flags), PollFd::new(self.signals.as_fd(), flags)];
        fds.extend(self.clients.iter().map(|client| PollFd::new(client.stream.as_fd(), flags)));
        let outputs = self.containers.iter().flat_map(Container::outputs);
        fds.extend(outputs.map(|fd| PollFd::new(fd, flags)));
        fds.extend(
            self.commands.iter().filter_map(|(running, _)| running.output()).map(|fd| PollFd::new(fd, flags)),
        );
        fds.extend(self.attached.iter().map(|attached| PollFd::new(attached.connection(), flags)));
        let busy = !self.commands.is_empty() || self.containers.iter().any(Container::is_full);
        let timeout = if busy { PollTimeout::from(LOOK_MS) } else { PollTimeout::NONE };
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(format!("poll: {error}")),
        }
    }

    /// Collects ended processes: containers, commands, and orphans of either.
    fn collect(&mut self) {
        let mut changed = false;
        loop {
            let (pid, code) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid.as_raw(), code),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid.as_raw(), 128 + signal as i32),
                Ok(WaitStatus::StillAlive) | Err(_) => break,
                Ok(_) => continue,
            };
            if let Some(container) = self.containers.iter_mut().find(|container| container.is(pid)) {
                container.ended(code);
                changed = true;
            }
            for (running, _) in &mut self.commands {
                running.ended(pid, code);
            }
            for attached in &mut self.attached {
                attached.ended(pid, code);
            }
        }
        if changed {
            self.tell();
            memory::give_back();
        }
    }

    fn state(&self) -> State {
        let state = |container: &Container| {
            let known = ContainerState { id: container.id().to_owned(), phase: container.phase() };
            (container.name().to_owned(), known)
        };
        State { containers: self.containers.iter().map(state).collect() }
    }

    /// Writes the state down and tells everybody who watches. Connections that are gone leave the list later, since an
    /// answer may be on its way to one by its place in it.
    fn tell(&mut self) {
        let state = self.state();
        let write = || -> std::io::Result<()> {
            let fresh = self.folder.join("state.new");
            fs::write(&fresh, serde_json::to_vec(&state)?)?;
            fs::rename(fresh, self.folder.join("state.json"))
        };
        if let Err(error) = write() {
            eprintln!("cannot write the state down: {error}");
        }
        for client in self.clients.iter_mut().filter(|client| client.watches) {
            client.gone |= answer(&mut client.stream, &Reply::State(state.clone())).is_err();
        }
    }

    fn accept(&mut self) {
        while self.clients.len() < MOST_CLIENTS {
            let Ok((stream, _)) = self.listener.accept() else { return };
            if stream.set_nonblocking(true).is_ok() {
                self.clients.push(Client { stream, line: Vec::new(), watches: false, gone: false });
            }
        }
    }

    fn clients_step(&mut self) {
        let mut questions = Vec::new();
        for (number, client) in self.clients.iter_mut().enumerate() {
            if let Some(line) = client.read() {
                questions.push((number, line));
            }
        }
        // From the last on, since answering a question may take its connection out of the list.
        for (number, line) in questions.into_iter().rev() {
            self.question(number, &line);
        }
        self.clients.retain(|client| !client.gone);
    }

    fn question(&mut self, number: usize, line: &[u8]) {
        let request = match serde_json::from_slice(line) {
            Ok(request) => request,
            Err(error) => {
                return self
                    .reply(number, &Reply::Failed(format!("a question that cannot be read: {error}")));
            }
        };
        match request {
            Request::Ping => self.reply(number, &Reply::Done),
            Request::Watch => {
                self.clients[number].watches = true;
                let state = Reply::State(self.state());
                self.reply(number, &state);
            }
            Request::Start(spec) => {
                let place = Place {
                    folder: &self.folder,
                    sandbox_group: &self.group,
                    sandbox: &self.spec,
                    processes: self.processes,
                };
                let reply = match Container::start(&place, *spec, &self.containers) {
                    Ok(container) => {
                        let id = container.id().to_owned();
                        self.containers.retain(|old| old.name() != container.name());
                        self.containers.push(container);
                        self.tell();
                        Reply::Started(id)
                    }
                    Err(text) => Reply::Failed(text),
                };
                self.reply(number, &reply);
                memory::give_back();
            }
            Request::Signal { container, signal } => {
                let reply = match self.find(&container) {
                    Some(container) => container.signal(signal).map_or_else(Reply::Failed, |()| Reply::Done),
                    None => Reply::Failed(format!("there is no container {container}")),
                };
                self.reply(number, &reply);
            }
            Request::Usage { container } => {
                let reply = match self.find(&container) {
                    Some(container) => Reply::Usage(cgroup::usage(container.group())),
                    None => Reply::Failed(format!("there is no container {container}")),
                };
                self.reply(number, &reply);
            }
            Request::Exec { container, exec } => {
                let started = match self.find(&container) {
                    Some(container) => Running::start(&self.folder, container, &exec),
                    None => Err(format!("there is no container {container}")),
                };
                match started {
                    Ok(running) => {
                        let client = self.clients.swap_remove(number);
                        self.commands.push((running, client.stream));
                    }
                    Err(text) => self.reply(number, &Reply::Failed(text)),
                }
            }
            Request::Attach { container, attach } => {
                let started = match self.find(&container) {
                    Some(_) if self.attached.len() >= attach::MOST => {
                        Err("the sandbox has too many commands already".to_owned())
                    }
                    Some(container) => attach::start(&self.folder, container, &attach),
                    None => Err(format!("there is no container {container}")),
                };
                match started {
                    Ok((pid, streams)) => {
                        let stream = self.clients.swap_remove(number).stream;
                        self.attached.push(Attached::new(pid, stream, &streams));
                    }
                    Err(text) => self.reply(number, &Reply::Failed(text)),
                }
                memory::give_back();
            }
            Request::Remove => {
                let reply = self.remove().map_or_else(Reply::Failed, |()| Reply::Done);
                self.removed = matches!(reply, Reply::Done);
                self.reply(number, &reply);
            }
        }
    }

    fn find(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.name() == name)
    }

    fn reply(&mut self, number: usize, reply: &Reply) {
        if let Some(client) = self.clients.get_mut(number) {
            client.gone |= answer(&mut client.stream, reply).is_err();
        }
    }

    fn commands_step(&mut self) {
        let mut number = 0;
        while number < self.commands.len() {
            match self.commands[number].0.step() {
                Some(result) => {
                    let (_, mut stream) = self.commands.swap_remove(number);
                    // Whoever asked may have gone.
                    let _ = answer(&mut stream, &Reply::Executed(result));
                }
                None => number += 1,
            }
        }
    }

    /// Kills everything, collects it, and takes file systems and groups away.
    fn remove(&mut self) -> Result<(), String> {
        cgroup::destroy(&self.group).map_err(|error| format!("remove the control group: {error}"))?;
        while self.containers.iter().any(|container| matches!(container.phase(), Phase::Running { .. })) {
            match waitpid(None, None) {
                Ok(WaitStatus::Exited(pid, code)) => self.note(pid.as_raw(), code),
                Ok(WaitStatus::Signaled(pid, signal, _)) => self.note(pid.as_raw(), 128 + signal as i32),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        for container in &mut self.containers {
            container.unmount();
        }
        Ok(())
    }

    fn note(&mut self, pid: i32, code: i32) {
        if let Some(container) = self.containers.iter_mut().find(|container| container.is(pid)) {
            container.ended(code);
        }
    }
}

impl Client {
    /// Reads what is there and returns a whole line.
    fn read(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    self.gone = true;
                    return None;
                }
                Ok(count) => {
                    self.line.extend_from_slice(&buffer[..count]);
                    if self.line.len() > MOST_LINE_BYTES {
                        self.gone = true;
                        return None;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.gone = true;
                    return None;
                }
            }
        }
        let end = self.line.iter().position(|byte| *byte == b'\n')?;
        let rest = self.line.split_off(end + 1);
        Some(std::mem::replace(&mut self.line, rest))
    }
}

pub(super) fn answer(stream: &mut UnixStream, reply: &Reply) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    // Answers are far smaller than a socket's buffer, so a client that does not read is given up, not waited for.
    stream.write_all(&line)
}
