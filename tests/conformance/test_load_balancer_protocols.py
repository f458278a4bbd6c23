"""What goes through load balancers beside plain HTTP, and what their attributes do: asked for through the API, seen by real
clients at real servers of this machine."""

import collections
import contextlib
import json
import socket
import ssl
import threading
from pathlib import Path

import grpc
import pytest
from botocore.exceptions import ClientError
from conftest import free_port
from load_balancers import Balancers, Certificate, curl, fixed, forward, get
from servers import Grpc, Http2, Tcp, Udp, Web, Websockets, machine
from waiting import wait_for
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect


@pytest.fixture(scope="module")
def here(region):
    """The machine's address among the tasks."""
    return machine(region)


@pytest.fixture(scope="module")
def balancers(region):
    return Balancers(region)


@pytest.fixture(scope="module")
def certificate(region, tmp_path_factory):
    made = Certificate(region, tmp_path_factory.mktemp("certificate"), "protocols.test")
    yield made
    made.delete()


@pytest.fixture(scope="module")
def application(balancers, certificate):
    """An application load balancer with an HTTP and an HTTPS listener whose default is 404; tests give it rules."""
    arn = balancers.create("protocols")
    made = Application(balancers, arn, certificate)
    yield made
    balancers.delete(arn)


class Application:
    def __init__(self, balancers, arn, certificate):
        self.balancers, self.arn, self.certificate = balancers, arn, certificate
        self.port, self.secure_port = free_port(), free_port()
        self.listener = balancers.listen(arn, self.port, fixed("nobody", "404"))
        self.secure_listener = balancers.listen(arn, self.secure_port, fixed("nobody", "404"), "HTTPS",
                                                Certificates=[{"CertificateArn": certificate.arn}])
        balancers.active(arn)
        self.address = balancers.address("protocols")
        self.priority = 0

    def rule(self, host, actions, secure=False):
        """Requests for a host; returns the ARN of the rule."""
        self.priority += 1
        listener = self.secure_listener if secure else self.listener
        return self.balancers.rule(listener, self.priority, [{"Field": "host-header", "Values": [host]}], actions)

    def get(self, path="/", **more):
        return get(self.address, self.port, path, **more)

    def curl(self, path, *arguments):
        """Over HTTPS, by the name in the certificate."""
        name = self.certificate.name
        return curl("--cacert", self.certificate.path, "--resolve", f"{name}:{self.secure_port}:{self.address}", *arguments,
                    f"https://{name}:{self.secure_port}{path}")


def refused(call, code, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value.response["Error"]["Message"]


def say(address, port, text, secured=None):
    """One line over a connection of its own, in TLS that trusts the certificate `secured`; what is answered."""
    with socket.create_connection((address, port), timeout=10) as plain:
        stream = plain
        if secured:
            context = ssl.create_default_context(cafile=secured.path)
            stream = context.wrap_socket(plain, server_hostname=secured.name)
        stream.sendall(f"{text}\n".encode())
        return stream.makefile().readline().strip()


def attempt(call):
    """What a call returns, or nothing when it fails."""
    with contextlib.suppress(OSError):
        return call()


def ask_by_datagram(own, place, text):
    own.sendto(text.encode(), place)
    return own.recv(1000).decode()


def test_a_network_load_balancer_carries_tcp_tls_and_udp(region, balancers, here, certificate):
    arn = balancers.create("net", Type="network")
    ports = {name: free_port() for name in ("tcp", "ended", "passed", "udp", "both", "weighted")}
    pair = (certificate.path, certificate.key)
    with (Tcp(here, "a") as a, Tcp(here, "b") as b, Tcp(here, "in-tls", pair) as in_tls, Udp(here, "c") as c,
          Udp(here, "d") as d, Tcp(here, "proxied", proxied=True) as proxied):
        group = {name: balancers.group(f"net-{name}", protocol, server.port) for name, protocol, server in [
            ("tcp", "TCP", a), ("tls", "TLS", in_tls), ("udp", "UDP", c), ("both", "TCP_UDP", d), ("other", "TCP", b),
            ("proxied", "TCP", proxied)]}
        balancers.set("target_group", group["proxied"], proxy_protocol_v2__enabled="true")
        secured = {"Certificates": [{"CertificateArn": certificate.arn}]}
        balancers.listen(arn, ports["tcp"], forward(group["tcp"]), "TCP")
        balancers.listen(arn, ports["ended"], forward(group["proxied"]), "TLS", **secured)
        balancers.listen(arn, ports["passed"], forward(group["tls"]), "TLS", AlpnPolicy=["HTTP1Only"], **secured)
        balancers.listen(arn, ports["udp"], forward(group["udp"]), "UDP")
        balancers.listen(arn, ports["both"], forward(group["both"]), "TCP_UDP")
        weighted = balancers.listen(arn, ports["weighted"], forward((group["other"], 0)), "TCP")
        refused(balancers.elb.create_listener, "DuplicateListener", LoadBalancerArn=arn, Protocol="UDP", Port=ports["both"],
                DefaultActions=forward(group["udp"]))
        refused(balancers.elb.create_listener, "IncompatibleProtocols", LoadBalancerArn=arn, Protocol="UDP",
                Port=free_port(), DefaultActions=forward(group["tcp"]))
        refused(balancers.elb.create_listener, "InvalidLoadBalancerAction", LoadBalancerArn=arn, Protocol="TCP",
                Port=free_port(), DefaultActions=fixed("x"))
        balancers.active(arn)
        address = balancers.address("net")
        for name, server in [("tcp", a), ("tls", in_tls), ("udp", c), ("both", d), ("other", b), ("proxied", proxied)]:
            balancers.register(group[name], server)
        assert say(address, ports["tcp"], "hello") == "a hello"
        assert say(address, ports["passed"], "hello", certificate) == "in-tls hello"
        # TLS ends at the load balancer, and the target learns who the client is.
        with socket.create_connection((address, ports["ended"])) as plain:
            context = ssl.create_default_context(cafile=certificate.path)
            with context.wrap_socket(plain, server_hostname=certificate.name) as stream:
                mine = "{}:{}".format(*stream.getsockname())
                stream.sendall(b"hello\n")
                assert stream.makefile().readline().strip() == f"proxied {mine} hello"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.settimeout(10)
            assert ask_by_datagram(own, (address, ports["udp"]), "1") == "c 1"
            assert ask_by_datagram(own, (address, ports["both"]), "2") == "d 2"
        # A second target: flows are spread, and with stickiness those of one client are not.
        balancers.register(group["tcp"], b)
        answers = lambda: {say(address, ports["tcp"], "x").split()[0] for _ in range(30)}
        assert answers() == {"a", "b"}
        balancers.set("target_group", group["tcp"], stickiness__enabled="true", stickiness__type="source_ip")
        wait_for(lambda: len(answers()) == 1, "one target for one client")
        balancers.set("target_group", group["tcp"], stickiness__enabled="false")
        # A target that is deregistered gets no new connection; the one that is open goes on, until its time is over.
        with socket.create_connection((address, ports["tcp"]), timeout=10) as held:
            file = held.makefile()
            held.sendall(b"1\n")
            server = {"a": a, "b": b}[file.readline().split()[0]]
            balancers.set("target_group", group["tcp"], deregistration_delay__timeout_seconds=3,
                          deregistration_delay__connection_termination__enabled="true")
            balancers.elb.deregister_targets(TargetGroupArn=group["tcp"],
                                             Targets=[{"Id": server.address, "Port": server.port}])
            wait_for(lambda: len(answers()) == 1, "no new connection")
            assert not attempt(file.readline), "the load balancer ends the connection"
        # Weights, of which all may be nothing: nobody takes the connection then.
        assert not attempt(lambda: say(address, ports["weighted"], "x"))
        balancers.elb.modify_listener(ListenerArn=weighted, DefaultActions=forward((group["other"], 3), (group["proxied"], 0)))
        wait_for(lambda: attempt(lambda: say(address, ports["weighted"], "x")) == "b x", "the group with a weight")
    balancers.delete(arn, *group.values())


def test_http2_and_grpc(balancers, here, certificate, application):
    with Web(here) as web, Http2(here) as http2, Grpc(here) as server:
        plain = balancers.group("plain", port=web.port)
        spoken = balancers.group("spoken", port=http2.port, ProtocolVersion="HTTP2")
        called = balancers.group("called", port=server.port, ProtocolVersion="GRPC", HealthCheckPath="/test.Health/Check",
                                 Matcher={"GrpcCode": "0"})
        unasked = balancers.group("unasked", port=server.port, ProtocolVersion="GRPC", HealthCheckPath="/AWS.ALB/healthcheck")
        shown = balancers.elb.describe_target_groups(TargetGroupArns=[unasked])["TargetGroups"][0]
        assert (shown["ProtocolVersion"], shown["Matcher"]) == ("GRPC", {"GrpcCode": "12"})
        elb, secure = balancers.elb, application.secure_listener
        path = lambda *values: [{"Field": "path-pattern", "Values": list(values)}]
        rules = [balancers.rule(secure, 100, path("/plain"), forward(plain)),
                 balancers.rule(secure, 101, path("/spoken*"), forward(spoken)),
                 balancers.rule(secure, 102, path("/test.Echo/*"), forward((called, 1), (unasked, 0))),
                 application.rule("spoken.test", forward(spoken))]
        for group, target in [(plain, web), (spoken, http2), (called, server), (unasked, server)]:
            balancers.register(group, target)
        # HTTP/2 from the client, HTTP/1.1 to the target.
        version = ["-w", "\n%{http_version}"]
        body, used = application.curl("/plain", *version).rsplit("\n", 1)
        sent = dict(json.loads(body)["headers"])
        assert used == "2" and sent["x-forwarded-proto"] == "https", (used, sent)
        assert application.curl("/plain", "--http1.1", *version).rsplit("\n", 1)[1] == "1.1"
        # To the target, too; a client that does not speak it is told so.
        host = f"{certificate.name}:{application.secure_port}"
        assert application.curl("/spoken?x=1") == f"h2 {host} /spoken?x=1"
        assert application.get("/", host="spoken.test")[0] == 464
        # gRPC with all that belongs to it: messages, streams, statuses, trailers.
        trusted = grpc.ssl_channel_credentials(certificate.path.read_bytes())
        named = [("grpc.ssl_target_name_override", certificate.name)]
        with grpc.secure_channel(f"{application.address}:{application.secure_port}", trusted, named) as channel:
            assert channel.unary_unary("/test.Echo/One")(b"one", timeout=20) == b"got one"
            answers = channel.stream_stream("/test.Echo/Many")(iter([b"1", b"2", b"3"]), timeout=20)
            assert list(answers) == [b"got 1", b"got 2", b"got 3"]
            with pytest.raises(grpc.RpcError) as error:
                channel.unary_unary("/test.Echo/Fail")(b"", timeout=20)
            assert (error.value.code(), error.value.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not now")
            assert ("why", "because") in error.value.trailing_metadata()
        balancers.set("load_balancer", application.arn, routing__http2__enabled="false")
        wait_for(lambda: application.curl("/plain", *version).endswith("\n1.1"), "no HTTP/2 any more")
        balancers.set("load_balancer", application.arn, routing__http2__enabled="true")
        for rule in rules:
            elb.delete_rule(RuleArn=rule)
        for group in (plain, spoken, called, unasked):
            elb.delete_target_group(TargetGroupArn=group)


def test_websockets(balancers, here, certificate, application):
    with Websockets(here) as server:
        group = balancers.group("sockets", port=server.port, Matcher={"HttpCode": "426"})
        rules = [application.rule("sockets.test", forward(group)),
                 application.rule(certificate.name, forward(group), secure=True)]
        balancers.register(group, server)

        def exchange(uri, **more):
            with connect(uri, open_timeout=20, **more) as own:
                for message in ("text", b"bytes", "x" * 100_000):
                    own.send(message)
                    assert own.recv(timeout=20) == message
        trusted = ssl.create_default_context(cafile=certificate.path)
        plain = {"sock": socket.create_connection((application.address, application.port))}
        exchange("ws://sockets.test/", **plain)
        exchange(f"wss://{certificate.name}/", ssl=trusted,
                 sock=socket.create_connection((application.address, application.secure_port)))
        with pytest.raises(InvalidStatus):
            exchange("ws://other.test/", sock=socket.create_connection((application.address, application.port)))
        for rule in rules:
            balancers.elb.delete_rule(RuleArn=rule)
        balancers.elb.delete_target_group(TargetGroupArn=group)


def cookies(headers):
    """Cookies that an answer sets; Python joins their lines."""
    set_cookie = headers.get("set-cookie", "")
    return {pair.split("=", 1)[0].strip(): pair.split("=", 1)[1] for part in set_cookie.split(", ")
            if "=" in (pair := part.split(";")[0]) and not part[:1].isdigit()}


def test_clients_stay_with_their_target_and_new_targets_start_slowly(balancers, here, application):
    elb = balancers.elb
    with Web(here, "a") as a, Web(here, "b") as b, Web(here, "c") as c:
        group, other = balancers.group("sticky", port=a.port), balancers.group("sticky-other", port=c.port)
        rule = application.rule("sticky.test", forward((group, 1), (other, 0)))
        balancers.register(group, a)
        balancers.register(other, c)

        def ask(path="/", **jar):
            header = {"Cookie": "; ".join(f"{key}={value}" for key, value in jar.items())} if jar else {}
            status, headers, text = application.get(path, host="sticky.test", headers=header)
            assert status == 200, (status, text)
            return json.loads(text)["name"], cookies(headers)
        names = lambda count=20, **jar: collections.Counter(ask(**jar)[0] for _ in range(count))
        # A new target is given little at first, although it is healthy.
        balancers.set("target_group", group, slow_start__duration_seconds=900)
        balancers.register(group, b)
        assert 0 < names(200)["a"] - names(200)["b"], "b is slow"
        assert names(200)["b"] < 60, "of 200, where 100 would be its share"
        balancers.set("target_group", group, slow_start__duration_seconds=0)
        wait_for(lambda: 80 <= names(200)["b"] <= 120, lambda: f"b has its share: {names(200)}")
        refused(elb.modify_target_group_attributes, "ValidationError", TargetGroupArn=group,
                Attributes=[{"Key": "slow_start.duration_seconds", "Value": "29"}])
        # A cookie of the load balancer.
        balancers.set("target_group", group, stickiness__enabled="true", stickiness__type="lb_cookie",
                      stickiness__lb_cookie__duration_seconds=60)
        name, jar = wait_for(lambda: (found := ask())[1] and found, "a cookie")
        assert set(jar) == {"AWSALB", "AWSALBCORS"}, jar
        assert names(**jar) == {name: 20}
        assert set(names()) == {"a", "b"}, "who has no cookie goes anywhere"
        # A cookie of the application, which the load balancer goes by.
        refused(elb.modify_target_group_attributes, "InvalidConfigurationRequest", TargetGroupArn=group,
                Attributes=[{"Key": "stickiness.type", "Value": "app_cookie"}])
        balancers.set("target_group", group, stickiness__type="app_cookie", stickiness__app_cookie__cookie_name="session")
        wait_for(lambda: not ask()[1], "no cookie without one of the application")
        name, jar = ask("/login")
        assert set(jar) == {"session", "AWSALBAPP-0"}, jar
        assert names(**jar) == {name: 20}
        assert set(names(**{"AWSALBAPP-0": jar["AWSALBAPP-0"]})) == {"a", "b"}, "both cookies count together"
        balancers.set("target_group", group, stickiness__enabled="false")
        # Groups by weight, and clients that stay with theirs.
        actions = forward((group, 1), (other, 1))
        actions[0]["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": 60}
        elb.modify_rule(RuleArn=rule, Actions=actions)
        wait_for(lambda: "AWSALBTG" in ask()[1], "a cookie of the group")
        jar = wait_for(lambda: (found := ask())[0] == "c" and found[1], "a request of the other group")
        assert names(**jar) == {"c": 20}
        assert 60 <= names(200)["c"] <= 140
        elb.modify_rule(RuleArn=rule, Actions=forward(group))
        # Who is busy gets nothing more, when that is what counts.
        balancers.set("target_group", group, load_balancing__algorithm__type="least_outstanding_requests")
        busy = threading.Thread(target=application.get, args=("/held",), kwargs={"host": "sticky.test", "timeout": 60})
        busy.start()
        [held] = wait_for(lambda: a.held + b.held, "the request")
        idle = {"a": "b", "b": "a"}[held]
        wait_for(lambda: names() == {idle: 20}, lambda: f"all to {idle}: {names()}")
        a.release.set()
        b.release.set()
        busy.join()
        # One that fails its checks gets nothing, until all fail.
        balancers.elb.modify_target_group(TargetGroupArn=group, HealthCheckIntervalSeconds=5, UnhealthyThresholdCount=2)
        a.healthy.clear()
        wait_for(lambda: balancers.health(group) == ["healthy", "unhealthy"], lambda: balancers.health(group), 60)
        assert names() == {"b": 20}
        elb.delete_rule(RuleArn=rule)
        for arn in (group, other):
            elb.delete_target_group(TargetGroupArn=arn)


def test_attributes_are_honoured_or_refused(region, balancers, here, application):
    elb = balancers.elb
    with Web(here) as web:
        group = balancers.group("attributes", port=web.port)
        rule = application.rule("attributes.test", forward(group))
        balancers.register(group, web)
        arn, listener = application.arn, application.listener

        def sent(**headers):
            """What the target gets."""
            given = {key.replace("_", "-"): value for key, value in headers.items()}
            asked = application.get(host="attributes.test", headers=given)
            return dict(json.loads(asked[2])["headers"])

        def until(attributes, condition, what):
            balancers.set("load_balancer", arn, **attributes)
            return wait_for(condition, what)
        usual = sent(X_Forwarded_For="203.0.113.1")
        assert usual["host"] == f"attributes.test:{application.port}" and usual["x-forwarded-port"] == str(application.port)
        client = usual["x-forwarded-for"].removeprefix("203.0.113.1, ")
        assert usual["x-forwarded-for"] != client and usual["x-amzn-trace-id"].startswith("Root=1-")
        until({"routing__http__preserve_host_header__enabled": "true"},
              lambda: sent()["host"] == "attributes.test", "the host as the client has it")
        forwarded = lambda: sent(X_Forwarded_For="203.0.113.1").get("x-forwarded-for")
        until({"routing__http__xff_client_port__enabled": "true"},
              lambda: forwarded().startswith(f"203.0.113.1, {client}:"), "the port of the client")
        until({"routing__http__xff_header_processing__mode": "preserve"},
              lambda: forwarded() == "203.0.113.1", "nothing added")
        until({"routing__http__xff_header_processing__mode": "remove"}, lambda: forwarded() is None, "nothing passed on")
        assert sent(**{"od*d": "1"})["od*d"] == "1"
        until({"routing__http__drop_invalid_header_fields__enabled": "true"},
              lambda: "od*d" not in sent(**{"od*d": "1"}), "odd names dropped")
        until({"idle_timeout__timeout_seconds": "1"},
              lambda: (attempt(lambda: application.get("/held", host="attributes.test", timeout=4)) or "-")[0] == 504,
              "no patience")
        web.release.set()
        balancers.set("listener", listener, **{
            "routing__http__response__server__enabled": "false",
            "routing__http__response__strict_transport_security__header_value": "max-age=1"})
        answered = lambda: application.get("/x", host="nobody.test")[1]
        wait_for(lambda: answered().get("strict-transport-security") == "max-age=1", answered)
        assert "server" not in answered()
        # What is not honoured is refused, and what is nonsense, too.
        for key, value, code in [
            ("connection_logs.s3.enabled", "true", "InvalidConfigurationRequest"),
            ("waf.fail_open.enabled", "true", "InvalidConfigurationRequest"),
            ("zonal_shift.config.enabled", "true", "InvalidConfigurationRequest"),
            ("load_balancing.cross_zone.enabled", "false", "InvalidConfigurationRequest"),
            ("idle_timeout.timeout_seconds", "4001", "ValidationError"),
            ("no.such.attribute", "1", "ValidationError"),
        ]:
            refused(elb.modify_load_balancer_attributes, code, LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": value}])
        for key, value, code in [
            ("load_balancing.algorithm.anomaly_mitigation", "on", "InvalidConfigurationRequest"),
            ("stickiness.type", "source_ip", "InvalidConfigurationRequest"),
            ("stickiness.type", "source_ip_dest_ip", "ValidationError"),
            ("proxy_protocol_v2.enabled", "true", "ValidationError"),
            ("deregistration_delay.timeout_seconds", "3601", "ValidationError"),
        ]:
            refused(elb.modify_target_group_attributes, code, TargetGroupArn=group, Attributes=[{"Key": key, "Value": value}])
        balancers.set("load_balancer", arn, deletion_protection__enabled="true")
        refused(elb.delete_load_balancer, "OperationNotPermitted", LoadBalancerArn=arn)
        usual = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        assert {"Key": "idle_timeout.timeout_seconds", "Value": "1"} in usual
        balancers.set("load_balancer", arn, deletion_protection__enabled="false", idle_timeout__timeout_seconds=60,
                      routing__http__preserve_host_header__enabled="false", routing__http__xff_client_port__enabled="false",
                      routing__http__xff_header_processing__mode="append",
                      routing__http__drop_invalid_header_fields__enabled="false")
        elb.delete_rule(RuleArn=rule)
        elb.delete_target_group(TargetGroupArn=group)


def test_access_logs_are_files(region, balancers, here, certificate, application):
    refused(balancers.elb.modify_load_balancer_attributes, "InvalidConfigurationRequest", LoadBalancerArn=application.arn,
            Attributes=[{"Key": "access_logs.s3.enabled", "Value": "true"}])
    network, port = balancers.create("logged", Type="network"), free_port()
    with Tcp(here) as server:
        group = balancers.group("logged", "TCP", server.port)
        balancers.listen(network, port, forward(group), "TLS", Certificates=[{"CertificateArn": certificate.arn}])
        balancers.register(group, server)
        for arn in (application.arn, network):
            balancers.set("load_balancer", arn, access_logs__s3__enabled="true", access_logs__s3__bucket="logs",
                          access_logs__s3__prefix="some/where")
        balancers.active(network)
        folder = Path(region.data_dir) / "load-balancer-logs/logs/some/where/AWSLogs"

        def lines(arn):
            name = arn.rsplit("/", 1)[1]
            files = [path for path in folder.rglob("*.log") if path.parent.name.endswith(name)]
            return [line for path in files for line in path.read_text().splitlines()]

        def logged(arn, call, *parts):
            """Calls until a line of the log has all the parts."""
            def found():
                call()
                return [line for line in lines(arn) if all(part in line for part in parts)]
            return wait_for(found, lambda: lines(arn))[-1]
        line = logged(application.arn, lambda: application.get("/logged?x=1", host="nobody.test"), "/logged?x=1")
        fields = line.split(" ")
        assert fields[0] == "http" and fields[2] == application.arn.split("loadbalancer/")[1]
        assert fields[8:10] == ["404", "-"] and f'"GET http://nobody.test:{application.port}/logged?x=1 HTTP/1.1"' in line
        assert '"fixed-response"' in line
        line = logged(network, lambda: say(balancers.address("logged"), port, "x", certificate), certificate.arn)
        assert line.startswith("tls 2.0 ") and f" {server.address}:{server.port} " in line and f" {certificate.name} " in line
        balancers.set("load_balancer", application.arn, access_logs__s3__enabled="false")
    balancers.delete(network, group)
