"""Another service: refused, unresolvable, failing or silent when the function calls it."""

from __future__ import annotations

import re

from autorepair.causes.cause import Cause
from autorepair.causes.limits import (
    reports_of,
    share_of_failures,
    timeout_ms,
    weighed_down,
)
from autorepair.causes.open_calls import Silence, silence_of
from autorepair.causes.outcries import outcry_of
from autorepair.causes.signs import changes_of, find, sign
from autorepair.causes.troubles import Trouble
from autorepair.causes.witnesses import latest
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence

_LEAST_SHARE = 0.5
_MOST = 0.6
_FEW = 3
# A silence of which nothing tells whom it waits for: a leaning, and no ground for any action.
_GUESS = 0.5

# Down for everybody, whatever network the function is in.
_DOWN = (Trouble.REFUSED, Trouble.FAILING, Trouble.NO_ANSWER)
# Down, or out of reach of the function's own network.
_UNREACHED = (Trouble.NAMELESS, Trouble.CONNECT_TIMEOUT, Trouble.NO_RESOLVER)
# Words of which nobody knows whose they are; perhaps the function's own.
_VAGUE = re.compile(
    r"(?:\[error\] )?(?:[\w.]{0,40}error\b[:\s]{1,3}){0,3}(?:http )?(?:5\d\d:? )?"
    r"(?:internal server error|service unavailable|bad gateway)\W{0,3}(?:\n|$)"
)
# The very thing is not there: a bucket, a table, a queue; not a key or a record within it.
_GONE = (
    sign(
        "a resource of another service that does not exist",
        0.85,
        r"NoSuchBucket|bucket does not exist|Requested resource not found|NonExistentQueue",
        r"QueueDoesNotExist|queue does not exist|TopicNotFound|Topic does not exist",
        r"StateMachineDoesNotExist|index_not_found|[Nn]o such index|Unknown(?:Topic|_TOPIC)",
        r"Stream \S{1,200} under account \d{1,12} not found|can't find the specified secret",
        r"NotFoundException: Function not found|SecretNotFound|ParameterNotFound",
        r"DBClusterNotFound|DBInstanceNotFound|(?:cluster|endpoint) \S{1,100} (?:was )?deleted",
    ),
)
_DELETED = re.compile(r"^(?:Delete|Remove|Terminate|Stop|Disable|Purge)[A-Z]\w{2,60}")


def _diagnose(evidence: Evidence) -> Finding | None:
    return _failing(evidence) or _silent(evidence) or _gone(evidence)


def _failing(evidence: Evidence) -> Finding | None:
    """Another service refuses, fails or cannot be reached, in the failures' own words."""
    outcry = outcry_of(evidence)
    share = outcry.share(*_DOWN, *_UNREACHED)
    if share < _LEAST_SHARE:
        return None
    count = outcry.count(*_DOWN, *_UNREACHED)
    in_vpc = evidence.configuration.has_vpc
    is_down = outcry.share(*_DOWN) >= share / 2
    confidence = 0.75
    if is_down and outcry.count(Trouble.REFUSED) >= _FEW:
        confidence = 0.85
    elif in_vpc and not is_down:
        confidence = 0.6
    if all(_VAGUE.match(text) for text in outcry.texts(*_DOWN, *_UNREACHED)):
        confidence = 0.6
    if _is_in_part(evidence):
        confidence = min(confidence, 0.7)
    whom = "failed invocations" if evidence.failures else "invocations that complain"
    return _finding(
        weighed_down(confidence if outcry.is_plain else min(confidence, 0.6), share),
        f"{count} of {outcry.whole} {whom} tell of another service that refuses, fails, or cannot "
        "be reached: no setting of this function brings it back",
        outcry.cites(*_DOWN, *_UNREACHED),
    )


def _is_in_part(evidence: Evidence) -> bool:
    """Whether most records of a queue or a stream go well in between: some may be different."""
    failed = evidence.failures
    if not failed or not evidence.event_sources:
        return False
    began, ended = failed[0].started_at, failed[-1].started_at
    between = [
        i for i in evidence.invocations if i.status == "success" and began < i.started_at < ended
    ]
    return len(between) >= 2 * len(failed)


def _silent(evidence: Evidence) -> Finding | None:
    """The invocations hang, and the last that is heard of them is a call to somebody else."""
    silence = silence_of(evidence)
    if not silence.calls or silence.share < _MOST or _are_barely_made(evidence, silence):
        return None
    count, whole = len(silence.calls), len(silence.hung)
    return _finding(
        weighed_down(_confidence(silence, count), share_of_failures(evidence, whole)),
        f"{count} of {whole} time-outs ended in silence after {_after(silence)}, while "
        "nothing finished near the limit: no answer comes, and a longer timeout never cures a "
        "hang",
        tuple(dict.fromkeys((*latest(silence.calls, most=3), *reports_of(silence.hung, most=2)))),
    )


def _confidence(silence: Silence, count: int) -> float:
    if silence.is_guess:
        return _GUESS
    if not silence.is_said:
        return 0.6
    return 0.75 if count >= _FEW else 0.65


def _after(silence: Silence) -> str:
    if silence.is_guess:
        return "their first words, and whom they wait for is not told: most likely another service"
    if not silence.is_said:
        return "what is usually followed by an answer of another service"
    return "a call to another service"


def _gone(evidence: Evidence) -> Finding | None:
    """What the function asks another service for is not there, for all that is known of it."""
    proof = find(evidence, _GONE)
    if proof is None or proof.witness != "failures":
        return None
    changes = changes_of(evidence, (), _DELETED)
    confidence = min(proof.confidence, 0.85 if changes else 0.6)
    return _finding(
        confidence,
        f"{proof.why(evidence)}: it has to be made anew, or the function told where it is now",
        (*proof.cites, *changes[-1:]),
    )


def _are_barely_made(evidence: Evidence, silence: Silence) -> bool:
    """Whether so many finish in the upper half of the time that the others are slow, not hanging.

    Half as many as time-outs are enough: measured by simulation, see `causes/timing.py`.
    """
    limit = timeout_ms(evidence)
    near = sum(
        i.status == "success" and limit / 2 <= (i.duration_ms or 0.0) <= limit
        for i in evidence.invocations
    )
    return near >= len(silence.hung) / 2


def _finding(confidence: float, why: str, cites: tuple[str, ...]) -> Finding:
    return Finding(
        cause=RootCause.DOWNSTREAM_UNAVAILABLE,
        confidence=confidence,
        why=why,
        cites=cites,
        is_repairable=False,
    )


DOWNSTREAM_UNAVAILABLE = Cause(
    label=RootCause.DOWNSTREAM_UNAVAILABLE,
    signal=(
        "Most failures tell of a refused or reset connection, a 5xx answer, a name that does not "
        "resolve, a client's own time-out, or hang in silence after a call to another service."
    ),
    proof=(
        "The exception that left the handler, or the last words before the cut, are about "
        "somebody else's service, and nothing else in the function changed."
    ),
    silence=(
        "The service is up and says no (throttling, a denial, no free connection), the address is "
        "this machine itself, or fewer than half of the failures tell of it. Within a network of "
        "the function's own a connection that is never answered is the network's rather."
    ),
    repair=None,
    runbook="downstream-unavailable",
    diagnose=_diagnose,
    explains=(
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.CODE_BUG,
        RootCause.FALSE_ALARM,
        RootCause.INSUFFICIENT_EVIDENCE,
        RootCause.UNKNOWN,
    ),
)
