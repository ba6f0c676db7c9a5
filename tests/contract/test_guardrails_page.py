"""docs/guardrails.md names every refusal that exists, no other, and tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autorepair.domain.decision import RefusalCode

PROJECT = Path(__file__).parents[2]
CORE = PROJECT / "layers" / "core" / "autorepair"
PAGE = (PROJECT / "docs" / "guardrails.md").read_text(encoding="utf-8")

# guardrail, code, does, where, test
_WITH_A_CODE = 5


def rows() -> list[list[str]]:
    """Give the cells of each guardrail; the tables of guardrails name a test in the last one."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if "::" in row[-1]]


def codes() -> list[str]:
    return [row[1].strip("`") for row in rows() if len(row) == _WITH_A_CODE]


def test_every_refusal_that_exists_is_in_the_tables_and_none_that_does_not() -> None:
    assert set(codes()) == {code.value for code in RefusalCode}


@pytest.mark.parametrize("code", list(RefusalCode))
def test_every_refusal_is_made_somewhere(code: RefusalCode) -> None:
    named = f"RefusalCode.{code.name}"
    made = [p for p in CORE.rglob("*.py") if re.search(rf"{named}\b", p.read_text("utf-8"))]
    assert made, f"nothing in the service ever says {code.value}"


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[1]}: {row[0][:40]}")
def test_the_test_of_each_guardrail_is_there(row: list[str]) -> None:
    path, name = row[-1].strip("`").split("::")
    text = (PROJECT / "tests" / path).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", text, re.MULTILINE), row[-1]


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[1]}: {row[0][:40]}")
def test_the_place_of_each_guardrail_is_there(row: list[str]) -> None:
    places = re.findall(r"`([a-z_/]+\.py)`", row[-2])
    assert places
    assert [p for p in places if not (CORE / p).is_file()] == []
