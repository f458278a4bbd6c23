"""Load balancers that carry real requests to real tasks, and services behind them."""

import contextlib
import os
import signal
import subprocess

import pytest
from botocore.exceptions import ClientError
from conftest import free_port
from images import Registry
from leftovers import leaves_nothing
from load_balancers import Balancers, Load, addresses, data_planes, fixed, forward, get, web
from services import Services, processes
from waiting import wait_for


@pytest.fixture(scope="module")
def image(region):
    region.client("ecr").create_repository(repositoryName="balanced")
    Registry(region, "balanced").push_image("latest")
    return f"localhost:{region.port}/balanced:latest"


@pytest.fixture(scope="module")
def services(region, image):
    made = Services(region)
    yield made
    made.close()


@pytest.fixture(scope="module")
def balancers(region):
    return Balancers(region)


def define(services, image, command, **more):
    return services.register([services.container(image, command, portMappings=[{"containerPort": 80}], **more)])


def behind(group, name="main", port=80):
    return [{"targetGroupArn": group, "containerName": name, "containerPort": port}]


def refused(call, code, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value.response["Error"]["Message"]


def test_a_load_balancer_comes_with_an_address_and_a_name_and_goes_without_a_trace(region, balancers):
    arn = balancers.create("first")
    port = free_port()
    balancers.listen(arn, port, fixed("hello"))
    shown = balancers.active(arn)
    name = shown["DNSName"]
    assert name == f"first-{arn.rsplit('/', 1)[1]}.us-east-1.elb.localhost"
    address = balancers.address("first")
    assert get(address, port)[::2] == (200, "hello")
    assert len(data_planes(region)) == 1
    # curl and browsers take every name under .localhost for this machine.
    curl = subprocess.run(["curl", "-sS", f"http://{name}:{port}/"], capture_output=True, text=True, timeout=20)
    assert curl.stdout == "hello", curl
    assert get("127.0.0.1", port, host=name)[::2] == (200, "hello")
    assert get("127.0.0.1", port, host="other.elb.localhost")[0] == 404
    listed = region.aws("elbv2", "describe-load-balancers", "--names", "first")["LoadBalancers"][0]
    assert (listed["LoadBalancerArn"], listed["State"]["Code"]) == (arn, "active")
    region.aws("elbv2", "wait", "load-balancer-available", "--load-balancer-arns", arn)
    refused(balancers.elb.create_load_balancer, "DuplicateLoadBalancerName", Name="first", Subnets=region.subnets()[2:])
    balancers.delete(arn)
    region.aws("elbv2", "wait", "load-balancers-deleted", "--load-balancer-arns", arn)
    wait_for(lambda: address not in addresses(region), lambda: f"the address gone: {addresses(region)}")
    wait_for(lambda: not data_planes(region), "the process ended")


def test_rules_weights_and_redirects(region, services, image, balancers):
    arn, port = balancers.create("rules"), free_port()
    a, b = balancers.group("rules-a"), balancers.group("rules-b")
    listener = balancers.listen(arn, port, forward((a, 3), (b, 1)))
    rule = lambda priority, conditions, actions: balancers.rule(listener, priority, conditions, actions)
    rule(10, [{"Field": "path-pattern", "Values": ["/b/*"]}], forward(b))
    rule(20, [{"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}}], fixed("by host"))
    rule(30, [{"Field": "path-pattern", "Values": ["/old"]}],
         [{"Type": "redirect", "RedirectConfig": {"Path": "/new", "StatusCode": "HTTP_301"}}])
    rule(40, [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Test", "Values": ["yes*"]}},
              {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}], fixed("both", "418"))
    rule(50, [{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2*"}]}}], fixed("query"))
    rule(60, [{"Field": "source-ip", "SourceIpConfig": {"Values": ["203.0.113.0/24"]}}], fixed("elsewhere"))
    for text, group in [("a", a), ("b", b)]:
        definition = define(services, image, web(text, more="mkdir -p /www/b; cp /www/index.html /www/b/x;"))
        services.create(f"rules-{text}", definition, 1, loadBalancers=behind(group))
    balancers.healthy(a, 1)
    balancers.healthy(b, 1)
    balancers.active(arn)
    address = balancers.address("rules")
    ask = lambda *arguments, **more: get(address, port, *arguments, **more)
    assert ask("/b/x")[2] == "b\n"
    assert ask("/b/x", host="www.example.com")[2] == "b\n", "the lower priority is tried first"
    assert ask("/", host="www.example.com")[2] == "by host"
    status, headers, _ = ask("/old?x=1", host="some.host")
    assert status == 301 and headers["location"] == f"http://some.host:{port}/new?x=1", headers
    assert ask("/", method="POST", headers={"X-Test": "yes, it is"})[::2] == (418, "both")
    assert ask("/?v=2.1")[2] == "query"
    texts = [ask("/")[2].strip() for _ in range(200)]
    assert 20 <= texts.count("b") <= 85, f"a quarter goes to b: {texts.count('b')} of 200"
    refused(balancers.elb.delete_target_group, "ResourceInUse", TargetGroupArn=a)
    refused(balancers.elb.create_rule, "PriorityInUse", ListenerArn=listener, Priority=10,
            Conditions=[{"Field": "path-pattern", "Values": ["/x"]}], Actions=forward(b))
    # Clients stay with their target.
    balancers.elb.modify_target_group_attributes(TargetGroupArn=a, Attributes=[
        {"Key": "stickiness.enabled", "Value": "true"}, {"Key": "stickiness.type", "Value": "lb_cookie"}])
    balancers.elb.modify_listener(ListenerArn=listener, DefaultActions=forward(a))
    wait_for(lambda: "AWSALB" in ask("/")[1].get("set-cookie", ""), "a cookie")
    for text in "ab":
        services.delete(f"rules-{text}")
    balancers.delete(arn, a, b)


def test_https_with_a_server_certificate(region, balancers, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=secure.test",
                    "-addext", "subjectAltName=DNS:secure.test", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
                   check=True, capture_output=True)
    iam = region.client("iam")
    certificate = iam.upload_server_certificate(
        ServerCertificateName="secure", CertificateBody=(tmp_path / "cert.pem").read_text(),
        PrivateKey=(tmp_path / "key.pem").read_text())["ServerCertificateMetadata"]["Arn"]
    arn, port = balancers.create("secure"), free_port()
    refused(balancers.elb.create_listener, "ValidationError", LoadBalancerArn=arn, Protocol="HTTPS", Port=port, DefaultActions=fixed("x"))
    refused(balancers.elb.create_listener, "CertificateNotFound", LoadBalancerArn=arn, Protocol="HTTPS", Port=port,
            DefaultActions=fixed("x"), Certificates=[{"CertificateArn": certificate + "x"}])
    balancers.listen(arn, port, fixed("safe"), "HTTPS", Certificates=[{"CertificateArn": certificate}])
    balancers.active(arn)
    address = balancers.address("secure")
    curl = subprocess.run(["curl", "-sS", "--cacert", tmp_path / "cert.pem", "--resolve", f"secure.test:{port}:{address}",
                           f"https://secure.test:{port}/"], capture_output=True, text=True, timeout=20)
    assert curl.stdout == "safe", curl
    refused(iam.delete_server_certificate, "DeleteConflict", ServerCertificateName="secure")
    balancers.delete(arn)
    iam.delete_server_certificate(ServerCertificateName="secure")


def test_a_service_is_refused_what_cannot_be(services, image, balancers):
    group = balancers.group("lonely")
    definition = define(services, image, web("x"))
    create = lambda own: services.create("refused", definition, 1, loadBalancers=own)
    message = refused(create, "InvalidParameterException", own=behind(group))
    assert message == f"The target group with targetGroupArn {group} does not have an associated load balancer."
    arn = balancers.create("lonely")
    balancers.listen(arn, free_port(), forward(group))
    for own, text in [(behind(group, "other"), "The container other does not exist in the task definition."),
                      (behind(group, port=81), "The container main did not have a container port 81 defined."),
                      ([{"loadBalancerName": "classic", "containerName": "main", "containerPort": 80}], "Classic Load Balancers")]:
        assert refused(create, "InvalidParameterException", own=own).startswith(text)
    balancers.delete(arn, group)


def test_an_unhealthy_target_is_replaced_after_the_grace_period(services, image, balancers):
    arn, port = balancers.create("ill"), free_port()
    group = balancers.group("ill")
    balancers.listen(arn, port, forward(group))
    # Every task loses its page after a while.
    ill = web("ok", more="(sleep 15; rm /www/index.html) &")
    services.create("ill", define(services, image, ill), 1, loadBalancers=behind(group), healthCheckGracePeriodSeconds=0)
    balancers.healthy(group, 1)
    [first] = services.running("ill")
    events = lambda: services.events("ill")
    wait_for(lambda: any("is unhealthy in (target-group " in event for event in events()), events, 60)
    wait_for(lambda: services.describe(first["taskArn"])["lastStatus"] == "STOPPED", "the ill task stopped", 60)
    assert services.describe(first["taskArn"])["stoppedReason"] == f"Task failed ELB health checks in (target-group {group})"
    shown = events()
    assert any("due to (reason Health checks failed with these codes: [404])" in event for event in shown), shown
    assert any(event == f"(service ill) registered 1 targets in (target-group {group})" for event in shown), shown
    assert any(event == f"(service ill) deregistered 1 targets in (target-group {group})" for event in shown), shown
    services.delete("ill")
    assert balancers.health(group) == [], "no target is left"
    balancers.delete(arn, group)


def test_a_rolling_deployment_under_load_drops_no_request(region, services, image, balancers):
    arn, port = balancers.create("rolling"), free_port()
    group = balancers.group("rolling")
    balancers.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[
        {"Key": "deregistration_delay.timeout_seconds", "Value": "20"}])
    balancers.listen(arn, port, forward(group))
    services.create("rolling", define(services, image, web("one")), 3, loadBalancers=behind(group))
    services.stable("rolling", 3, deadline=90)
    assert balancers.health(group) == ["healthy"] * 3
    address = balancers.address("rolling")
    with Load(address, port) as load:
        wait_for(lambda: load.count > 100, "load")
        slow = Load(address, port, clients=1, path="/cgi-bin/slow")
        with slow:
            new = define(services, image, web("two"))
            services.ecs.update_service(cluster=services.cluster, service="rolling", taskDefinition=new)
            services.stable("rolling", 3, new, deadline=120)
            wait_for(lambda: not any(task["lastStatus"] == "DEACTIVATING" for task in services.tasks_of("rolling", "STOPPED")),
                     "the old ones gone", 60)
        # Every path of the server's own end, under the same load.
        before = load.count
        planes = data_planes(region)
        region.stop(hard=True)
        wait_for(lambda: load.count > before + 200, "requests without a server")
        region.start()
        wait_for(lambda: load.count > before + 400, "requests after a restart")
        assert data_planes(region) == planes, "the process of the load balancers went on"
        balancers.healthy(group, 3)
    print(f"{load.count} requests and {slow.count} slow ones: {load.answers}")
    assert load.failures == [] and slow.failures == [], (load.failures[:5], slow.failures[:5])
    assert set(load.answers) == {"one", "two"} and load.count > 1000
    events = services.events("rolling")
    assert any("has begun draining connections on" in event for event in events), events
    services.delete("rolling", deadline=90)
    assert balancers.health(group) == []
    balancers.delete(arn, group)


def test_a_killed_task_is_deregistered_and_replaced(services, image, balancers):
    arn, port = balancers.create("killed"), free_port()
    group = balancers.group("killed")
    balancers.listen(arn, port, forward(group))
    services.create("killed-web", define(services, image, web("x")), 2, loadBalancers=behind(group))
    services.stable("killed-web", 2, deadline=90)
    killed = services.running("killed-web")[0]["taskArn"]
    for pid in processes(killed):
        # A shell's sleep may have ended meanwhile.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: killed not in {task["taskArn"] for task in services.running("killed-web")}, "it ended")
    services.stable("killed-web", 2, deadline=90)
    balancers.healthy(group, 2)
    # A task that a user stops drains first.
    address = balancers.address("killed")
    stopped = services.running("killed-web")[0]["taskArn"]
    services.ecs.stop_task(cluster=services.cluster, task=stopped)
    services.stable("killed-web", 2, deadline=90)
    wait_for(lambda: services.describe(stopped)["lastStatus"] == "STOPPED", "it drained and stopped", 60)
    services.delete("killed-web")
    assert balancers.health(group) == []
    balancers.delete(arn, group)
    wait_for(lambda: address not in addresses(services.region), "no address is left")
    leaves_nothing(services.region)
