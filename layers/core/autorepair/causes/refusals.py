"""Services that are up and say no: too many requests, or no connection left."""

from __future__ import annotations

from autorepair.causes.cause import Cause
from autorepair.causes.limits import weighed_down
from autorepair.causes.outcries import Outcry, outcry_of
from autorepair.causes.troubles import Trouble
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence

_LEAST_SHARE = 0.5
# A service that has no room left shows itself in part as resets and time-outs.
_LEAST_NAMED = 0.2
_FEW = 3
_ALLIED = (Trouble.FAILING, Trouble.NO_ANSWER, Trouble.CONNECT_TIMEOUT, Trouble.REFUSED)
_SYMPTOMS = (
    RootCause.DOWNSTREAM_UNAVAILABLE,
    RootCause.DOWNSTREAM_SLOW,
    RootCause.NETWORK_UNREACHABLE,
    RootCause.TIMEOUT_TOO_LOW,
    RootCause.CODE_BUG,
    RootCause.FALSE_ALARM,
    RootCause.INSUFFICIENT_EVIDENCE,
    RootCause.UNKNOWN,
)


def _diagnose_throttled(evidence: Evidence) -> Finding | None:
    return _refused(
        evidence,
        Trouble.THROTTLED,
        RootCause.DOWNSTREAM_THROTTLED,
        "say that another service throttles the function or that a quota is used up: fewer calls "
        "or a higher quota there help, no setting of this function does",
    )


def _diagnose_exhausted(evidence: Evidence) -> Finding | None:
    return _refused(
        evidence,
        Trouble.EXHAUSTED,
        RootCause.DOWNSTREAM_CONNECTIONS_EXHAUSTED,
        "say that a server or a pool has no connection left: more time or memory for the function "
        "only holds the connections longer",
    )


def _refused(evidence: Evidence, trouble: Trouble, label: RootCause, says: str) -> Finding | None:
    outcry = outcry_of(evidence)
    share = outcry.share(trouble)
    confidence = _confidence(outcry, trouble, share, _allied_share(evidence, outcry, trouble))
    if confidence is None:
        return None
    whom = "failed invocations" if evidence.failures else "invocations that complain"
    return Finding(
        cause=label,
        confidence=confidence,
        why=f"{outcry.count(trouble)} of {outcry.whole} {whom} {says}",
        cites=outcry.cites(trouble),
        is_repairable=False,
    )


def _confidence(outcry: Outcry, trouble: Trouble, share: float, with_allied: float) -> float | None:
    if share >= _LEAST_SHARE:
        if not outcry.is_plain:
            return 0.65
        return weighed_down(0.92 if outcry.count(trouble) >= _FEW else 0.8, share)
    if share >= _LEAST_NAMED and with_allied >= _LEAST_SHARE:
        return 0.65
    return None


def _allied_share(evidence: Evidence, outcry: Outcry, trouble: Trouble) -> float:
    """Give the share of failures that this trouble or a likely consequence of it explains."""
    told = {i.request_id for i in outcry.told(trouble, *_ALLIED)}
    cut = {i.request_id for i in evidence.failures if i.status == "timeout"}
    return len(told | cut) / outcry.whole if outcry.whole else 0.0


DOWNSTREAM_THROTTLED = Cause(
    label=RootCause.DOWNSTREAM_THROTTLED,
    signal=(
        "Most failures end with another service's throttling error: 429, ThrottlingException, "
        "ProvisionedThroughputExceeded, SlowDown, a rate limit or a used-up quota."
    ),
    proof=(
        "The service itself answers and says that it gets too many requests; the SDK's own retries "
        "are spent by then."
    ),
    silence=(
        "The function itself is throttled (Lambda's Throttles metric, no failed invocation), the "
        "service denies access, has no connection left, or fewer than half of the failures tell "
        "of it."
    ),
    repair=None,
    runbook="downstream-throttled",
    diagnose=_diagnose_throttled,
    explains=_SYMPTOMS,
)

DOWNSTREAM_CONNECTIONS_EXHAUSTED = Cause(
    label=RootCause.DOWNSTREAM_CONNECTIONS_EXHAUSTED,
    signal=(
        "Most failures, or a part of them beside resets and time-outs, tell of too many "
        "connections: a database's slots, a user's limit, a proxy's or the function's own pool."
    ),
    proof=(
        "The server, the proxy or the pool names its limit; each execution environment holds its "
        "own connections, so that their number grows with the concurrency."
    ),
    silence=(
        "The function has run out of file descriptors or threads of its own, the server refuses "
        "for another reason, or too few failures tell of it."
    ),
    repair=None,
    runbook="downstream-connections-exhausted",
    diagnose=_diagnose_exhausted,
    explains=(*_SYMPTOMS, RootCause.DOWNSTREAM_THROTTLED),
)
