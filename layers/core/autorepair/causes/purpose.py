"""Whether a reservation is there for a purpose: what people wrote of it, what stands behind it.

All of it is text that others wrote: it holds a repair back and never brings one about.
"""

from __future__ import annotations

import re
from statistics import median

from autorepair.causes.witnesses import words_of
from autorepair.causes.wording import lowered, wording
from autorepair.domain.deliberate import said_deliberate
from autorepair.domain.evidence import Evidence, LogLine, RecentChange

# Callers that get an error at once, so that one execution for all of them makes no sense.
_IMPATIENT = frozenset({"apigateway", "alb", "function-url", "sns"})
_OF_PURPOSE = re.compile(
    r"protect|rate.?limit|throttle|cap(?:ped|ping)?\b|max(?:imum)? connections"
    r"|connection (?:pool|limit)|licen[cs]e|partner|upstream|downstream|database"
    r"|\brds\b|\bdb\b|aurora|postgres|mysql|redis"
    r"|vendor|freeze|maintenance|emergency|kill.?switch|disable[ds]?|stop(?:ped)?|incident"
    r"|on purpose|deliberate|singleton|overlap"
    r"|one at a time|serial(?:is|iz|ly)|exactly one|mutex|intentional|budget|cost"
    r"|保护|限流|停用|维护",
    re.IGNORECASE,
)
# What says that a description or a tag is about the reservation, and not about the work.
_OF_CONCURRENCY = re.compile(
    r"concurren|reserved? ?(?:=|:|executions?\b|at \d)|nebenläufig|simultan|同時実行|并发|並行",
    re.IGNORECASE,
)
# How many of so many are taken, of what another service gives only so many of.
_SCARCE = (
    r"(?:connections?|conns?|sessions?|licen[cs]es?|verbindung(?:en)?|sitzung(?:en)?|connexions?"
    r"|conexi[óo]n(?:es)?|conex[õã][eo]s?|连接数?|接続数?)"
)
_TAKEN = wording(
    rf"{_SCARCE}[^\d\n]{{0,24}}(?<![\d.:/-])(\d{{1,6}}) ?(?:/|of|out of|von|sur|de|di) ?(\d{{1,6}})"
    r"(?![\d.:/-])"
    rf"|(?<![\d.:/-])(\d{{1,6}}) ?(?:/|of|out of|von|sur|de|di) ?(\d{{1,6}})(?![\d.:/-])"
    rf"[^\d\n]{{0,24}}{_SCARCE}"
)
_LOOKED_AT = 500
_MOST_LINES = 400
_FEW = 3
_NEARLY_ALL = 0.75
# A pool within the process holds a few for one execution; what all share holds one for each.
_OF_EXECUTIONS = 0.5


def purpose_of(evidence: Evidence, reserved: int) -> tuple[str, tuple[str, ...]] | None:
    """Say why the reservation may be no mistake, with what shows it; None where nothing does."""
    if (told := said_deliberate(evidence.configuration)) is not None or _is_given(evidence):
        why = f" ({told})" if told else ""
        return f"the reservation was made for a purpose{why}, which has to be looked at first", ()
    if taken := _nearly_all_taken(evidence, reserved):
        why = (
            "by the log nearly all connections that another service gives are taken, so more "
            "executions would only run into that limit"
        )
        return why, tuple(line.id for line in taken[-_FEW:])
    return None


def reservations(evidence: Evidence) -> list[RecentChange]:
    """Give the changes of the reservation."""
    return [
        change
        for change in evidence.changes
        if change.setting("reserved_concurrency") or "Concurrency" in change.event
    ]


def _is_given(evidence: Evidence) -> bool:
    """Whether a note, a tag or the description gives the reservation a purpose."""
    words = [change.note for change in reservations(evidence)]
    about = [f"{key} {value}" for key, value in evidence.configuration.tags.items()]
    about.append(evidence.configuration.description)
    words += [text for text in about if _OF_CONCURRENCY.search(text[:_LOOKED_AT])]
    return _is_one_at_a_time(evidence) or any(
        _OF_PURPOSE.search(text[:_LOOKED_AT]) for text in words
    )


def _is_one_at_a_time(evidence: Evidence) -> bool:
    """Whether one execution is reserved, for runs that must not overlap, and nobody waits."""
    kinds = {caller.kind for caller in evidence.callers}
    return evidence.configuration.reserved_concurrency == 1 and not kinds & _IMPATIENT


def _nearly_all_taken(evidence: Evidence, reserved: int) -> list[LogLine]:
    """Give the lines that count connections, where nearly all are taken, about one an execution.

    The middle one of them decides: a count that climbs to its end is one of work done.
    """
    told = [
        (line, taken, whole)
        for line in evidence.log_lines[-_MOST_LINES:]
        for taken, whole in _counts_in(line)
        if taken >= _OF_EXECUTIONS * reserved
    ]
    if len(told) < _FEW or median(taken / whole for _, taken, whole in told) < _NEARLY_ALL:
        return []
    return [line for line, _, _ in told]


def _counts_in(line: LogLine) -> list[tuple[int, int]]:
    told = _TAKEN.finditer(lowered(words_of(line), _LOOKED_AT))
    counts = [(int(m[1] or m[3]), int(m[2] or m[4])) for m in told]
    return [(taken, whole) for taken, whole in counts if 0 < taken <= whole]
