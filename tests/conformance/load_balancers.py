"""Load balancers in front of services, clients that count what they get, and what all of it may leave behind."""

import http.client
import json
import socket
import ssl
import subprocess
import threading
import time

from leftovers import plan, process_ids, read
from waiting import wait_for


def web(text, port=80, more=""):
    """What a container runs that answers with a text, and slowly at /cgi-bin/slow."""
    script = (f"mkdir -p /www/cgi-bin; echo '{text}' > /www/index.html; "
              "printf '#!/bin/sh\\nsleep 3\\nprintf \"Content-Type: text/plain\\\\r\\\\n\\\\r\\\\nslow\"\\n' > /www/cgi-bin/slow; "
              f"chmod +x /www/cgi-bin/slow; {more} busybox httpd -p {port} -h /www; "
              "trap 'exit 0' TERM; while :; do sleep 0.2; done")
    return ["sh", "-c", script]


class Balancers:
    """Load balancers of a region through boto3."""

    def __init__(self, region):
        self.region = region
        self.elb = region.client("elbv2")

    def create(self, name, **more):
        made = self.elb.create_load_balancer(Name=name, Subnets=self.region.subnets()[:2], **more)["LoadBalancers"][0]
        assert made["State"]["Code"] == "provisioning"
        return made["LoadBalancerArn"]

    def describe(self, arn):
        return self.elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]

    def active(self, arn):
        def is_active():
            shown = self.describe(arn)
            return shown["State"]["Code"] == "active" and shown
        return wait_for(is_active, lambda: f"active: {self.describe(arn)}; {self.region.log_text()}", 30)

    def group(self, name, protocol="HTTP", port=80, **more):
        check = {} if protocol != "HTTP" else {"HealthCheckPath": "/"}
        made = self.elb.create_target_group(
            Name=name, Protocol=protocol, Port=port, TargetType="ip", VpcId=self.region.vpc(),
            **{"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2, **check, **more})
        return made["TargetGroups"][0]["TargetGroupArn"]

    def listen(self, balancer, port, actions, protocol="HTTP", **more):
        made = self.elb.create_listener(LoadBalancerArn=balancer, Protocol=protocol, Port=port, DefaultActions=actions, **more)
        return made["Listeners"][0]["ListenerArn"]

    def rule(self, listener, priority, conditions, actions):
        made = self.elb.create_rule(ListenerArn=listener, Priority=priority, Conditions=conditions, Actions=actions)
        return made["Rules"][0]["RuleArn"]

    def health(self, group):
        described = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return sorted(one["TargetHealth"]["State"] for one in described)

    def healthy(self, group, count, deadline=60):
        wait_for(lambda: self.health(group) == ["healthy"] * count, lambda: f"{count} healthy: {self.health(group)}", deadline)

    def addresses(self, name):
        """Addresses of a load balancer by zone, as its network interfaces have them."""
        found = [one for one in self.region.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
                 if one["Description"].split("/")[1:2] == [name]]
        return [one["PrivateIpAddress"] for one in sorted(found, key=lambda one: one["AvailabilityZone"])]

    def address(self, name):
        """One of the addresses of a load balancer."""
        return self.addresses(name)[0]

    def register(self, group, *servers):
        """Registers servers of this machine in a group, and waits until they are healthy beside those that are."""
        targets = [{"Id": server.address, "Port": server.port} for server in servers]
        self.elb.register_targets(TargetGroupArn=group, Targets=targets)

        def healths():
            described = self.elb.describe_target_health(TargetGroupArn=group, Targets=targets)
            return [one["TargetHealth"] for one in described["TargetHealthDescriptions"]]
        wait_for(lambda: all(own["State"] == "healthy" for own in healths()), lambda: f"healthy: {healths()}", 60)

    def set(self, what, arn, **attributes):
        """Sets attributes of a `load_balancer`, `target_group` or `listener`, with `__` for the points in their names."""
        given = [{"Key": key.replace("__", "."), "Value": str(value)} for key, value in attributes.items()]
        member = "".join(part.title() for part in what.split("_")) + "Arn"
        return getattr(self.elb, f"modify_{what}_attributes")(**{member: arn}, Attributes=given)["Attributes"]

    def delete(self, balancer, *groups):
        self.elb.delete_load_balancer(LoadBalancerArn=balancer)
        for group in groups:
            self.elb.delete_target_group(TargetGroupArn=group)


def forward(*groups):
    """Forwards to groups, each an ARN or an ARN with its weight."""
    weighted = [group if isinstance(group, tuple) else (group, 1) for group in groups]
    tuples = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weighted]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": tuples}}]


def fixed(text, status="200"):
    return [{"Type": "fixed-response",
             "FixedResponseConfig": {"StatusCode": status, "ContentType": "text/plain", "MessageBody": text}}]


class Certificate:
    """A certificate that signs itself, and its ARN as a server certificate of IAM."""

    def __init__(self, region, directory, name):
        self.name, self.iam = name, region.client("iam")
        self.path, self.key = directory / f"{name}.pem", directory / f"{name}-key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                        "-addext", f"subjectAltName=DNS:{name}", "-keyout", self.key, "-out", self.path],
                       check=True, capture_output=True)
        self.arn = self.iam.upload_server_certificate(
            ServerCertificateName=name, CertificateBody=self.path.read_text(),
            PrivateKey=self.key.read_text())["ServerCertificateMetadata"]["Arn"]

    def delete(self):
        self.iam.delete_server_certificate(ServerCertificateName=self.name)


def curl(*arguments):
    """What curl prints."""
    done = subprocess.run(["curl", "-sS", *map(str, arguments)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def addresses(region):
    """Addresses of load balancers on the region's bridge, in the order they came."""
    bridge = plan(region)["bridge"]
    shown = subprocess.run(["ip", "-json", "address", "show", "dev", bridge], capture_output=True, text=True).stdout
    found = [one for link in json.loads(shown or "[]") for one in link.get("addr_info", [])]
    return [one["local"] for one in found if one["family"] == "inet" and one["prefixlen"] == 32]


def data_planes(region):
    """Processes of the region's load balancers."""
    wanted = f"load-balancer --dir {region.data_dir}/"
    return [pid for pid in process_ids() if wanted in read(f"/proc/{pid}/cmdline")]


def get(address, port, path="/", host=None, method="GET", headers=None, timeout=20):
    """Status, headers and text of one request on a connection of its own. Lines of one header are joined."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request(method, path, headers={**({"Host": host} if host else {}), **(headers or {})})
        answer = connection.getresponse()
        joined = {}
        for name, text in answer.getheaders():
            joined[name.lower()] = f"{joined[name.lower()]}, {text}" if name.lower() in joined else text
        return answer.status, joined, answer.read().decode()
    finally:
        connection.close()


class SecureConnection(http.client.HTTPSConnection):
    """A connection to an address, as if it were that of a name, whose certificate is trusted."""

    def __init__(self, host, address, certificate):
        self.address = address
        super().__init__(host, 443, timeout=20, context=ssl.create_default_context(cafile=certificate))

    def connect(self):
        plain = socket.create_connection((self.address, self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


class Load:
    """Clients that ask all the time and count: half of them on connections that they keep."""

    def __init__(self, address, port, clients=6, path="/", connect=None):
        self.connect = connect or (lambda: http.client.HTTPConnection(address, port, timeout=20))
        self.path = path
        self.stopping = threading.Event()
        self.answers, self.failures = {}, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(index % 2 == 0,)) for index in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _run(self, keep):
        connection = None
        while not self.stopping.is_set():
            try:
                if connection is None:
                    connection = self.connect()
                connection.request("GET", self.path)
                answer = connection.getresponse()
                text = answer.read().decode().strip()
                outcome = text if answer.status == 200 else None
                problem = None if answer.status == 200 else f"{answer.status} {text[:80]}"
                if not keep or answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                outcome, problem, connection = None, repr(error), None
            with self.lock:
                if problem:
                    self.failures.append((time.time(), problem))
                else:
                    self.answers[outcome] = self.answers.get(outcome, 0) + 1
            time.sleep(0.01)

    @property
    def count(self):
        return sum(self.answers.values())
