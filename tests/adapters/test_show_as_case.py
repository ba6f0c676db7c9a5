"""`autorepair show INCIDENT --as-case` against an emulated account: from the bucket to a case."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.account import STATE_TABLE, Account
from adapters.indexed import INDEXED_TABLE, entry, indexed_trail
from autorepair.aws.evidence_store import S3EvidenceStore
from autorepair.aws.unknown_advisor import UnknownAdvisor
from autorepair.domain.audit import RecordKind
from autorepair_cli.main import main
from autorepair_cli.recorded.evidence import target_of
from autorepair_cli.recorded.run import Run, run
from unit.cli import casebook
from unit.cli.casebook import ALARM_AT

BUCKET = "evidence"


@pytest.fixture
def past(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """An incident as the service leaves it: evidence in the bucket, and its record."""
    monkeypatch.setenv("AUDIT_TABLE", INDEXED_TABLE)
    monkeypatch.setenv("STATE_TABLE", STATE_TABLE)
    found = run(casebook.read(tmp_path).recording, UnknownAdvisor())
    account.clients.s3.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    store = S3EvidenceStore(account.clients.s3, account.digester, bucket=BUCKET)
    trail = indexed_trail(account)
    for kind, data in (
        (RecordKind.INCIDENT_OPENED, {"target": target_of(found.evidence).as_json()}),
        (RecordKind.EVIDENCE_COLLECTED, store.put(found.evidence).as_json()),
        (RecordKind.DIAGNOSIS_MADE, found.diagnosis.as_json()),
        (RecordKind.ACTION_DECIDED, found.decision.as_json()),
    ):
        trail.append(entry("inc-1", kind, at=ALARM_AT, **data))
    return found


def test_the_case_of_an_incident_leads_to_the_same_diagnosis(past: Run, tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["show", "inc-1", "--as-case"])
    assert shown.exit_code == 0, shown.output
    path = tmp_path / "shown.json"
    path.write_text(shown.stdout)
    replayed = CliRunner().invoke(main, ["replay", str(path), "--json"])
    assert replayed.exit_code == 0, replayed.output
    told = json.loads(replayed.stdout)["diagnosis"]
    assert told["root_cause"] == past.diagnosis.root_cause
    assert told["confidence"] == past.diagnosis.confidence


@pytest.mark.usefixtures("past")
def test_a_case_and_the_record_as_json_exclude_each_other() -> None:
    result = CliRunner().invoke(main, ["show", "inc-1", "--as-case", "--json"])
    assert result.exit_code == 2
    assert "exclude each other" in result.output


@pytest.mark.usefixtures("past")
def test_evidence_that_is_gone_is_told_in_a_line(account: Account) -> None:
    for found in account.clients.s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        account.clients.s3.delete_object(Bucket=BUCKET, Key=found["Key"])
    result = CliRunner().invoke(main, ["show", "inc-1", "--as-case"])
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "s3:GetObject" in result.output


def test_the_evidence_of_an_incident_is_told_with_what_the_diagnosis_cites(past: Run) -> None:
    result = CliRunner().invoke(main, ["show", "inc-1", "--evidence"])
    assert result.exit_code == 0, result.output
    failed = len(past.evidence.failures)
    assert f"{len(past.evidence.invocations)} invocations, {failed} failed" in result.output
    assert "first failure" in result.output
    assert "cited" in result.output
    assert past.evidence.signatures
    assert f"{past.evidence.signatures[0].count} x " in result.output
