"""What the failures of a function say, as a whole, of the services that it calls.

A failure speaks by the exception that left the handler, by its last words where a limit cut it,
and by the name that the platform gives its end. Where an exception says nothing of anybody else,
the function's own warnings and errors before it count, for less.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from autorepair.causes.levels import is_information
from autorepair.causes.limits import lines_of
from autorepair.causes.troubles import Trouble, said_in, trouble_in, trouble_of
from autorepair.causes.witnesses import explained_by, is_exception, latest, witnesses
from autorepair.causes.wording import lowered
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import read_record

# A level above information, as the runtimes and the usual loggers write it near the line's head.
_COMPLAINS = re.compile(
    r"\b(?:WARN(?:ING)?|ERROR|ERR|FATAL|CRITICAL|SEVERE|warn(?:ing)?|error|fatal|fail|Warning|Error"
    r"|Exception)\b|^[WEF], \[|\b(?:retry|retrying|failed|failure|throttled|timed out)\b"
)
_HEAD = 400
_LONGEST_COMPLAINT = 2000
# Such an exception is the code's own: what was warned of before it need not have to do with it.
_OWN_FAULTS = re.compile(
    r"(?:Type|Attribute|Index|Key|Name|ZeroDivision|Reference|Range|Import)Error\b"
    r"|NullPointer|NullReference|ClassCast|NoMethodError|ModuleNotFound|runtime error:"
    r"|AccessDenied|AuthFailure|not authorized|Memory|No space left|Read-only file"
)
# What the function answered to its own caller is not what somebody answered it.
_OWN_ANSWER = re.compile(
    r"statusCode[\"']?: ?5|\b(?:return|respond|reply|answer)ing (?:with )?(?:HTTP )?5\d\d\b"
    r"|\b(?:request|handler|invocation) failed with (?:status )?5\d\d\b"
)
_FEWEST_COMPLAINING = 3
_LEAST_COMPLAINING = 0.3
_COMMON = 0.5
# Enough to know what invocations that succeed usually say.
_MOST_SUCCESSES = 30
_MOST_LINES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcry:
    """The lines that tell of trouble, by its kind, and the invocations that they speak for.

    ``is_plain`` where the failures themselves say so; otherwise warnings beside them do.
    ``whole`` is how many invocations there are to explain.
    """

    lines: dict[Trouble, list[LogLine]]
    heard: dict[Trouble, tuple[Invocation, ...]]
    named: dict[Trouble, tuple[Invocation, ...]]
    is_plain: bool
    whole: int

    def count(self, *troubles: Trouble) -> int:
        """Give how many invocations tell of any of these troubles."""
        return len({i.request_id for t in troubles for i in self._of(t)})

    def share(self, *troubles: Trouble) -> float:
        """Give the share of what there is to explain that tells of any of these troubles."""
        return min(1.0, self.count(*troubles) / self.whole) if self.whole else 0.0

    def cites(self, *troubles: Trouble) -> tuple[str, ...]:
        """Give the ids of the latest lines that tell of these troubles."""
        lines = latest(line for t in troubles for line in self.lines.get(t, ()))
        reports = (i.report_id for t in troubles for i in self.named.get(t, ()) if i.report_id)
        return lines or tuple(reports)[-5:]

    def texts(self, *troubles: Trouble) -> list[str]:
        """Give what those lines say, lowered."""
        return [lowered(said_in(line)) for t in troubles for line in self.lines.get(t, ())]

    def told(self, *troubles: Trouble) -> tuple[Invocation, ...]:
        """Give the invocations that tell of any of these troubles, each once."""
        return tuple({i.request_id: i for t in troubles for i in self._of(t)}.values())

    def _of(self, trouble: Trouble) -> tuple[Invocation, ...]:
        return (*self.heard.get(trouble, ()), *self.named.get(trouble, ()))


def outcry_of(evidence: Evidence) -> Outcry:
    """Listen to the failures; where none says anything, to the warnings beside them.

    Where nothing failed, or what failed is not in the log, the warnings of invocations that
    succeeded are heard, if enough of the latest ones complain alike.
    """
    told = witnesses(evidence, lambda line: trouble_in(line) is not None)
    told = _uncommon(evidence, told)
    # What was logged as mere information may be anybody's words.
    is_plain = 2 * sum(is_information(line) for line in told) <= len(told)
    plain = _outcry(evidence, told, evidence.failures, is_plain=is_plain)
    if plain.lines or plain.named:
        return plain
    if evidence.failures:
        warnings = _uncommon(evidence, _warnings(evidence))
        return _outcry(evidence, warnings, evidence.failures, is_plain=False)
    return _grumbling(evidence)


def _outcry(
    evidence: Evidence,
    lines: Iterable[LogLine],
    whole: tuple[Invocation, ...],
    *,
    is_plain: bool,
) -> Outcry:
    by_trouble: dict[Trouble, list[LogLine]] = defaultdict(list)
    for line in lines:
        trouble = trouble_in(line)
        if trouble is not None:
            by_trouble[trouble].append(line)
    heard = {t: explained_by(evidence, told) for t, told in by_trouble.items()}
    spoken_for = {i.request_id for told in heard.values() for i in told}
    named: dict[Trouble, tuple[Invocation, ...]] = {}
    for invocation in whole:
        named_as = trouble_of(invocation.error_type or "")
        if named_as is not None and invocation.request_id not in spoken_for:
            named[named_as] = (*named.get(named_as, ()), invocation)
    return Outcry(
        lines=dict(by_trouble), heard=heard, named=named, is_plain=is_plain, whole=len(whole)
    )


def _uncommon(evidence: Evidence, told: list[LogLine]) -> list[LogLine]:
    """Leave out what invocations that succeed say as well: mere words, perhaps a stranger's."""
    spoken = {t for line in told if not is_exception(line) and (t := trouble_in(line)) is not None}
    lines = lines_of(evidence)
    successes = [i for i in evidence.invocations if i.status == "success"][-_MOST_SUCCESSES:]
    if not spoken or not successes:
        return told
    heard = [
        {trouble_in(line) for line in lines.get(i.request_id, [])[:_MOST_LINES]} for i in successes
    ]
    common = {t for t in spoken if sum(t in said for said in heard) >= _COMMON * len(heard)}
    return [line for line in told if is_exception(line) or trouble_in(line) not in common]


def _warnings(evidence: Evidence) -> list[LogLine]:
    """Give each failure's last warning about a service, where its exception speaks of nothing."""
    lines = lines_of(evidence)
    found: list[LogLine] = []
    for invocation in evidence.failures:
        own = lines.get(invocation.request_id, [])
        if any(is_exception(line) and _OWN_FAULTS.search(said_in(line)[:_HEAD]) for line in own):
            continue
        found.extend([line for line in own if _is_complaint(line)][-1:])
    return found


def _grumbling(evidence: Evidence) -> Outcry:
    """Listen to invocations that succeeded, since the first that complained."""
    if not _is_about_errors(evidence):
        return Outcry(lines={}, heard={}, named={}, is_plain=False, whole=0)
    lines = lines_of(evidence)
    complaints = {
        i.request_id: told[-1]
        for i in evidence.invocations
        if (told := [line for line in lines.get(i.request_id, []) if _is_complaint(line)])
    }
    since = [line.at for line in complaints.values()]
    later = tuple(i for i in evidence.invocations if since and i.started_at >= min(since))
    whole = max(len(later), len(complaints))
    if len(complaints) < max(_FEWEST_COMPLAINING, _LEAST_COMPLAINING * whole):
        return Outcry(lines={}, heard={}, named={}, is_plain=False, whole=0)
    by_trouble: dict[Trouble, list[LogLine]] = defaultdict(list)
    heard: dict[Trouble, tuple[Invocation, ...]] = {}
    for invocation in evidence.invocations:
        line = complaints.get(invocation.request_id)
        trouble = trouble_in(line) if line is not None else None
        if line is not None and trouble is not None:
            by_trouble[trouble].append(line)
            heard[trouble] = (*heard.get(trouble, ()), invocation)
    return Outcry(
        lines=dict(by_trouble), heard=heard, named={}, is_plain=False, whole=len(complaints)
    )


def _is_about_errors(evidence: Evidence) -> bool:
    """Whether anything but the log says that something is wrong: an alarm, or Lambda's count."""
    errors = evidence.metric("Errors", "Sum")
    counted = errors is not None and any(value > 0 for _, value in errors.points)
    return counted or evidence.alarm is not None


def _is_complaint(line: LogLine) -> bool:
    """Whether a line warns of another service; what stands after its head is not looked at."""
    if read_record(line.message).kind not in {"speech", "failure"}:
        return False
    if is_information(line) or not _COMPLAINS.search(line.message[:_HEAD]):
        return False
    return trouble_of(_OWN_ANSWER.sub("", said_in(line)[:_LONGEST_COMPLAINT])) is not None
