"""A past incident becomes a case, and is diagnosed as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result

from autorepair.aws.unknown_advisor import UnknownAdvisor
from autorepair.domain.audit import AuditRecord, Entry, RecordKind, chain
from autorepair.domain.errors import EvidenceMissingError, RecordUnreadableError
from autorepair.domain.evidence import Evidence, EvidenceSummary
from autorepair.domain.masking import Masker
from autorepair_cli.as_case import case_text
from autorepair_cli.main import main
from autorepair_cli.recorded.case import read_case
from autorepair_cli.recorded.evidence import target_of
from autorepair_cli.recorded.from_incident import case_of
from autorepair_cli.recorded.run import Run, run
from autorepair_cli.service import Service
from unit.cli import casebook
from unit.cli.casebook import ALARM_AT, NAME

TOKEN = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"


def past(folder: Path, **members: object) -> Run:
    return run(casebook.read(folder, **members).recording, UnknownAdvisor())


def as_case(found: Run) -> dict[str, Any]:
    target = target_of(found.evidence)
    masker = Masker(b"test")
    return case_of(found.evidence, found.diagnosis, found.decision, target, masker=masker)


def rerun(folder: Path, made: dict[str, Any]) -> Run:
    return run(read_case(casebook.written(folder, made, "again")).recording, UnknownAdvisor())


def replay(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["replay", *map(str, arguments)])
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result


def records(found: Run, **instead: Any) -> tuple[AuditRecord, ...]:  # noqa: ANN401 - of records
    said: dict[RecordKind, dict[str, Any]] = {
        RecordKind.INCIDENT_OPENED: {"target": target_of(found.evidence).as_json()},
        RecordKind.EVIDENCE_COLLECTED: EvidenceSummary(
            bucket="b", key="k", sha256="s", collected_at=ALARM_AT, window_start=ALARM_AT,
            window_end=ALARM_AT, invocations=1, failures=1, log_lines=1, gaps=(),
        ).as_json(),
        RecordKind.DIAGNOSIS_MADE: found.diagnosis.as_json(),
        RecordKind.ACTION_DECIDED: found.decision.as_json(),
    }  # fmt: skip
    made: list[AuditRecord] = []
    for kind, data in said.items():
        given = instead.get(kind.value, data)
        if given is None:
            continue
        entry = Entry(
            incident_id="inc-1", key=kind.value, kind=kind, at=ALARM_AT, function_name=NAME,
            summary="", data=given,
        )  # fmt: skip
        made.append(chain(entry, after=made[-1] if made else None))
    return tuple(made)


class Keeper:
    """The one thing of the deployed service that a case is made with besides the record."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    def evidence_of(self, summary: EvidenceSummary) -> Evidence:
        assert summary.key == "k"
        return self._evidence


def test_an_incident_that_became_a_case_is_diagnosed_and_decided_as_it_was(tmp_path: Path) -> None:
    before = past(tmp_path)
    after = rerun(tmp_path, as_case(before))
    assert after.diagnosis.model_copy(update={"cites": ()}) == before.diagnosis.model_copy(
        update={"cites": ()}
    )
    assert after.decision.action == before.decision.action
    assert after.decision.change is not None
    assert before.decision.change is not None
    assert after.decision.change.after == before.decision.change.after


def test_everything_the_rules_look_at_survives_the_way(tmp_path: Path) -> None:
    members = {
        "concurrency": {"ReservedConcurrentExecutions": 5},
        "account_settings": {
            "AccountLimit": {"ConcurrentExecutions": 900, "UnreservedConcurrentExecutions": 700}
        },
    }
    before = past(tmp_path, **members).evidence
    after = rerun(tmp_path, as_case(past(tmp_path, **members))).evidence
    for name in (
        "alarm", "invocations", "metrics", "callers", "event_sources", "declared", "changes",
        "aliases", "versions", "concurrency", "gaps",
    ):  # fmt: skip
        assert getattr(after, name) == getattr(before, name), name
    of_values = {"fingerprint", "env_digests"}
    assert after.configuration.model_dump(exclude=of_values) == before.configuration.model_dump(
        exclude=of_values
    )


def test_invocations_whose_lines_were_not_kept_are_written_anew(tmp_path: Path) -> None:
    found = past(tmp_path)
    kept = tuple(line for line in found.evidence.log_lines if "KeyError" in line.message)[:1]
    thinned = found._replace(evidence=found.evidence.model_copy(update={"log_lines": kept}))
    after = rerun(tmp_path, as_case(thinned)).evidence
    figures = {(i.request_id, i.duration_ms, i.max_memory_used_mb) for i in after.invocations}
    missing = {
        (i.request_id, i.duration_ms, i.max_memory_used_mb)
        for i in found.evidence.invocations
        if i.request_id != kept[0].request_id
    }
    assert missing <= figures


def test_secrets_of_old_evidence_are_masked_in_the_case(tmp_path: Path) -> None:
    said = f"[ERROR] KeyError: 'STOCK_TABLE' token={TOKEN}\nTraceback (most recent call last):\n"
    found = past(tmp_path, log_events=casebook.events(message=said), tags={"note": TOKEN})
    lines = tuple(
        line.model_copy(update={"message": f"{line.message} {TOKEN}"})
        for line in found.evidence.log_lines
    )
    leaky = found._replace(evidence=found.evidence.model_copy(update={"log_lines": lines}))
    text = json.dumps(as_case(leaky))
    assert TOKEN not in text
    assert "[masked-" in text


def test_what_was_concluded_is_the_answer_until_a_person_has_looked(tmp_path: Path) -> None:
    expected = as_case(past(tmp_path))["expected"]
    assert expected["root_cause"] == "missing_env_var"
    assert expected["repair"] == {
        "action": "set_env",
        "set": {"STOCK_TABLE": "from known_config"},
        "unset": [],
    }
    assert expected["why"].startswith("TO BE REVIEWED")


def test_show_as_case_prints_what_evaluate_reads(tmp_path: Path) -> None:
    found = past(tmp_path)
    service = cast("Service", Keeper(found.evidence))
    path = tmp_path / "printed.json"
    path.write_text(case_text(service, records(found)))
    result = CliRunner().invoke(main, ["evaluate", str(path)])
    assert result.exit_code == 0, result.output
    assert "1 of 1, 100.0%" in result.stderr


def test_an_incident_without_evidence_makes_no_case(tmp_path: Path) -> None:
    found = past(tmp_path)
    service = cast("Service", Keeper(found.evidence))
    with pytest.raises(EvidenceMissingError, match="evidence_collected"):
        case_text(service, records(found, evidence_collected=None))


def test_a_record_of_another_version_is_named(tmp_path: Path) -> None:
    found = past(tmp_path)
    service = cast("Service", Keeper(found.evidence))
    with pytest.raises(RecordUnreadableError, match="Diagnosis"):
        case_text(service, records(found, diagnosis_made={"cause": "old"}))


def test_stored_evidence_is_diagnosed_as_the_case_it_came_from(tmp_path: Path) -> None:
    found = past(tmp_path)
    path = tmp_path / "evidence-1.json"
    path.write_text(found.evidence.model_dump_json())
    result = replay(path, "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["diagnosis"] == found.diagnosis.as_json()
    assert told["decision"]["change"] == (found.decision.as_json())["change"]
    assert told["expected"] is None


def test_replay_of_a_case_says_whether_the_answer_still_stands(tmp_path: Path) -> None:
    same = replay(casebook.written(tmp_path, casebook.case()))
    assert same.exit_code == 0
    assert "as recorded: missing_env_var" in same.stdout
    other = casebook.case(expected={"root_cause": "memory_leak", "repair": None})
    differs = replay(casebook.written(tmp_path, other))
    assert differs.exit_code == 1
    assert "DIFFERS from what is recorded: memory_leak, no repair" in differs.stdout


def test_replay_of_something_else_says_so_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[]")
    result = replay(path)
    assert result.exit_code == 1
    assert "x.json is not a case" in result.output
