from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.causes.network import NETWORK_UNREACHABLE
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, RecentChange
from unit.logbook import Logbook, cites_exist

TO_RDS = (
    '[ERROR] OperationalError: connection to server at "orders.c8z1.eu-west-1.rds.amazonaws.com" '
    "(10.0.1.5), port 5432 failed: Connection timed out\nTraceback"
)
TO_PARTNER = "[ERROR] ConnectTimeout: Connection to api.partner.example timed out.\nTraceback"


def find(evidence: Evidence) -> Finding | None:
    return NETWORK_UNREACHABLE.diagnose(evidence)


def failing(words: str, *, count: int = 4) -> Logbook:
    log = Logbook()
    log.succeed(90, 80, 85)
    for _ in range(count):
        log.fail(words)
    return log


def changed(log: Logbook, event: str, note: str = "", *, before_failures: int = 4) -> RecentChange:
    at = log.now - timedelta(seconds=5.2 * before_failures)
    return RecentChange(id="change:1", at=at, source="cloudtrail", event=event, note=note)


@pytest.mark.parametrize(
    "words",
    [
        TO_RDS,
        (
            '[ERROR] ConnectTimeoutError: Connect timeout on endpoint URL: "https://sqs.eu-west-1.'
            'amazonaws.com/"\nTraceback'
        ),
        '{"errorType":"OpError","errorMessage":"dial tcp 10.0.1.5:5432: i/o timeout"}',
        (
            "2026Z\tid\tERROR\tInvoke Error "
            '\t{"errorType":"Error","errorMessage":"connect ETIMEDOUT '
            '10.0.12.5:6379","code":"ETIMEDOUT"}'
        ),
        (
            'Error raised from handler method\n{"errorType":"Function<Net::OpenTimeout>",'
            '"errorMessage":"Failed to open TCP connection to kms.eu-west-1.amazonaws.com:443 '
            '(execution expired)"}'
        ),
    ],
)
def test_connections_that_nobody_answers_from_within_a_vpc_are_the_networks(words: str) -> None:
    evidence = failing(words).evidence(has_vpc=True)
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.NETWORK_UNREACHABLE
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert diagnosis.confidence >= 0.75
    assert cites_exist(diagnosis, evidence)


@pytest.mark.parametrize(
    "words",
    [
        "[ERROR] OSError: [Errno 113] No route to host\nTraceback",
        "[ERROR] OSError: [Errno 101] Network is unreachable\nTraceback",
        (
            '2026Z\tid\tERROR\tInvoke Error \t{"errorType":"Error","errorMessage":"connect '
            'EHOSTUNREACH 10.0.1.5:5432"}'
        ),
    ],
)
def test_no_way_to_a_host_is_the_networks_in_any_network(words: str) -> None:
    finding = find(failing(words).evidence())
    assert finding is not None
    assert finding.confidence >= 0.9


def test_a_file_system_that_cannot_be_mounted_is_named_by_the_platform() -> None:
    log = Logbook()
    log.succeed(90, 80)
    for _ in range(3):
        log.call(
            9900,
            status="Status: error\tError Type: EFSMountTimeoutException",
            last_words="RequestId: {id} Error: The function could not mount the EFS file system "
            "with access point x due to mount time out.\nEFSMountTimeoutException",
        )
    evidence = log.evidence(has_vpc=True, has_file_system=True)
    assert diagnose(evidence).root_cause is RootCause.NETWORK_UNREACHABLE


def test_the_platforms_name_alone_is_enough() -> None:
    log = Logbook()
    for _ in range(3):
        log.call(9900, status="Status: error\tError Type: EFSMountConnectivityException")
    finding = find(log.evidence(has_vpc=True))
    assert finding is not None
    assert cites_exist(finding, log.evidence())


@pytest.mark.parametrize(
    ("event", "note"),
    [
        ("UpdateFunctionConfiguration20150331v2", '{"vpcConfig": {"subnetIdsAfter": ["b"]}}'),
        ("RevokeSecurityGroupEgress", "sg-1"),
        ("DeleteNatGateway", "nat-1"),
        ("ReplaceRoute", "0.0.0.0/0"),
        ("DeleteVpcEndpoints", ""),
    ],
)
def test_silence_after_a_change_of_the_network_is_the_networks(event: str, note: str) -> None:
    log = Logbook(timeout_s=10)
    log.succeed(90, 80, 85)
    for _ in range(4):
        log.time_out([(0.1, "connecting to orders-db:5432")])
    change = changed(log, event, note, before_failures=13)
    diagnosis = diagnose(log.evidence(has_vpc=True, changes=[change]))
    assert diagnosis.root_cause is RootCause.NETWORK_UNREACHABLE
    assert diagnosis.need is None
    assert event in diagnosis.why


def test_silence_at_an_aws_call_from_within_a_vpc_lacks_a_way_out() -> None:
    log = Logbook(timeout_s=10)
    for _ in range(4):
        log.time_out([(0.1, "fetching secret orders/db from Secrets Manager")])
    assert diagnose(log.evidence(has_vpc=True)).root_cause is RootCause.NETWORK_UNREACHABLE
    outside = diagnose(log.evidence())
    assert outside.root_cause is RootCause.DOWNSTREAM_UNAVAILABLE


def test_failures_in_some_environments_only_raise_the_confidence() -> None:
    apart = Logbook()
    mixed = Logbook()
    for number in range(6):
        apart.enter(f"bad{number % 2}")
        apart.fail(TO_PARTNER)
        apart.enter("good")
        apart.succeed(90)
        mixed.fail(TO_PARTNER)
        mixed.succeed(90)
    apart_found = find(apart.evidence(has_vpc=True))
    mixed_found = find(mixed.evidence(has_vpc=True))
    assert apart_found is not None
    assert mixed_found is not None
    assert apart_found.confidence > mixed_found.confidence


def test_a_private_address_is_out_of_reach_without_a_vpc() -> None:
    finding = find(failing(TO_RDS).evidence())
    assert finding is not None
    assert find(failing(TO_PARTNER).evidence()) is None


def test_mail_by_port_25_never_gets_out() -> None:
    words = (
        '2026Z\tid\tERROR\tInvoke Error \t{"errorType":"Error","errorMessage":"connect ETIMEDOUT '
        '74.125.1.1:25"}'
    )
    assert find(failing(words).evidence()) is not None


def test_names_count_where_the_network_changed_and_else_they_are_the_services() -> None:
    words = "[ERROR] gaierror: [Errno -2] Name or service not known\nTraceback"
    log = failing(words)
    assert find(log.evidence(has_vpc=True)) is None
    change = changed(log, "DisassociateVPCFromHostedZone")
    assert find(log.evidence(has_vpc=True, changes=[change])) is not None


def test_a_change_after_the_failures_began_does_not_explain_them() -> None:
    log = Logbook(timeout_s=10)
    for _ in range(6):
        log.time_out([(0.1, "order 17")])
    late = changed(log, "RevokeSecurityGroupEgress", before_failures=3)
    assert find(log.evidence(has_vpc=True, changes=[late])) is None


@pytest.mark.parametrize("event", ["UpdateRoute", "UpdateResolver", "DeleteNatGateway"])
def test_changes_of_other_networks_do_not_concern_a_function_in_none(event: str) -> None:
    log = Logbook(timeout_s=10)
    log.succeed(90, 80, 85)
    for _ in range(4):
        log.time_out([(0.1, "connecting to partner.example")])
    change = changed(log, event, before_failures=13)
    assert find(log.evidence(changes=[change])) is None
    taken_out = changed(log, "UpdateFunctionConfiguration", "vpcConfig", before_failures=13)
    assert find(log.evidence(changes=[taken_out])) is not None


@pytest.mark.parametrize(
    "words",
    [
        "[ERROR] ConnectionRefusedError: [Errno 111] Connection refused\nTraceback",
        "[ERROR] HTTPError: HTTP Error 503: Service Unavailable\nTraceback",
        "[ERROR] ReadTimeout: HTTPSConnectionPool(host='psp.example'): Read timed out.\nTraceback",
        "[ERROR] ThrottlingException: Rate exceeded\nTraceback",
        "[ERROR] OperationalError: FATAL: sorry, too many clients already\nTraceback",
        "[ERROR] OperationalError: FATAL: password authentication failed\nTraceback",
    ],
)
def test_whatever_answers_is_reached(words: str) -> None:
    log = failing(words)
    change = changed(log, "RevokeSecurityGroupEgress")
    assert find(log.evidence(has_vpc=True, changes=[change])) is None


def test_the_state_of_the_function_tells_of_a_subnet_without_addresses() -> None:
    log = Logbook()
    reason = "SubnetOutOfIPAddresses: the subnet has no free addresses"
    change = changed(log, "UpdateFunctionConfiguration", before_failures=0)
    finding = find(log.evidence(has_vpc=True, state_reason=reason, changes=[change]))
    assert finding is not None
    assert find(log.evidence(has_vpc=True, state_reason="Idle: inactive")) is None


def test_without_a_log_nothing_is_found() -> None:
    assert find(Logbook().evidence(has_vpc=True)) is None
