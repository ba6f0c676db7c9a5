"""Holds conclusions against what was expected."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from autorepair.domain.diagnosis import RootCause
from autorepair.domain.statistics import wilson_95
from autorepair_cli.recorded.answer import Line
from autorepair_cli.recorded.case import Expected, ExpectedRepair

Proposal = Literal["none", "right", "out_of_range", "other_kind", "missed", "unwanted"]
"""``none`` and ``right`` are as expected; ``out_of_range`` is the right kind with a wrong value."""
FIGURES = {
    "set_timeout": "timeout_s",
    "set_memory": "memory_mb",
    "set_ephemeral_storage": "mb",
    "set_reserved_concurrency": "value",
}
"""Under which name a repair that sets a figure tells it."""
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Where the bins of confidence begin; the last one ends with certainty."""
SURE = 0.9


class Verdict(NamedTuple):
    """One case: its conclusion, what was expected, and how the two compare."""

    line: Line
    expected: Expected
    is_cause_right: bool
    proposal: Proposal
    is_forbidden: bool

    @property
    def is_right(self) -> bool:
        """Whether cause and repair are both as expected, and nothing forbidden was proposed."""
        return self.is_cause_right and self.proposal in {"none", "right"} and not self.is_forbidden

    @property
    def has_abstained(self) -> bool:
        """Whether it was said that the evidence does not tell."""
        return str(self.line["root_cause"]) == RootCause.INSUFFICIENT_EVIDENCE


class Share(NamedTuple):
    """So many of so many."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.part / self.whole if self.whole else None

    def interval(self) -> tuple[float, float]:
        """Give Wilson's score interval at 95%; everything for nothing."""
        return wilson_95(self.part, self.whole) if self.whole else (0.0, 1.0)


def verdict_of(line: Line, expected: Expected) -> Verdict:
    """Hold one conclusion against its answer."""
    got = line["repair"]
    return Verdict(
        line=line,
        expected=expected,
        is_cause_right=str(line["root_cause"]) in expected.right,
        proposal=_proposal(got, expected.repair),
        is_forbidden=got is not None and got["action"] in expected.forbidden_actions,
    )


def _proposal(got: Line | None, wanted: ExpectedRepair | None) -> Proposal:
    if got is None or wanted is None:
        if got is None:
            return "none" if wanted is None else "missed"
        return "unwanted"
    if got["action"] != wanted.action:
        return "other_kind"
    return "right" if _is_in_range(got, wanted) else "out_of_range"


def _is_in_range(got: Line, wanted: ExpectedRepair) -> bool:
    if wanted.action == "set_env":
        named = set(got["set"]), set(got["unset"])
        return named == (set(wanted.to_set), set(wanted.to_unset))
    if wanted.action == "rollback_version":
        return (got["alias"], got["version"]) == (wanted.alias, wanted.to_version)
    figure = got.get(FIGURES.get(wanted.action, ""))
    if figure is None:
        return False
    least = -math.inf if wanted.least is None else wanted.least
    most = math.inf if wanted.most is None else wanted.most
    return least <= float(figure) <= most


class Score(NamedTuple):
    """All verdicts, and the figures that are made of them."""

    verdicts: tuple[Verdict, ...]

    @property
    def causes(self) -> Share:
        """Right root causes."""
        return _share(self.verdicts, [v.is_cause_right for v in self.verdicts])

    @property
    def proposed(self) -> Share:
        """Expected repairs that were proposed, whatever their values: recall."""
        found = [v.proposal in {"right", "out_of_range"} for v in self._expecting]
        return Share(sum(found), len(found))

    @property
    def in_range(self) -> Share:
        """Proposed repairs of the expected kind whose values are in range."""
        found = [v for v in self._expecting if v.proposal in {"right", "out_of_range"}]
        return Share(sum(v.proposal == "right" for v in found), len(found))

    @property
    def precise(self) -> Share:
        """Proposals that are right in kind and values: precision."""
        found = [v for v in self.verdicts if v.line["repair"] is not None]
        return Share(sum(v.proposal == "right" for v in found), len(found))

    @property
    def forbidden(self) -> tuple[Verdict, ...]:
        """Proposals of what must not be done."""
        return tuple(v for v in self.verdicts if v.is_forbidden)

    @property
    def unwanted(self) -> tuple[Verdict, ...]:
        """Repairs where none is expected."""
        return tuple(v for v in self.verdicts if v.proposal == "unwanted")

    @property
    def abstained(self) -> tuple[Verdict, ...]:
        """Cases of which it was said that the evidence does not tell."""
        return tuple(v for v in self.verdicts if v.has_abstained)

    @property
    def sure(self) -> Share:
        """Right root causes among those that were named with much confidence."""
        found = [v for v in self.verdicts if v.line["confidence"] >= SURE]
        return _share(found, [v.is_cause_right for v in found])

    @property
    def wrong(self) -> tuple[Verdict, ...]:
        """Cases that are not wholly as expected."""
        return tuple(v for v in self.verdicts if not v.is_right)

    @property
    def _expecting(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if v.expected.repair is not None)

    def by_label(self) -> dict[str, Share]:
        """Give the share of right causes by expected label, in the order of the labels."""
        labels = sorted({v.expected.root_cause for v in self.verdicts})
        of = {
            label: [v for v in self.verdicts if v.expected.root_cause == label] for label in labels
        }
        return {k: _share(found, [v.is_cause_right for v in found]) for k, found in of.items()}

    def confusion(self) -> Counter[tuple[str, str]]:
        """Count what was said (second) where something else was right (first)."""
        return Counter(
            (v.expected.root_cause, str(v.line["root_cause"]))
            for v in self.verdicts
            if not v.is_cause_right
        )

    def calibration(self) -> Iterable[tuple[float, float, Share]]:
        """Give each bin of confidence that has cases: from, to, and how many were right."""
        ends = (*BINS[1:], 1.0)
        for start, end in zip(BINS, ends, strict=True):
            found = [v for v in self.verdicts if _bin_of(v.line["confidence"]) == start]
            if found:
                yield start, end, _share(found, [v.is_cause_right for v in found])


def _bin_of(confidence: float) -> float:
    return max(start for start in BINS if start <= confidence)


def _share(found: Sequence[Verdict], are_right: Sequence[bool]) -> Share:
    return Share(sum(are_right), len(found))
