"""What failures say: tables of signs, and a search of the lines that may speak for them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from autorepair.causes.levels import is_information
from autorepair.causes.limits import share_of_failures
from autorepair.causes.standing_values import has_worked
from autorepair.causes.witnesses import (
    LONGEST,
    explained_by,
    failing_lines,
    is_exception,
    last_words,
    latest,
    witnesses,
    words_of,
)
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import read_record

# A finding about fewer of the failures than this is about something else than the incident.
_LEAST_SHARE = 0.2
_MOST_FAILURES = 0.8
# Words beside the exception that ended an invocation: enough to ask a person, no more.
_ASIDE, _LEAST_ASIDE_SHARE = 0.72, 0.5
# Words of invocations of which the log does not say that they failed.
_COUNTED_ERRORS, _NO_ERRORS = 0.75, 0.62
_CUT_SHORT = 0.75
_ONLY_ONE = 0.92
_FEWEST_UNCLAIMED, _UNCLAIMED_SHARE = 2, 0.3
# What is searched for one cause, in characters; a text that was searched before, but for its ids
# and times, costs nothing.
_MOST_TEXT = 800_000
_VARYING = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|\d{4}-\d\d-\d\dT[\d:.]{8,15}Z?|\d{7,}"
)
_ERRORISH = re.compile(r"(?i:\b(?:error|fatal|critical|panic|exception|fail(?:ed|ure)?)\b)|Err|Exc")
# A type that Lambda gives a failure, rather than the function's own exception.
_PLATFORMS_OWN = re.compile(r"(?:Runtime|Function|Extension|Sandbox)\.")
# An alarm on these metrics says nothing of errors that a function deals with itself.
_NOT_ABOUT_ERRORS = frozenset(
    {"Duration", "Invocations", "Throttles", "ConcurrentExecutions", "IteratorAge"}
)


@dataclass(frozen=True, slots=True)
class Sign:
    """One way in which a cause shows; ``told`` ends the sentence "the failures tell of ...".

    ``confidence`` is for failures that all show it. What ``unless`` matches takes it back.
    """

    told: str
    confidence: float
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None = None

    def shows_in(self, text: str) -> bool:
        """Whether a text shows it."""
        if not self.pattern.search(text):
            return False
        return self.unless is None or not self.unless.search(text)


def sign(told: str, confidence: float, *ways: str, unless: str | None = None) -> Sign:
    """Make a sign of alternative patterns; each must be linear in the length of the text."""
    taken_back = None if unless is None else re.compile(unless)
    return Sign(told, confidence, re.compile("|".join(ways)), taken_back)


Witness = Literal["failures", "asides", "others"]
"""Who says so: failures at their end, failures beside it, or invocations that returned."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The sign that most failures show, how sure it makes, and which evidence shows it."""

    sign: Sign
    confidence: float
    cites: tuple[str, ...]
    explained: int
    witness: Witness = "failures"

    def why(self, evidence: Evidence) -> str:
        """Say it in a sentence without an end."""
        if self.witness == "others":
            return (
                f"{self.explained} invocations that the log does not call failed tell of "
                f"{self.sign.told}"
            )
        of = len(evidence.failures)
        how = " beside what ended them" if self.witness == "asides" else ""
        return f"{self.explained} of {of} failed invocations tell{how} of {self.sign.told}"


@dataclass(slots=True)
class _Reader:
    """Searches lines for signs, each text once, and no more text than is worth it."""

    signs: Sequence[Sign]
    left: int = _MOST_TEXT
    known: dict[str, Sign | None] = field(default_factory=dict)

    def sign_of(self, line: LogLine) -> Sign | None:
        text = _text(line)
        key = _VARYING.sub("#", text)
        if key not in self.known:
            if len(text) > self.left:
                return None
            self.left -= len(text)
            shown = [sign for sign in self.signs if sign.shows_in(text)]
            self.known[key] = max(shown, key=lambda sign: sign.confidence, default=None)
        return self.known[key]

    def is_telling(self, line: LogLine) -> bool:
        return self.sign_of(line) is not None


def find(evidence: Evidence, signs: Sequence[Sign]) -> Proof | None:
    """Give what most of the failures tell, by the best witness there is, or None.

    Best are a failure's last words or its type in the platform's own report; then what was
    printed beside them; and where the log calls nothing failed, what the rest complains of.
    """
    reader = _Reader(signs)
    if evidence.failures:
        return _by_last_words(evidence, reader) or _by_asides(evidence, reader)
    return _by_the_rest(evidence, reader)


def _by_last_words(evidence: Evidence, reader: _Reader) -> Proof | None:
    killed = {i.request_id for i in evidence.failures if i.status == "out_of_memory"}
    lines = [
        line for line in witnesses(evidence, reader.is_telling) if line.request_id not in killed
    ]
    printed = [line for line in lines if not is_exception(line)]
    harmless = _said_by_successes(evidence, reader) if printed else set()
    lines = [li for li in lines if is_exception(li) or reader.sign_of(li) not in harmless]
    explained = {i.request_id: i for i in explained_by(evidence, lines)}
    by_type = _by_type(evidence, reader.signs, explained)
    counted = Counter(shown for line in lines if (shown := reader.sign_of(line)))
    counted.update(shown for _, shown in by_type)
    cites = (*latest(lines), *(i.report_id for i, _ in by_type[-2:] if i.report_id))
    failed = (*explained.values(), *(i for i, _ in by_type))
    return _proof(evidence, counted, failed, tuple(dict.fromkeys(cites)))


def _by_type(
    evidence: Evidence, signs: Sequence[Sign], explained: dict[str, Invocation]
) -> list[tuple[Invocation, Sign]]:
    """Find the failures whose type, in the platform's own report, is all that is said of them."""
    found: list[tuple[Invocation, Sign]] = []
    words = last_words(evidence)
    for invocation in evidence.failures:
        kind = invocation.error_type
        if not kind or not _PLATFORMS_OWN.match(kind) or invocation.request_id in explained:
            continue
        if not any(_tells_the_end(line) for line in words[invocation.request_id]):
            shown = [s for s in signs if s.shows_in(kind)]
            found.extend((invocation, s) for s in shown[:1])
    return found


def _tells_the_end(line: LogLine) -> bool:
    return is_exception(line) or read_record(line.message).kind == "exit"


def _proof(
    evidence: Evidence,
    counted: Counter[Sign],
    failed: Sequence[Invocation],
    cites: tuple[str, ...],
) -> Proof | None:
    share = share_of_failures(evidence, len(failed))
    if not counted or not failed or share < _LEAST_SHARE:
        return None
    shown = max(counted, key=lambda s: (counted[s], s.confidence))
    confidence = shown.confidence * (_ONLY_ONE if len(failed) == 1 else 1.0)
    if sum(i.status == "timeout" for i in failed) > len(failed) / 2:
        confidence = min(confidence, _CUT_SHORT)
    return Proof(shown, weighed(confidence, share), cites, len(failed))


def weighed(confidence: float, share: float) -> float:
    """Lower a confidence where only part of the failures is explained.

    Untouched from four fifths on, 0.55 of it for none: less than half is another incident's.
    """
    return round(confidence * (0.55 + 0.45 * min(1.0, share / _MOST_FAILURES)), 2)


def _by_asides(evidence: Evidence, reader: _Reader) -> Proof | None:
    """Read what was printed beside the exceptions, unless successes print it as well."""
    heard = {line.id for lines in last_words(evidence).values() for line in lines}
    lines = [line for line in failing_lines(evidence) if line.id not in heard and _complains(line)]
    lines = [line for line in lines if reader.is_telling(line)]
    harmless = _said_by_successes(evidence, reader) if lines else set()
    lines = [line for line in lines if reader.sign_of(line) not in harmless]
    failed = explained_by(evidence, lines)
    if not failed or share_of_failures(evidence, len(failed)) < _LEAST_ASIDE_SHARE:
        return None
    counted = Counter(shown for line in lines if (shown := reader.sign_of(line)))
    proof = _proof(evidence, counted, failed, latest(lines))
    if proof is None:
        return None
    return replace(proof, confidence=min(proof.confidence, _ASIDE), witness="asides")


def _complains(line: LogLine) -> bool:
    """Whether the function itself, and not the platform, speaks of something that went wrong."""
    if is_information(line) or not _ERRORISH.search(line.message[:LONGEST]):
        return False
    return read_record(line.message).kind in {"speech", "failure"}


def _said_by_successes(evidence: Evidence, reader: _Reader) -> set[Sign | None]:
    succeeded = {i.request_id for i in evidence.invocations if i.status == "success"}
    return {reader.sign_of(line) for line in evidence.log_lines if line.request_id in succeeded}


def _by_the_rest(evidence: Evidence, reader: _Reader) -> Proof | None:
    """Read complaints of invocations that returned: the alarm must be about errors then."""
    errors = evidence.metric("Errors", "Sum")
    has_errors = errors is not None and any(value > 0 for _, value in errors.points)
    alarm = evidence.alarm
    if not has_errors and (alarm is None or alarm.metric_name in _NOT_ABOUT_ERRORS):
        return None
    lines = [line for line in evidence.log_lines if _complains(line) and reader.is_telling(line)]
    requests = {line.request_id for line in lines if line.request_id}
    since = min((line.at for line in lines), default=None)
    later = [i for i in evidence.invocations if since is None or i.started_at >= since]
    if len(lines) < _FEWEST_UNCLAIMED or len(requests) < _UNCLAIMED_SHARE * len(later):
        return None
    counted = Counter(shown for line in lines if (shown := reader.sign_of(line)))
    shown = max(counted, key=lambda s: (counted[s], s.confidence))
    limit = _COUNTED_ERRORS if has_errors else _NO_ERRORS
    confidence = min(shown.confidence, limit)
    return Proof(shown, confidence, latest(lines), len(requests), "others")


def is_declared_otherwise(evidence: Evidence, names: re.Pattern[str]) -> bool:
    """Whether a variable so named is not as the operator declared it, or may be so since lately.

    Then its value may well be what breaks the work, and a rule on something else must be modest.
    One that is not set counts only if it was dropped lately, as far as changes are known.
    """
    if has_worked(evidence):
        return False
    is_set = set(evidence.configuration.env_names)
    changed = {v.name for change in evidence.changes for v in change.variables}
    for variable in evidence.declared:
        if not names.search(variable.name):
            continue
        is_recent = variable.name in changed or not evidence.changes
        if variable.kind != "absent" and variable.name not in is_set:
            is_suspect = is_recent
        elif variable.matches_current is None:
            is_suspect = variable.name in changed
        else:
            is_suspect = not variable.matches_current
        if is_suspect:
            return True
    return False


def changes_of(evidence: Evidence, settings: Iterable[str], words: re.Pattern[str]) -> list[str]:
    """Give the ids of the changes of these settings, or whose event or note speaks of them."""
    names = set(settings)
    return [
        change.id
        for change in evidence.changes
        if any(s.name in names for s in change.settings)
        or words.search(f"{change.event} {change.note}"[:LONGEST])
    ]


def _text(line: LogLine) -> str:
    """Give what a line says, and where that was taken out of JSON, all of it as well."""
    words = words_of(line)
    return words if "{" not in line.message else f"{words}\n{line.message[:LONGEST]}"
