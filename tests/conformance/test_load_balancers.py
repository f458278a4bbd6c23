"""Load balancers that carry real requests to real tasks, and services behind them."""

import contextlib
import ipaddress
import os
import signal
import subprocess

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import free_port
from images import Registry
from leftovers import leaves_nothing
from load_balancers import Balancers, Certificate, Load, addresses, curl, data_planes, fixed, forward, get, web
from resolver import ask
from servers import machine
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


def address(task):
    details = {own["name"]: own["value"] for own in task["attachments"][0]["details"]}
    return details["privateIPv4Address"]


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
    whoever = [{"Field": "source-ip", "SourceIpConfig": {"Values": ["203.0.113.0/24", "0.0.0.0/0"]}}]
    low = rule(70, [*whoever, {"Field": "path-pattern", "Values": ["/low"]}], fixed("low"))
    high = rule(80, [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/low", "/h?gh"]}}], fixed("high"))
    for text, group in [("a", a), ("b", b)]:
        definition = define(services, image, web(text, more="mkdir -p /www/b; cp /www/index.html /www/b/x;"))
        services.create(f"rules-{text}", definition, 1, loadBalancers=behind(group))
    balancers.healthy(a, 1)
    balancers.healthy(b, 1)
    balancers.active(arn)
    address = balancers.address("rules")
    asked = lambda *arguments, **more: get(address, port, *arguments, **more)
    assert asked("/b/x")[2] == "b\n"
    assert asked("/b/x", host="www.example.com")[2] == "b\n", "the lower priority is tried first"
    assert asked("/", host="www.example.com")[2] == "by host"
    status, headers, _ = asked("/old?x=1", host="some.host")
    assert status == 301 and headers["location"] == f"http://some.host:{port}/new?x=1", headers
    assert asked("/", method="POST", headers={"X-Test": "yes, it is"})[::2] == (418, "both")
    assert asked("/?v=2.1")[2] == "query"
    assert (asked("/low")[2], asked("/high")[2]) == ("low", "high")
    priorities = [{"RuleArn": low, "Priority": 80}, {"RuleArn": high, "Priority": 70}]
    balancers.elb.set_rule_priorities(RulePriorities=priorities)
    wait_for(lambda: asked("/low")[2] == "high", "the other rule first")
    balancers.elb.modify_rule(RuleArn=high, Conditions=[{"Field": "http-request-method",
                                                         "HttpRequestMethodConfig": {"Values": ["PUT"]}}])
    wait_for(lambda: asked("/low")[2] == "low", "changed conditions")
    assert asked("/low", method="PUT")[2] == "high"
    texts = [asked("/")[2].strip() for _ in range(200)]
    assert 20 <= texts.count("b") <= 85, f"a quarter goes to b: {texts.count('b')} of 200"
    refused(balancers.elb.delete_target_group, "ResourceInUse", TargetGroupArn=a)
    refused(balancers.elb.create_rule, "PriorityInUse", ListenerArn=listener, Priority=10,
            Conditions=[{"Field": "path-pattern", "Values": ["/x"]}], Actions=forward(b))
    # Clients stay with their target.
    balancers.elb.modify_target_group_attributes(TargetGroupArn=a, Attributes=[
        {"Key": "stickiness.enabled", "Value": "true"}, {"Key": "stickiness.type", "Value": "lb_cookie"}])
    balancers.elb.modify_listener(ListenerArn=listener, DefaultActions=forward(a))
    wait_for(lambda: "AWSALB" in asked("/")[1].get("set-cookie", ""), "a cookie")
    for text in "ab":
        services.delete(f"rules-{text}")
    balancers.delete(arn, a, b)


def test_https_with_a_server_certificate(region, balancers, tmp_path):
    certificate = Certificate(region, tmp_path, "secure.test")
    arn, port = balancers.create("secure"), free_port()
    refused(balancers.elb.create_listener, "ValidationError", LoadBalancerArn=arn, Protocol="HTTPS", Port=port, DefaultActions=fixed("x"))
    refused(balancers.elb.create_listener, "CertificateNotFound", LoadBalancerArn=arn, Protocol="HTTPS", Port=port,
            DefaultActions=fixed("x"), Certificates=[{"CertificateArn": certificate.arn + "x"}])
    balancers.listen(arn, port, fixed("safe"), "HTTPS", Certificates=[{"CertificateArn": certificate.arn}])
    balancers.active(arn)
    address = balancers.address("secure")
    assert curl("--cacert", certificate.path, "--resolve", f"secure.test:{port}:{address}", f"https://secure.test:{port}/") == "safe"
    refused(certificate.iam.delete_server_certificate, "DeleteConflict", ServerCertificateName="secure.test")
    balancers.delete(arn)
    certificate.delete()


def test_a_load_balancer_has_an_address_in_each_of_its_zones(region, balancers):
    elb, subnets, port = balancers.elb, region.subnets(), free_port()
    arn = balancers.create("zones")
    balancers.listen(arn, port, fixed("here"))
    name = balancers.active(arn)["DNSName"]
    ranges = {subnet["SubnetId"]: ipaddress.ip_network(subnet["CidrBlock"])
              for subnet in region.client("ec2").describe_subnets(SubnetIds=subnets[:3])["Subnets"]}

    def are_in(*wanted):
        """Waits until there is an address in each of these subnets, at which the load balancer answers, and no other."""
        def reached():
            found = balancers.addresses("zones")
            fit = [ipaddress.ip_address(address) in ranges[subnet] for address, subnet in zip(found, wanted)]
            told = sorted(ask(machine(region), name, "A").texts())
            return len(found) == len(wanted) and all(fit) and told == sorted(found) and found
        found = wait_for(reached, lambda: (balancers.addresses("zones"), ask(machine(region), name, "A").texts()))
        assert [get(address, port)[2] for address in found] == ["here"] * len(wanted)
        return found
    first = are_in(*subnets[:2])
    shown = elb.set_subnets(LoadBalancerArn=arn, Subnets=subnets[1:3])["AvailabilityZones"]
    assert [zone["SubnetId"] for zone in shown] == subnets[1:3]
    second = are_in(*subnets[1:3])
    assert first[1] == second[0] and first[0] not in addresses(region), "one stays and one goes"
    assert balancers.describe(arn)["State"]["Code"] == "active"
    balancers.delete(arn)
    wait_for(lambda: not {*first, *second} & {*addresses(region)}, lambda: addresses(region))


def test_a_service_is_refused_what_cannot_be(region, services, image, balancers):
    group, alternate, stray = (balancers.group(name) for name in ("lonely", "lonely-too", "stray"))
    definition = define(services, image, web("x"))
    create = lambda own, **more: services.create("refused", definition, 1, loadBalancers=own, **more)
    message = refused(create, "InvalidParameterException", own=behind(group))
    assert message == f"The target group with targetGroupArn {group} does not have an associated load balancer."
    arn = balancers.create("lonely")
    instances = balancers.elb.create_target_group(Name="instances", Protocol="HTTP", Port=80, VpcId=region.vpc())
    instances = instances["TargetGroups"][0]["TargetGroupArn"]
    listener = balancers.listen(arn, free_port(), forward(group, (instances, 0)))
    [default] = [rule["RuleArn"] for rule in balancers.elb.describe_rules(ListenerArn=listener)["Rules"]]
    paths = lambda text: [{"Field": "path-pattern", "Values": [text]}]
    both = balancers.rule(listener, 1, paths("/both"), forward(group, (alternate, 0)))
    one = balancers.rule(listener, 2, paths("/one"), forward(group))
    other = balancers.rule(listener, 3, paths("/other"), forward(alternate))

    def shifting(main=group, to=alternate, rule=both, test=None):
        more = {"testListenerRule": test} if test else {}
        advanced = {"alternateTargetGroupArn": to, "productionListenerRule": rule, "roleArn": services.execution_role, **more}
        return [{**behind(main)[0], "advancedConfiguration": advanced}]
    gone = both[:-1] + ("0" if both[-1] != "0" else "1")
    for own, text in [
        (behind(group, "other"), "The container other does not exist in the task definition."),
        (behind(group, port=81), "The container main did not have a container port 81 defined."),
        ([{"loadBalancerName": "classic", "containerName": "main", "containerPort": 80}], "Classic Load Balancers"),
        ([{"loadBalancerName": "classic", "containerName": "main", "containerPort": 80}, *behind(group)],
         "All loadBalancers must be strictly either ELBv1 (defining loadBalancerName) or ELBv2 (defining targetGroupArn)"),
        (behind(group[:-1] + "x"), f"The specified target group {group[:-1]}x does not exist."),
        (behind(instances), f"The provided target group {instances} has target type instance, which is incompatible with the "
                            "awsvpc network mode specified in the task definition."),
        (shifting() + behind(alternate), "Either all or none of the provided loadBalancers must have advancedConfiguration defined"),
        (shifting(to=group), f"Duplicate targetGroupArn found: {group}"),
        (shifting(test=both), f"The following rules cannot be used as both production and test listener rules: {both}"),
        (shifting(rule=listener), "productionListenerRule has an invalid ARN format. Must be RuleArn for ALB or ListenerArn for "
                                  f"NLB. Got: {listener}"),
        (shifting(test=listener), "testListenerRule has an invalid ARN format."),
        (shifting(rule=one), "For Application LoadBalancer, testListenerRule is required when productionListenerRule is not "
                             "associated with both targetGroup and alternateTargetGroup"),
        (shifting(rule=one, test=default),
         f"Target group {alternate} is not associated with either productionListenerRule or testListenerRule."),
        (shifting(rule=gone), f"The specified listener rule {gone} does not exist."),
        (shifting(to=stray[:-1] + "x"), f"The specified target group {stray[:-1]}x does not exist."),
    ]:
        message = refused(create, "InvalidParameterException", own=own)
        assert message.startswith(text), (own, message)
    # Traffic is shifted by rules, which a service without them does not have.
    required = "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment strategy"
    for strategy in ("BLUE_GREEN", "LINEAR", "CANARY"):
        message = refused(create, "InvalidParameterException", own=behind(group), deploymentConfiguration={"strategy": strategy})
        assert message == required
    update = lambda **more: services.ecs.update_service(cluster=services.cluster, service="bare", **more)
    services.create("bare", definition, 0, loadBalancers=behind(group))
    assert refused(update, "InvalidParameterException", deploymentConfiguration={"strategy": "CANARY"}) == required
    update(deploymentConfiguration={"strategy": "BLUE_GREEN"}, loadBalancers=shifting(rule=one, test=other))
    assert refused(update, "InvalidParameterException", loadBalancers=behind(group)) == required
    update(deploymentConfiguration={"strategy": "ROLLING"}, loadBalancers=[])
    assert services.service("bare")["loadBalancers"] == []
    services.delete("bare")
    # Those of task sets are not those of their service.
    own = dict(cluster=services.cluster, deploymentController={"type": "EXTERNAL"}, desiredCount=0)
    message = refused(services.ecs.create_service, "InvalidParameterException", serviceName="outside", **own, loadBalancers=behind(group))
    assert message.startswith("loadBalancers cannot be specified for a service with an EXTERNAL deployment controller")
    services.ecs.create_service(serviceName="outside", **own)
    sets = dict(cluster=services.cluster, service="outside", taskDefinition=definition, launchType="FARGATE",
                networkConfiguration=services.network)
    for wrong in (behind(stray), behind(group, port=81), behind(instances), shifting()):
        refused(services.ecs.create_task_set, "InvalidParameterException", **sets, loadBalancers=wrong)
    services.delete("outside")
    balancers.delete(arn, group, alternate, stray, instances)


def test_task_sets_are_behind_load_balancers_and_have_names(region, services, image, balancers):
    ecs, cluster = services.ecs, services.cluster
    arn, port = balancers.create("sets"), free_port()
    blue, green = balancers.group("sets-blue"), balancers.group("sets-green")
    listener = balancers.listen(arn, port, forward((blue, 1), (green, 0)))
    names = region.client("servicediscovery", config=Config(inject_host_prefix=False))
    operation = names.create_private_dns_namespace(Name="sets.local", Vpc=region.vpc())["OperationId"]
    namespace = names.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
    registry = names.create_service(Name="web", NamespaceId=namespace,
                                    DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 1}]})["Service"]
    ecs.create_service(cluster=cluster, serviceName="sets", desiredCount=2, deploymentController={"type": "EXTERNAL"})
    own = dict(cluster=cluster, service="sets")

    def make(text, group, **more):
        made = ecs.create_task_set(**own, taskDefinition=define(services, image, web(text)), launchType="FARGATE",
                                   networkConfiguration=services.network, loadBalancers=behind(group),
                                   serviceRegistries=[{"registryArn": registry["Arn"]}], **more)["taskSet"]
        assert made["loadBalancers"] == behind(group) and made["serviceRegistries"] == [{"registryArn": registry["Arn"]}]
        return made["id"]

    def steady(identity, count):
        def reached():
            [found] = ecs.describe_task_sets(**own, taskSets=[identity])["taskSets"]
            return found["stabilityStatus"] == "STEADY_STATE" and found["runningCount"] == count
        wait_for(reached, lambda: ecs.describe_task_sets(**own), 90)
    first = make("blue", blue)
    steady(first, 2)
    assert balancers.health(blue) == ["healthy"] * 2, "steady means healthy in the target group"
    ecs.update_service_primary_task_set(**own, primaryTaskSet=first)
    assert services.service("sets")["loadBalancers"] == behind(blue)
    assert ecs.list_services_by_namespace(namespace="sets.local")["serviceArns"] == [services.service("sets")["serviceArn"]]
    second = make("green", green, scale={"value": 50.0, "unit": "PERCENT"})
    steady(second, 1)
    assert balancers.health(green) == ["healthy"]
    found = lambda: set(ask(machine(region), "web.sets.local", "A").texts())
    running = lambda: {address(task) for task in services.running("sets")}
    wait_for(lambda: found() == running() and len(found()) == 3, lambda: (found(), running()))
    balancers.active(arn)
    with Load(balancers.address("sets"), port, clients=4) as load:
        wait_for(lambda: load.answers.get("blue", 0) > 50, "requests")
        ecs.update_task_set(**own, taskSet=second, scale={"value": 100.0, "unit": "PERCENT"})
        steady(second, 2)
        balancers.elb.modify_listener(ListenerArn=listener, DefaultActions=forward((blue, 0), (green, 1)))
        wait_for(lambda: load.answers.get("green", 0) > 50, "requests of the other")
        ecs.update_service_primary_task_set(**own, primaryTaskSet=second)
        ecs.delete_task_set(**own, taskSet=first, force=True)
        wait_for(lambda: [one["id"] for one in services.service("sets")["taskSets"]] == [second], "the first one goes", 60)
        assert balancers.health(blue) == []
    assert load.failures == [] and set(load.answers) == {"blue", "green"}, (load.failures[:5], load.answers)
    events = services.events("sets")
    assert f"(service sets) registered 1 targets in (target-group {green})" in events, events
    wait_for(lambda: found() == running() and len(found()) == 2, lambda: (found(), running()))
    services.delete("sets", 90)
    assert balancers.health(green) == []
    wait_for(lambda: found() == set(), found)
    names.delete_service(Id=registry["Id"])
    names.delete_namespace(Id=namespace)
    balancers.delete(arn, blue, green)


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
