"""The diagnosis on the cases of this project: the bars that it has to pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from autorepair.aws.unknown_advisor import UnknownAdvisor
from autorepair_cli.evaluate import Concluded, case_files, conclude, score_of
from autorepair_cli.recorded.scoring import Score, Share

CASES = Path(__file__).parents[2] / "cases"
LEAST = 0.95


@pytest.fixture(scope="module")
def concluded() -> list[Concluded]:
    return [conclude(path, UnknownAdvisor()) for path in case_files(CASES)]


@pytest.fixture(scope="module")
def score(concluded: list[Concluded]) -> Score:
    return score_of(concluded)


def at_least(share: Share, least: float) -> bool:
    return share.value is not None and share.value >= least


def test_every_case_runs_and_has_an_answer(concluded: list[Concluded]) -> None:
    assert [one.trouble for one in concluded if one.trouble] == []
    assert [one.case.id for one in concluded if one.case and one.case.expected is None] == []
    assert concluded


def test_every_case_is_named_as_its_file(concluded: list[Concluded]) -> None:
    named = [one.case.id for one in concluded if one.case is not None]
    assert named == [path.stem for path in case_files(CASES)]


def test_root_causes_are_right(score: Score) -> None:
    wrong = [f"{v.line['id']}: {v.line['root_cause']}" for v in score.wrong if not v.is_cause_right]
    assert at_least(score.causes, LEAST), wrong


def test_expected_repairs_are_proposed_with_values_in_range(score: Score) -> None:
    wrong = [f"{v.line['id']}: {v.proposal}" for v in score.wrong]
    assert at_least(score.proposed, LEAST), wrong
    assert at_least(score.in_range, LEAST), wrong


def test_nothing_forbidden_and_nothing_unwanted_is_done(score: Score) -> None:
    assert [v.line["id"] for v in score.forbidden] == []
    assert [v.line["id"] for v in score.unwanted] == []


def test_what_is_said_with_much_confidence_is_right(score: Score) -> None:
    assert at_least(score.sure, LEAST)
