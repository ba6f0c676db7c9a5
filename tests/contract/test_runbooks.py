"""Every cause of the catalogue has its runbook, and no runbook is left over."""

from __future__ import annotations

from pathlib import Path

import pytest

from autorepair.causes.cause import Cause
from autorepair.causes.registry import CAUSES

KNOWLEDGE = Path(__file__).parents[2] / "knowledge"
HEADINGS = (
    "## What it means",
    "## How to confirm",
    "## What to change",
    "## How to prevent it",
)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: str(cause.label))
def test_a_cause_has_a_runbook_that_answers_the_four_questions(cause: Cause) -> None:
    text = (KNOWLEDGE / f"{cause.runbook}.md").read_text(encoding="utf-8")
    found = [line for line in text.splitlines() if line.startswith("## ")]
    assert found == list(HEADINGS)
    assert f"Label: `{cause.label}`" in text


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: str(cause.label))
def test_a_runbook_names_the_repair_of_its_cause(cause: Cause) -> None:
    text = (KNOWLEDGE / f"{cause.runbook}.md").read_text(encoding="utf-8")
    repair = "Repair: none" if cause.repair is None else f"Repair: `{cause.repair}`"
    assert repair in text


def test_no_runbook_is_left_over() -> None:
    assert {path.stem for path in KNOWLEDGE.glob("*.md")} == {cause.runbook for cause in CAUSES}


def test_a_runbook_is_called_as_the_messages_call_it() -> None:
    assert [c.label for c in CAUSES if c.runbook != c.label.value.replace("_", "-")] == []
