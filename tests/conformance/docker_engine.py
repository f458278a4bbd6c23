"""A Docker engine of one's own: Debian's dockerd in private namespaces, so that nothing of the machine changes.

Mounts, /run, /etc/hosts and processes are its own, and end with it; with `own_network` its bridge and firewall are, too.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from waiting import wait_for


class NoEngine(Exception):
    """Why no engine can run here."""


class DockerEngine:
    """A running dockerd and a client for it."""

    def __init__(self, hosts=(), own_network=False):
        missing = [name for name in ("dockerd", "docker", "containerd", "runc", "unshare") if not find(name)]
        if missing:
            raise NoEngine(f"not installed: {', '.join(missing)}")
        if os.geteuid() != 0:
            raise NoEngine("dockerd needs root")
        self.dir = Path(tempfile.mkdtemp(prefix="longshore-docker-"))
        self.cgroup = f"longshore-docker-{os.getpid()}-{self.dir.name[-8:]}"
        (self.dir / "hosts").write_text(Path("/etc/hosts").read_text() + "".join(f"127.0.0.1 {host}\n" for host in hosts))
        (self.dir / "daemon.json").write_text("{}")
        network = "ip link set lo up" if own_network else ":"
        flags = [] if own_network else ["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]
        script = (f"mount -t tmpfs tmpfs /run && mount --bind {self.dir}/hosts /etc/hosts && {network} && "
                  'exec "$0" "$@"')
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *(["--net"] if own_network else []),
                   "sh", "-c", script, find("dockerd"), "--config-file", f"{self.dir}/daemon.json", "--data-root",
                   f"{self.dir}/data", "--exec-root", f"{self.dir}/exec", "--pidfile", f"{self.dir}/pid", "--host", self.host,
                   "--cgroup-parent", f"/{self.cgroup}", *flags]
        self.log = open(self.dir / "log", "wb")
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env={**os.environ, "PATH": path})
        try:
            wait_for(self._answers, "dockerd answers", 40, 0.1)
        except AssertionError as error:
            self.close()
            raise NoEngine(f"{error}; its last words: {self.last_words}") from error

    @property
    def host(self):
        return f"unix://{self.dir}/docker.sock"

    def _answers(self):
        self.last_words = (self.dir / "log").read_text(errors="replace").strip()[-300:]
        assert self.process.poll() is None, "dockerd ended"
        return self.run("version", check=False).returncode == 0

    def run(self, *arguments, check=True, **more):
        """Runs the docker client."""
        environment = {**os.environ, "DOCKER_HOST": self.host, "DOCKER_CONFIG": str(self.dir / "config"), "DOCKER_BUILDKIT": "0"}
        return subprocess.run([find("docker"), *arguments], env=environment, capture_output=True, text=True, check=check,
                              timeout=120, **more)

    def close(self):
        """Stops the engine as it wants to be stopped, and everything it leaves."""
        if self.process.poll() is None:
            for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        for folder, names, _ in os.walk("/sys/fs/cgroup", topdown=False):
            if f"/{self.cgroup}" in folder:
                os.rmdir(folder)
        shutil.rmtree(self.dir)


def find(program):
    """The path of a program, searched as a root shell does."""
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
