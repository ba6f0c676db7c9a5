"""Evidence in S3, messages by SNS, events on the bus, the policy in SSM, alarms in CloudWatch."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.stub import Stubber
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns import sns_backends

from adapters.account import ACCOUNT, NOW, REGION, Account
from autorepair.aws.announcer import EventBridgeAnnouncer
from autorepair.aws.evidence_store import S3EvidenceStore
from autorepair.aws.notifier import SnsNotifier
from autorepair.aws.policies import SsmPolicies
from autorepair.aws.unknown_advisor import UnknownAdvisor
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.errors import (
    ConfigurationError,
    EvidenceMissingError,
    PolicyUnreadableError,
    TransientServiceError,
)
from autorepair.domain.evidence import AccountConcurrency, Evidence, Gap, LogLine
from autorepair.domain.traffic import Traffic

BUCKET, POLICY = "evidence", "/lambda-auto-repair/dev/policy"


@pytest.fixture
def store(account: Account) -> S3EvidenceStore:
    account.clients.s3.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    return S3EvidenceStore(account.clients.s3, account.digester, bucket=BUCKET)


def evidence(account: Account, **fields: Any) -> Evidence:  # noqa: ANN401 - Evidence's fields
    return Evidence(
        incident_id="i1",
        collected_at=NOW,
        window_start=NOW,
        window_end=NOW,
        configuration=account.configuration(),
        **fields,
    )


def put_policy(account: Account, text: str) -> None:
    account.clients.ssm.put_parameter(Name=POLICY, Value=text, Type="String", Overwrite=True)


def test_evidence_comes_back_as_it_was_put(account: Account, store: S3EvidenceStore) -> None:
    lines = (LogLine(id="1", at=NOW, stream="s", message="ü"),)
    given = evidence(account, log_lines=lines, gaps=(Gap(source="x", reason="y"),))

    summary = store.put(given)

    assert summary.key.startswith("incidents/i1/evidence-")
    assert (summary.log_lines, summary.failures, len(summary.gaps)) == (1, 0, 1)
    assert store.get(summary) == given


def test_the_summary_tells_the_traffic_and_the_room_in_the_account(
    account: Account, store: S3EvidenceStore
) -> None:
    traffic = Traffic(since=NOW, until=NOW, invocations_month=12.0)
    concurrency = AccountConcurrency(limit=1000, unreserved=900)

    summary = store.put(evidence(account, traffic=traffic, concurrency=concurrency))

    assert (summary.traffic, summary.concurrency) == (traffic, concurrency)
    assert store.get(summary).traffic == traffic


def test_evidence_is_masked_before_it_is_stored(account: Account, store: S3EvidenceStore) -> None:
    said = "login failed for mysql://app:Tr0ub4dor3@db.internal/hr, password=Tr0ub4dor3"
    lines = (LogLine(id="1", at=NOW, stream="s", message=said),)
    gaps = (Gap(source="callers", reason="token=abcdef1234567890 was refused"),)

    summary = store.put(evidence(account, log_lines=lines, gaps=gaps))

    body = account.clients.s3.get_object(Bucket=BUCKET, Key=summary.key)["Body"].read().decode()
    assert "Tr0ub4dor3" not in body
    assert "abcdef1234567890" not in body
    line = store.get(summary).log_lines[0].message
    assert line.startswith("login failed for mysql://app:[masked-")
    assert len(set(re.findall(r"-([0-9a-f]{12})\]", line))) == 1, "one value, one mask"


def test_the_same_evidence_is_stored_once(account: Account, store: S3EvidenceStore) -> None:
    assert store.put(evidence(account)) == store.put(evidence(account))
    assert account.clients.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


def test_the_summary_stays_small_however_many_gaps_there_are(
    account: Account, store: S3EvidenceStore
) -> None:
    gaps = tuple(Gap(source=str(n), reason="r") for n in range(500))

    assert len(store.put(evidence(account, gaps=gaps)).gaps) == 20


def test_evidence_that_was_altered_is_not_taken_for_evidence(
    account: Account, store: S3EvidenceStore
) -> None:
    summary = store.put(evidence(account))
    account.clients.s3.put_object(Bucket=BUCKET, Key=summary.key, Body=b"{}")

    with pytest.raises(EvidenceMissingError, match="SHA-256"):
        store.get(summary)


def test_evidence_that_is_gone_is_missing(account: Account, store: S3EvidenceStore) -> None:
    summary = store.put(evidence(account))
    account.clients.s3.delete_object(Bucket=BUCKET, Key=summary.key)

    with pytest.raises(EvidenceMissingError, match=summary.key):
        store.get(summary)


def test_a_message_reaches_the_topic_with_a_subject_that_sns_takes(account: Account) -> None:
    arn = account.clients.sns.create_topic(Name="t")["TopicArn"]
    notifier = SnsNotifier(account.clients.sns, topic_arn=arn)

    message_id = notifier.publish(
        subject="repaired:\n\tfüncti\x07on " + "x" * 200,
        message="body",
        attributes={"outcome": "repaired", "empty": ""},
    )

    ((sent_id, message, subject, attributes, _),) = (
        sns_backends[DEFAULT_ACCOUNT_ID][REGION].topics[arn].sent_notifications
    )
    assert (sent_id, message) == (message_id, "body")
    assert subject.startswith("repaired: f ncti on xxx")
    assert subject.endswith("...")
    assert len(subject) == 100
    assert set(attributes) == {"outcome"}


def test_a_message_that_is_too_long_is_cut_and_says_so(account: Account) -> None:
    arn = account.clients.sns.create_topic(Name="t")["TopicArn"]

    SnsNotifier(account.clients.sns, topic_arn=arn).publish(
        subject="", message="ü" * 200_000, attributes={}
    )

    ((_, message, subject, _, _),) = (
        sns_backends[DEFAULT_ACCOUNT_ID][REGION].topics[arn].sent_notifications
    )
    assert len(message.encode()) < 262_144
    assert message.endswith("too long]")
    assert subject == "Lambda Auto-Repair"


def test_a_topic_that_is_missing_is_a_fault_of_the_set_up(account: Account) -> None:
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:nothing"

    with pytest.raises(ConfigurationError, match=arn):
        SnsNotifier(account.clients.sns, topic_arn=arn).publish(
            subject="s", message="m", attributes={}
        )


def test_an_event_is_put_on_the_bus_in_the_services_name(account: Account) -> None:
    client: Any = account.clients._session.client("events")
    with Stubber(client) as stubber:
        stubber.add_response(
            "put_events",
            {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]},
            {
                "Entries": [
                    {
                        "EventBusName": "bus",
                        "Source": "lambda-auto-repair",
                        "DetailType": "IncidentOpened",
                        "Detail": '{"a": 1}',
                    }
                ]
            },
        )
        EventBridgeAnnouncer(client, bus="bus").announce("IncidentOpened", {"a": 1})
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "expected"),
    [("InternalFailure", TransientServiceError), ("InvalidArgument", ConfigurationError)],
)
def test_an_event_that_the_bus_refused_is_an_error(
    account: Account, code: str, expected: type[Exception]
) -> None:
    client: Any = account.clients._session.client("events")
    with Stubber(client) as stubber:
        answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "m"}]}
        stubber.add_response("put_events", answer)
        with pytest.raises(expected, match=f"IncidentOpened on bus bus failed with {code}"):
            EventBridgeAnnouncer(client, bus="bus").announce("IncidentOpened", {})


def test_the_policy_is_kept_for_some_seconds_and_read_afresh_on_demand(account: Account) -> None:
    moment = [0.0]
    policies = SsmPolicies(account.clients.ssm, parameter=POLICY, monotonic=lambda: moment[0])
    put_policy(account, '{"settle_s": 1}')
    assert policies.current().settle_s == 1

    put_policy(account, '{"settle_s": 2}')
    assert policies.current().settle_s == 1
    assert policies.current(is_fresh=True).settle_s == 2
    put_policy(account, '{"settle_s": 3}')
    moment[0] = 30.0
    assert policies.current().settle_s == 3


@pytest.mark.parametrize("text", ["not json", '{"settle_s": -1}', '{"unknown": 1}'])
def test_a_policy_that_does_not_validate_is_unreadable(account: Account, text: str) -> None:
    put_policy(account, text)

    with pytest.raises(PolicyUnreadableError, match="does not validate"):
        SsmPolicies(account.clients.ssm, parameter=POLICY).current()


def test_a_policy_that_is_gone_is_not_taken_from_the_cache(account: Account) -> None:
    policies = SsmPolicies(account.clients.ssm, parameter=POLICY)
    put_policy(account, "{}")
    policies.current()
    account.clients.ssm.delete_parameter(Name=POLICY)

    with pytest.raises(PolicyUnreadableError, match=POLICY):
        policies.current(is_fresh=True)
    with pytest.raises(PolicyUnreadableError):
        policies.current()


def test_without_a_model_the_advice_is_that_nobody_knows(account: Account) -> None:
    advice = UnknownAdvisor().advise(evidence(account), ())

    assert advice.root_cause is RootCause.UNKNOWN
    assert json.loads(advice.model_dump_json())["cites"] == []
