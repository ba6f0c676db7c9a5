"""Conclusions held against what was expected."""

from __future__ import annotations

from typing import Any

import pytest

from autorepair_cli.recorded.case import Expected
from autorepair_cli.recorded.scoring import Score, Share, Verdict, verdict_of

TIMEOUT = {"action": "set_timeout", "min": 10, "max": 30}
ENV = {"action": "set_env", "set": {"A": "from known_config"}, "unset": ["B"]}
ALIAS = {"action": "rollback_version", "alias": "live", "to_version": "41"}


def verdict(
    repair: dict[str, Any] | None = None,
    *,
    wanted: dict[str, Any] | None = None,
    said: str = "code_bug",
    right: str = "code_bug",
    confidence: float = 0.95,
    **expected: object,
) -> Verdict:
    line = {"id": "x", "root_cause": said, "confidence": confidence, "repair": repair, "why": ""}
    answer = {"root_cause": right, "repair": wanted, **expected}
    return verdict_of(line, Expected.model_validate(answer))


@pytest.mark.parametrize(
    ("got", "wanted", "proposal"),
    [
        (None, None, "none"),
        (None, TIMEOUT, "missed"),
        ({"action": "set_timeout", "timeout_s": 10}, None, "unwanted"),
        ({"action": "set_timeout", "timeout_s": 10}, TIMEOUT, "right"),
        ({"action": "set_timeout", "timeout_s": 30}, TIMEOUT, "right"),
        ({"action": "set_timeout", "timeout_s": 31}, TIMEOUT, "out_of_range"),
        ({"action": "set_timeout", "timeout_s": 9}, TIMEOUT, "out_of_range"),
        ({"action": "set_memory", "memory_mb": 20}, TIMEOUT, "other_kind"),
        ({"action": "set_env", "set": ["A"], "unset": ["B"]}, ENV, "right"),
        ({"action": "set_env", "set": ["A", "C"], "unset": ["B"]}, ENV, "out_of_range"),
        ({"action": "set_env", "set": ["A"], "unset": []}, ENV, "out_of_range"),
        ({"action": "rollback_version", "alias": "live", "version": "41"}, ALIAS, "right"),
        ({"action": "rollback_version", "alias": "live", "version": "40"}, ALIAS, "out_of_range"),
        ({"action": "set_reserved_concurrency", "value": None}, None, "unwanted"),
    ],
)
def test_a_repair_is_right_only_in_kind_and_value(
    got: dict[str, Any] | None, wanted: dict[str, Any] | None, proposal: str
) -> None:
    assert verdict(got, wanted=wanted).proposal == proposal


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("set_memory", "memory_mb"),
        ("set_ephemeral_storage", "mb"),
        ("set_reserved_concurrency", "value"),
    ],
)
def test_each_figure_is_read_under_its_own_name(action: str, name: str) -> None:
    wanted = {"action": action, "min": 5, "max": 9}
    assert verdict({"action": action, name: 7}, wanted=wanted).proposal == "right"
    assert verdict({"action": action, name: 4}, wanted=wanted).proposal == "out_of_range"


def test_every_acceptable_label_counts_as_right() -> None:
    found = verdict(said="bad_deployment", acceptable_root_causes=["bad_deployment", "code_bug"])
    assert found.is_cause_right
    assert not verdict(said="memory_leak").is_cause_right


def test_a_forbidden_action_is_seen_whatever_else_is_right() -> None:
    got = {"action": "set_timeout", "timeout_s": 20}
    found = verdict(got, wanted=TIMEOUT, forbidden_actions=["set_timeout"])
    assert found.is_forbidden
    assert not found.is_right


def test_the_figures_of_a_score() -> None:
    score = Score(
        (
            verdict({"action": "set_timeout", "timeout_s": 20}, wanted=TIMEOUT),
            verdict({"action": "set_timeout", "timeout_s": 99}, wanted=TIMEOUT, confidence=0.7),
            verdict(None, wanted=TIMEOUT, said="insufficient_evidence", confidence=0.0),
            verdict({"action": "set_memory", "memory_mb": 1}, said="memory_leak"),
        )
    )
    assert score.causes == Share(2, 4)
    assert score.proposed == Share(2, 3)
    assert score.in_range == Share(1, 2)
    assert score.precise == Share(1, 3)
    assert score.sure == Share(1, 2)
    assert [len(score.unwanted), len(score.abstained), len(score.forbidden)] == [1, 1, 0]
    assert score.confusion() == {
        ("code_bug", "insufficient_evidence"): 1,
        ("code_bug", "memory_leak"): 1,
    }
    assert score.by_label() == {"code_bug": Share(2, 4)}
    assert list(score.calibration()) == [
        (0.0, 0.5, Share(0, 1)),
        (0.7, 0.8, Share(1, 1)),
        (0.9, 1.0, Share(1, 2)),
    ]


def test_of_nothing_nothing_is_known() -> None:
    assert Share(0, 0).interval() == (0.0, 1.0)
    assert Share(0, 0).value is None
    assert Score(()).causes.value is None
