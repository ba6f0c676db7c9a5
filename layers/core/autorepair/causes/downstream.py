"""Other services: refused, unresolvable, failing or silent when the function calls them."""

from __future__ import annotations

import re

from autorepair.causes.cause import Cause
from autorepair.causes.limits import lines_of, reports_of, share_of_failures, weighed_down
from autorepair.causes.timing import hanging
from autorepair.causes.witnesses import explained_by, latest, witnesses, words_of
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import read_record

_LEAST_SHARE = 0.5
_MOST = 0.6
_FEW = 3

# Down for everybody, whatever network the function is in.
_DOWN = re.compile(
    r"ECONNREFUSED|[Cc]onnection refused|ConnectionRefusedError|actively refused"
    r"|(?:[Ss]tatus(?: code)?:?|HTTP(?:/\d(?:\.\d)?)?(?: Error)?|->|=>|responded|returned|got) "
    r"\(?(?:with )?(?:[Ss]tatus )?(?:code )?50[0234]\b"
    r"|\b50[0234] (?:Server Error|Bad Gateway|Service (?:Temporarily )?Unavailable|Gateway Time)"
    r"|Service Unavailable|Bad Gateway|Gateway Time-?out"
    r"|\((?:InternalServerError|InternalFailure|ServiceUnavailable)(?:Exception)?\) when calling"
    r"|(?i:certificate (?:has|is) expired|CERT_HAS_EXPIRED)"
    r"|(?i:\b(?:service|server|host|upstream|partner|endpoint|api|backend|gateway|database)\b"
    r"[^\n]{0,60} (?:unavailable|(?:is|was) (?:down|not (?:responding|answering)))\b)"
    r"|ECONNRESET|socket hang up|[Cc]onnection reset|RemoteDisconnected|[Cc]onnection aborted"
)
# Down, or out of reach of the function's own network: only outside a VPC is that told apart.
_UNREACHED = re.compile(
    r"ENOTFOUND|EAI_AGAIN|Name or service not known|[Nn]ame resolution|getaddrinfo|no such host"
    r"|could not translate host name|UnknownHostException|NameResolutionError"
    r"|Could not connect to the endpoint URL"
    r"|ETIMEDOUT|UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT|SocketTimeoutException"
    r"|[Cc]onnect(?:ion)? ?[Tt]ime(?:d )?-?[Oo]ut|[Rr]ead ?[Tt]ime(?:d )?-?[Oo]ut"
    r"|context deadline exceeded"
    r"|timeout of \d{1,9} ?ms exceeded|[Rr]equest timed out|<urlopen error timed out>"
    r"|TimeoutError: (?:timed out|The read operation timed out)"
)
# The service is up and says no, or it is the function that has run out of something.
_SAYS_NO = re.compile(
    r"(?i:throttl|too many (?:requests|connections|clients)|\b429\b|rate exceeded|slowdown"
    r"|retry later|not authorized|access ?denied|authentication failed|unauthori[sz]ed|forbidden"
    r"|connection slots|EMFILE|too many open files|no space left)"
)
# A placeholder that was never filled in, not a service that is down.
_AT_HOME = re.compile(r"(?i:\blocalhost\b|\[?::1\]?[:)])")

_CALLS_OUT = re.compile(
    r"(?:->|=>|→|>>) ?(?:https?:|(?:GET|POST|PUT|PATCH|DELETE)\b)"
    r"|\b(?:GET|POST|PUT|PATCH|DELETE) https?://"
    r"|\b(?:connecting to|calling|requesting|querying|fetching|invoking|contacting|asking|opening"
    r"|sending (?:\w+ ){0,3}to|awaiting|waiting (?:for|on))\b"
    r"|正在连接|正在请求|正在调用|等待.{0,20}响应",
    re.IGNORECASE,
)


def _diagnose(evidence: Evidence) -> Finding | None:
    return _failing(evidence) or _silent(evidence)


def _failing(evidence: Evidence) -> Finding | None:
    """Another service refuses, fails or cannot be reached, in the failures' own words."""
    in_vpc = evidence.configuration.has_vpc

    def is_telling(line: LogLine) -> bool:
        text = words_of(line)
        if _SAYS_NO.search(text) or _AT_HOME.search(text):
            return False
        return bool(_DOWN.search(text)) or (not in_vpc and bool(_UNREACHED.search(text)))

    lines = witnesses(evidence, is_telling)
    failed = explained_by(evidence, lines)
    share = share_of_failures(evidence, len(failed))
    if not failed or share < _LEAST_SHARE:
        return None
    is_down = any(_DOWN.search(words_of(line)) for line in lines)
    confidence = 0.85 if is_down and len(failed) >= _FEW else 0.75
    return _finding(
        weighed_down(confidence, share),
        f"{len(failed)} of {len(evidence.failures)} failed invocations tell of another service "
        "that refuses, fails, or cannot be reached: no setting of this function brings it back",
        latest(lines),
    )


def _silent(evidence: Evidence) -> Finding | None:
    """The invocations hang, and the last that is heard of them is a call to somebody else."""
    hung = hanging(evidence)
    lines = lines_of(evidence)
    calls = [call for i in hung if (call := _open_call(lines.get(i.request_id, []), i)) is not None]
    if not calls or len(calls) < _MOST * len(hung):
        return None
    share = share_of_failures(evidence, len(hung))
    return _finding(
        weighed_down(0.75 if len(calls) >= _FEW else 0.65, share),
        f"{len(calls)} of {len(hung)} time-outs ended in silence after a call to another service, "
        "while nothing finished near the limit: it does not answer, and a longer timeout never "
        "cures a hang",
        tuple(dict.fromkeys((*latest(calls, most=3), *reports_of(hung, most=2)))),
    )


def _open_call(lines: list[LogLine], invocation: Invocation) -> LogLine | None:
    """Give the call out that was followed by silence for most of an invocation's time."""
    said = [
        line
        for line in lines
        if line.at >= invocation.started_at and read_record(line.message).kind == "speech"
    ]
    calls = [line for line in said if _CALLS_OUT.search(words_of(line))]
    if not calls or invocation.duration_ms is None:
        return None
    spoken_ms = (said[-1].at - invocation.started_at).total_seconds() * 1000
    # What is said right after the call (headers, a body) is part of it.
    is_last = calls[-1] in said[-2:]
    return calls[-1] if is_last and spoken_ms <= invocation.duration_ms / 2 else None


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
        "this machine itself, the function's own network may be at fault (it is in a VPC and "
        "nothing is refused), or fewer than half of the failures tell of it."
    ),
    repair=None,
    runbook="downstream-unavailable",
    diagnose=_diagnose,
    explains=(RootCause.TIMEOUT_TOO_LOW, RootCause.UNKNOWN),
)
