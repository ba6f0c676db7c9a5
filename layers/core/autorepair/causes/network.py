"""The function's own network: no way out of it, or to a database or a file system within it."""

from __future__ import annotations

from autorepair.causes.cause import Cause
from autorepair.causes.limits import reports_of, share_of_failures, weighed_down
from autorepair.causes.open_calls import silence_of
from autorepair.causes.outcries import Outcry, outcry_of
from autorepair.causes.troubles import Trouble
from autorepair.causes.witnesses import latest
from autorepair.causes.wording import lowered, wording
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, RecentChange

_LEAST_SHARE = 0.5
_MOST = 0.6
_FEW = 3
# A silence of which nothing tells whom it waits for.
_GUESS = 0.52
# A stray failure before a change does not show that the change is not to blame.
_STRAY = 0.2
_UNANSWERED = (Trouble.CONNECT_TIMEOUT, Trouble.NO_RESOLVER)

_NETWORK = wording(
    r"vpc|subnet|security.?group|nat.?gateway|internet.?gateway|route.?table"
    r"|(?:create|delete|replace)route\b|network.?(?:acl|interface|firewall)|peering"
    r"|transit.?gateway|dhcp|resolver.?(?:rule|endpoint)|hosted.?zone|record.?set|mount.?target"
    r"|prefix.?list|elastic.?ip|安全组|子网|路由"
)
# What can concern a function that is in no VPC: that it was taken out of one.
_OF_VPC = wording(r"vpc|subnet")
_AWS_HOST = wording(r"\.amazonaws\.com|\.api\.aws")
_PRIVATE = wording(
    r"\b(?:10\.\d{1,3}|172\.(?:1[6-9]|2\d|3[01])|192\.168)\.\d{1,3}\.\d{1,3}\b"
    r"|\.(?:internal|local|corp|lan|private)\b|\.vpce\.amazonaws\.com"
    r"|\.(?:rds|cache|es|docdb|neptune|redshift|kafka|memorydb|dax-clusters)[\w.-]{0,60}\."
    r"amazonaws\.com|\.(?:efs|mq)\.[\w-]{1,30}\.amazonaws\.com"
)
_HOST = wording(
    r"(?:://|host[=\"' :]{1,4}|at \"|(?:ETIMEDOUT|EAI_AGAIN|connecting to|connect to|dial tcp"
    r"|server) )[\"']?([\w.-]{4,253})"
)
# Lambda lets nothing out on the mail port (re:Post, "remove the port 25 restriction").
_MAIL_PORT = wording(r":25\b|\bport[ =:]{1,2}25\b")
# Where a name can only be looked up, no connection was tried; such a name is the network's own.
_PRIVATE_NAME = wording(r"\.(?:internal|local|corp|lan|private)\b")


def _diagnose(evidence: Evidence) -> Finding | None:
    return _broken(evidence) or _unanswered(evidence) or _silent(evidence) or _stuck(evidence)


def _broken(evidence: Evidence) -> Finding | None:
    """The network itself says that there is no way, or the platform cannot set it up."""
    outcry = outcry_of(evidence)
    share = outcry.share(Trouble.UNREACHABLE)
    if share < _LEAST_SHARE:
        return None
    count = outcry.count(Trouble.UNREACHABLE)
    confidence = (0.92 if count >= _FEW else 0.8) if outcry.is_plain else 0.65
    return _finding(
        weighed_down(confidence, share),
        f"{count} of {outcry.whole} failed invocations found no way through the network"
        f"{_since(evidence)}",
        outcry.cites(Trouble.UNREACHABLE),
    )


def _unanswered(evidence: Evidence) -> Finding | None:
    """Attempts to connect are never answered, and it is the function's network that tells why."""
    outcry = outcry_of(evidence)
    troubles = _troubles_of_connecting(evidence, outcry)
    share = outcry.share(*troubles)
    if share < _LEAST_SHARE:
        return None
    confidence = _confidence(evidence, outcry, troubles)
    if confidence is None:
        return None
    return _finding(
        weighed_down(confidence if outcry.is_plain else min(confidence, 0.65), share),
        f"{outcry.count(*troubles)} of {outcry.whole} failures are attempts to connect that nobody "
        f"answers, from {_where(evidence)}{_since(evidence)}: a route, a security group, an "
        "endpoint or its DNS, and no other setting of the function",
        outcry.cites(*troubles),
    )


def _troubles_of_connecting(evidence: Evidence, outcry: Outcry) -> tuple[Trouble, ...]:
    """Names that do not resolve count where the network changed, or where they are its own."""
    names = outcry.texts(Trouble.NAMELESS)
    are_own = bool(names) and all(_PRIVATE_NAME.search(text) for text in names)
    has_changed = _network_change(evidence) is not None
    if names and (has_changed or (are_own and evidence.configuration.has_vpc)):
        return (*_UNANSWERED, Trouble.NAMELESS, Trouble.UNREACHABLE)
    return (*_UNANSWERED, Trouble.UNREACHABLE)


def _confidence(evidence: Evidence, outcry: Outcry, troubles: tuple[Trouble, ...]) -> float | None:
    texts = outcry.texts(*troubles)
    if _network_change(evidence) is not None:
        return 0.88
    if texts and all(_MAIL_PORT.search(text) for text in texts):
        return 0.75
    is_private = any(_PRIVATE.search(text) for text in texts)
    if not evidence.configuration.has_vpc:
        return 0.7 if is_private else None
    hosts = {match[1] for text in texts if (match := _HOST.search(text))}
    is_telling = is_private or len(hosts) > 1 or any(_AWS_HOST.search(text) for text in texts)
    return 0.8 if is_telling or _is_by_environment(evidence) else 0.68


def _is_by_environment(evidence: Evidence) -> bool:
    """Whether some environments always fail while others, at the same time, never do."""
    failed = evidence.failures
    if not failed:
        return False
    start, end = failed[0].started_at, failed[-1].started_at
    beside = [
        i for i in evidence.invocations if i.status == "success" and start <= i.started_at <= end
    ]
    broken = {i.stream for i in failed}
    return len(beside) >= _FEW and len(broken) > 1 and not broken & {i.stream for i in beside}


def _silent(evidence: Evidence) -> Finding | None:
    """The invocations hang at connecting, or right after the network was changed."""
    change = _network_change(evidence)
    if not evidence.configuration.has_vpc and change is None:
        return None
    silence = silence_of(evidence)
    is_call = bool(silence.calls) and silence.share >= _MOST
    if not silence.hung or not (is_call or change is not None):
        return None
    if change is not None:
        confidence = 0.88 if is_call and not silence.is_guess else 0.75
    elif silence.is_guess:
        confidence = _GUESS
    elif silence.are_connecting or silence.are_to_aws:
        confidence = 0.78
    else:
        return None
    count = len(silence.hung)
    return _finding(
        weighed_down(confidence, share_of_failures(evidence, count)),
        f"{count} time-outs ended in silence while they were reaching out from "
        f"{_where(evidence)}{_since(evidence)}: the network does not let them through, and a "
        "longer timeout never cures a hang",
        tuple(dict.fromkeys((*latest(silence.calls, most=3), *reports_of(silence.hung, most=2)))),
    )


def _stuck(evidence: Evidence) -> Finding | None:
    """Lambda itself says that it cannot set up the function's network or file system."""
    reason = evidence.configuration.state_reason
    if not _STATE.search(lowered(reason)):
        return None
    return _finding(
        0.8,
        f"Lambda says of the function's state: {reason[:200]}",
        tuple(change.id for change in evidence.changes[-1:]),
    )


_STATE = wording(
    r"SubnetOutOfIPAddresses|EniLimitExceeded|InvalidSubnet|InvalidSecurityGroup"
    r"|EFSMount|EFSIO|network interface|subnet[^\n]{0,60}(?:IP address|does not exist|invalid)"
)


def _network_change(evidence: Evidence) -> RecentChange | None:
    """Give the latest change of the network before the last failure, if it was changed at all."""
    last = max((i.started_at for i in evidence.failures), default=None)
    words = _NETWORK if evidence.configuration.has_vpc else _OF_VPC
    found = [
        change
        for change in evidence.changes
        if words.search(_told(change)) and (last is None or change.at <= last)
    ]
    if not found:
        return None
    before = sum(i.started_at < found[-1].at for i in evidence.failures)
    return None if before > _STRAY * len(evidence.failures) else found[-1]


def _told(change: RecentChange) -> str:
    names = " ".join(setting.name for setting in change.settings)
    return lowered(f"{change.event} {names} {change.note}")


def _since(evidence: Evidence) -> str:
    change = _network_change(evidence)
    return "" if change is None else f", since the network was changed ({change.event})"


def _where(evidence: Evidence) -> str:
    return "its VPC" if evidence.configuration.has_vpc else "outside any VPC"


def _finding(confidence: float, why: str, cites: tuple[str, ...]) -> Finding:
    return Finding(
        cause=RootCause.NETWORK_UNREACHABLE,
        confidence=confidence,
        why=why,
        cites=cites,
        is_repairable=False,
    )


NETWORK_UNREACHABLE = Cause(
    label=RootCause.NETWORK_UNREACHABLE,
    signal=(
        "Attempts to connect that nobody answers, or time-outs in silence at connecting, from a "
        "function in a VPC; no route to a host; a file system or network interface that Lambda "
        "cannot attach; a change of subnets, security groups or routes right before."
    ),
    proof=(
        "A service that is down refuses or fails; packets that vanish on the way to a private "
        "address, to an AWS endpoint or to several hosts at once are the network's doing."
    ),
    silence=(
        "Something answers (a refusal, a 5xx, a slow reply), the function is in no VPC and its "
        "target is public, or the failures began before the network was changed."
    ),
    repair=None,
    runbook="network-unreachable",
    diagnose=_diagnose,
    explains=(
        RootCause.DOWNSTREAM_UNAVAILABLE,
        RootCause.DOWNSTREAM_SLOW,
        RootCause.INIT_TIMEOUT,
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.CODE_BUG,
        RootCause.FALSE_ALARM,
        RootCause.INSUFFICIENT_EVIDENCE,
        RootCause.UNKNOWN,
    ),
)
