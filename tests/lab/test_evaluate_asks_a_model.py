"""`autorepair evaluate --advisor bedrock`, over HTTP to the lab's model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from autorepair_cli.main import main
from autorepair_lab.account.call import Call
from lab.account_support import Lab, running_lab
from unit.cli import casebook

VALUE = "never-to-be-seen-77"  # casebook's SECRETIVE
SAID = "tariff desk: this card is not recognised, parcel left unpriced\n"
ANSWER = {
    "root_cause": "wrong_env_var",
    "why": "The desk does not recognise it.",
    "cites": ["{{id of: not recognised}}"],
}


class Eavesdropper:
    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def handle(self, call: Call) -> None:
        if call.operation == "Converse":
            self.asked.append(call.parameters)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("evaluate")) as running:
        yield running


@pytest.fixture
def ear(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Eavesdropper:
    made = Eavesdropper()
    lab.account.add_interceptor(made)
    for name, value in (
        ("AWS_ENDPOINT_URL", lab.account.endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ):
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "DIAGNOSIS_MODE", "KNOWLEDGE_BASE_ID", "GUARDRAIL_ID"):
        monkeypatch.delenv(name, raising=False)
    return made


def crashes() -> list[dict[str, Any]]:
    """Invocations that leave with an exit code after words that no rule knows."""
    told = []
    for one in casebook.events(message=SAID):
        message = one["message"]
        if message.startswith("END"):
            exit_of = f"RequestId: {message.split()[2]} Error: Runtime exited with error: "
            told.append({**one, "message": f"{exit_of}exit status 3\nRuntime.ExitError\n"})
        if message.startswith("REPORT"):
            message += "Status: error\tError Type: Runtime.ExitError\n"
        told.append({**one, "message": message})
    return told


def conclusion(folder: Path, advisor: str) -> dict[str, Any]:
    case = casebook.case(
        log_events=crashes(),
        recent_changes=[],
        known_config={"LOG_LEVEL": {"type": "literal", "value": "warning"}},
    )
    casebook.written(folder, case)
    result = CliRunner().invoke(main, ["evaluate", str(folder), "--advisor", advisor])
    (line,) = [json.loads(one) for one in result.stdout.splitlines() if one.startswith("{")]
    found: dict[str, Any] = line
    return found


def test_the_model_is_asked_where_the_rules_leave_a_case_open(
    lab: Lab, ear: Eavesdropper, tmp_path: Path
) -> None:
    lab.account.set_bedrock_answers([{"tool": ANSWER}])

    line = conclusion(tmp_path, "bedrock")

    assert (line["root_cause"], line["source"]) == ("wrong_env_var", "model")
    assert line["repair"] == {"action": "set_env", "set": ["LOG_LEVEL"], "unset": []}
    assert len(ear.asked) == 1
    assert VALUE not in json.dumps(ear.asked)


def test_without_it_the_case_stays_open(ear: Eavesdropper, tmp_path: Path) -> None:
    line = conclusion(tmp_path, "none")

    assert (line["root_cause"], line["source"], line["repair"]) == (
        "insufficient_evidence",
        "none",
        None,
    )
    assert ear.asked == []


def test_an_invented_id_leaves_the_case_open(lab: Lab, ear: Eavesdropper, tmp_path: Path) -> None:
    lab.account.set_bedrock_answers([{"tool": {**ANSWER, "cites": ["L77"]}}])

    line = conclusion(tmp_path, "bedrock")

    assert (line["source"], line["repair"]) == ("none", None)
    assert "does not exist" in line["why"]
    assert len(ear.asked) == 1
