"""How good the plans of each kind of repair have been, and what to make of it.

A plan that was not made is held against what happened next; one that was made, against its
verification and what others made of it since. A deployment that puts the template's value back says
nothing of the repair, a person who does so says that it was not wanted. Half of what happens says
nothing of the plan and counts on neither side.

The advice on the mode of the account rests on the functions that go by it: those with a mode of
their own, by an override or a tag, would not follow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal

from pydantic import ValidationError

from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.change import RepairKind
from autorepair.domain.decision import Decision
from autorepair.domain.incident import Outcome
from autorepair.domain.policy import Mode, Policy
from autorepair.domain.statistics import wilson_95
from autorepair.domain.value import Value
from autorepair.domain.watched import Aftermath, Drift, Drifted, Observed, Writer

FOR_ASK, FOR_AUTO, FOR_LESS = 5, 10, 5
"""So many plans have to tell something before a mode is loosened to ask, to auto, or tightened."""
ASK_FROM, AUTO_FROM, LESS_BELOW = 0.5, 0.7, 0.5
"""Shares of good plans: the interval's lower end to loosen, its upper end to tighten."""

Applied = Literal["repaired", "unverified", "rolled_back"]
_APPLIED: dict[str, Applied] = {
    Outcome.REPAIRED.value: "repaired",
    Outcome.UNVERIFIED.value: "unverified",
    Outcome.ROLLED_BACK.value: "rolled_back",
}
_WITHHELD = frozenset({Outcome.REJECTED.value, Outcome.EXPIRED.value})
_DRIFTS = frozenset(
    {
        RecordKind.REPAIR_ADOPTED,
        RecordKind.REPAIR_REVERTED,
        RecordKind.REPAIR_REPLACED,
        RecordKind.REPAIR_GONE,
    }
)
_UNTOLD = frozenset({Aftermath.UNKNOWN, Aftermath.GONE, Aftermath.REPAIRED_HERE})


class Trial(Value):
    """One incident in which there was a plan, and what came of it."""

    incident_id: str
    function_name: str
    function_arn: str
    kind: RepairKind
    applied: Applied | None = None
    """How the repair ended; None: it was not made."""
    aftermath: Aftermath | None = None
    """What happened without it; None where it was made, or nobody has looked yet."""
    is_same_way: bool = False
    became: Drifted | None = None
    """What became of a repair that was kept, as far as that is known."""
    writer: Writer = "unknown"
    """Who made that of it."""


class Row(Value):
    """Counts over the incidents of one kind of repair, of one function or of all."""

    kind: RepairKind
    function_name: str | None = None
    would_be: int = 0
    recovered: int = 0
    fixed_otherwise: int = 0
    same_value: int = 0
    same_way: int = 0
    """Changed by a person to another value on the same side."""
    other_value: int = 0
    still_failing: int = 0
    untold: int = 0
    """Not looked at yet, or it cannot be told."""
    repaired: int = 0
    unverified: int = 0
    rolled_back: int = 0
    put_back: int = 0
    """Kept, and put back by a person since."""
    changed_again: int = 0
    """Kept, and since set to another value, or put back by nobody knows whom."""
    reverted: int = 0
    """Of those repaired or unverified: put back by a deployment."""
    adopted: int = 0

    @property
    def good(self) -> int:
        """How many plans were right: proven by traffic, or what a person did as well."""
        return self.same_value + self.same_way + self.repaired

    @property
    def bad(self) -> int:
        """How many were not: needless, elsewhere than the remedy, or taken back by anybody."""
        needless = self.recovered + self.fixed_otherwise + self.other_value
        return needless + self.rolled_back + self.put_back


class Step(StrEnum):
    """What to do about the mode of a kind of repair."""

    TO_ASK = "observe -> ask"
    TO_AUTO = "ask -> auto"
    STAY = "stay"
    TIGHTEN = "tighten"


class Advice(Value):
    """What the counts of one kind of repair say about its mode."""

    kind: RepairKind
    mode: Mode
    step: Step
    good: int
    told: int
    """How many plans count: the good ones and the bad ones."""
    low: float
    high: float
    """The 95% interval of the share of good plans."""
    why: str


def trial_of(records: Iterable[AuditRecord]) -> Trial | None:
    """Read from an incident's records what was planned and what came of it; None without a plan.

    Only an incident that has been closed counts, and of several plans the last one.
    """
    found = _Found()
    for record in sorted(records, key=lambda one: one.seq):
        try:
            found.read(record)
        except (ValidationError, KeyError, ValueError):
            continue  # of another version of the service; the rest may tell enough
    return found.trial()


class _Found:
    """What the records of one incident have said so far."""

    def __init__(self) -> None:
        self._incident_id = ""
        self._decision: Decision | None = None
        self._is_written = False
        self._outcome: str | None = None
        self._observed: Observed | None = None
        self._drift: Drift | None = None

    def read(self, record: AuditRecord) -> None:
        """Take note of one record."""
        entry = record.entry
        self._incident_id = entry.incident_id
        if entry.kind is RecordKind.ACTION_DECIDED:
            decision = Decision.model_validate(entry.data)
            self._decision = decision if decision.change else self._decision
        elif entry.kind is RecordKind.REPAIR_APPLIED:
            self._is_written = True
        elif entry.kind is RecordKind.INCIDENT_CLOSED:
            self._outcome = entry.data["outcome"]
        elif entry.kind is RecordKind.OUTCOME_OBSERVED:
            seen = Observed.model_validate(entry.data)
            # What cannot be told later does not take back what was told before.
            if self._observed is None or seen.aftermath not in _UNTOLD:
                self._observed = seen
        elif entry.kind in _DRIFTS:
            self._drift = Drift.model_validate(entry.data["drift"])

    def trial(self) -> Trial | None:
        """Give what the records amount to."""
        change = self._decision.change if self._decision else None
        if change is None or self._decision is None or self._outcome is None:
            return None
        applied = _APPLIED.get(self._outcome) if self._is_written else None
        is_observed = self._decision.action == "observe" and not self._is_written
        if applied is None and not is_observed and self._outcome not in _WITHHELD:
            return None
        seen, drift = self._observed, self._drift
        return Trial(
            incident_id=self._incident_id,
            function_name=change.target.function_name,
            function_arn=change.target.function_arn,
            kind=change.kind,
            applied=applied,
            aftermath=seen.aftermath if seen else None,
            is_same_way=seen.is_same_way if seen else False,
            became=drift.became if drift else None,
            writer=drift.writer if drift else "unknown",
        )


def own_modes(
    trials: Iterable[Trial], policy: Policy, tags: Mapping[str, Mapping[str, str]]
) -> dict[tuple[str, RepairKind], Mode]:
    """Give the functions whose mode of a kind is not the account's, with the mode that is theirs.

    ``tags`` are those of the functions by name; one whose tags are not known is taken to have none.
    """
    found: dict[tuple[str, RepairKind], Mode] = {}
    for trial in trials:
        name, kind = trial.function_name, trial.kind
        mode = mode_for(name, kind, policy, tags.get(name, {}))
        if mode is not policy.mode_of(kind):
            found[name, kind] = mode
    return found


def mode_for(name: str, kind: RepairKind, policy: Policy, tags: Mapping[str, str]) -> Mode:
    """Give the mode that a function has, by overrides and its own tags."""
    own = policy.for_function(name).tightened_by(dict(tags), is_approval_required=False)
    return own.mode_of(kind)


def rows_of(trials: Iterable[Trial]) -> tuple[Row, ...]:
    """Count by kind of repair and function, in the order of their names."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.kind.value, trial.function_name), []).append(trial)
    return tuple(
        _counted(group, group[0].kind, name) for (_, name), group in sorted(groups.items())
    )


def totals_of(trials: Iterable[Trial]) -> tuple[Row, ...]:
    """Count by kind of repair, over all functions."""
    groups: dict[RepairKind, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.kind, []).append(trial)
    return tuple(_counted(groups[kind], kind, None) for kind in sorted(groups))


def advice_of(row: Row, mode: Mode) -> Advice:
    """Say whether the mode of a kind of repair should be another, and by which rule.

    The bars: `FOR_ASK`, `FOR_AUTO`, `FOR_LESS` plans that tell, and the interval's end on the
    right side of `ASK_FROM`, `AUTO_FROM`, `LESS_BELOW`. Ten of ten pass the one for auto (the
    lower end is 72%), three of three pass none.
    """
    told = row.good + row.bad
    low, high = wilson_95(row.good, told) if told else (0.0, 1.0)
    step, why = _step(row, mode, told, low, high)
    return Advice(
        kind=row.kind, mode=mode, step=step, good=row.good, told=told, low=low, high=high, why=why
    )


def _step(row: Row, mode: Mode, told: int, low: float, high: float) -> tuple[Step, str]:
    seen = f"{row.good} of {told} plans were good, 95% interval {low:.0%} to {high:.0%}"
    if told >= FOR_LESS and high < LESS_BELOW and mode in {Mode.ASK, Mode.AUTO}:
        return Step.TIGHTEN, f"{seen}; the upper end is below {LESS_BELOW:.0%}"
    if mode is Mode.OFF:
        return Step.STAY, f"{seen}; the kind is off"
    if mode is Mode.OBSERVE:
        return _loosened(Step.TO_ASK, seen, told, low, FOR_ASK, ASK_FROM)
    if mode is Mode.ASK:
        return _loosened(Step.TO_AUTO, seen, told, low, FOR_AUTO, AUTO_FROM)
    return Step.STAY, f"{seen}; nothing speaks against the mode"


def _loosened(  # noqa: PLR0913, PLR0917 - what was seen, and the bar that it is held against
    step: Step, seen: str, told: int, low: float, least: int, bar: float
) -> tuple[Step, str]:
    if told < least:
        return Step.STAY, f"{seen}; it takes at least {least} that tell"
    if low < bar:
        return Step.STAY, f"{seen}; the lower end would have to be {bar:.0%} or more"
    return step, f"{seen}; the lower end is {bar:.0%} or more, of at least {least} that tell"


def _counted(trials: list[Trial], kind: RepairKind, function_name: str | None) -> Row:
    counts: dict[str, int] = {}
    for trial in trials:
        for column in _columns(trial):
            counts[column] = counts.get(column, 0) + 1
    return Row(kind=kind, function_name=function_name, **counts)


def _columns(trial: Trial) -> tuple[str, ...]:
    """Name the counts that an incident adds to."""
    if trial.applied is None:
        return ("would_be", _column_of(trial))
    is_reverted = trial.became is Drifted.REVERTED
    if trial.became is Drifted.REPLACED or (is_reverted and trial.writer == "unknown"):
        return ("changed_again",)
    if is_reverted and trial.writer == "person":
        return ("put_back",)
    beside = trial.became.value if trial.became in {Drifted.ADOPTED, Drifted.REVERTED} else None
    return (trial.applied, *([beside] if beside else []))


def _column_of(trial: Trial) -> str:
    aftermath = trial.aftermath
    if aftermath is None or aftermath in _UNTOLD:
        return "untold"
    if aftermath is Aftermath.OTHER_VALUE and trial.is_same_way:
        return "same_way"
    return aftermath.value
