"""Environment variables that are set, but not to what the operator declared, and break the work."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from autorepair.causes.cause import Cause
from autorepair.causes.limits import share_of_failures, weighed_down
from autorepair.causes.witnesses import (
    explained_by,
    failing_lines,
    is_exception,
    latest,
    was_cut,
    witnesses,
    words_of,
)
from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import EnvironmentNeed, Finding, RootCause
from autorepair.domain.evidence import DeclaredVariable, Evidence, LogLine

_BY_NAME = 0.95
_BY_KIND = 0.85
# Several variables of that kind could be meant, or anybody may have said it: a person decides.
_SUSPICION = 0.65

_WRONG = re.compile(
    r"(?i:\b(?:in|mis)?(?:valid|correct|formed|formatted|parse[ds]?|parsing|configured)\b"
    r"|malformed|unparse?able|unsupported|unknown|unexpected|unrecogni[sz]ed|illegal"
    r"|not (?:a |an )?(?:valid|known|supported|allowed|recogni[sz]ed|number|integer|url)"
    r"|must be|should be|expected|empty|bad value|wrong|cannot|could not|does not|is not"
    r"|无效|错误|非法|不正确)"
)


# No declaration can make these right: the value is not even an address, or a placeholder's.
_NO_URL = (
    r"(?i:could not parse (?:\w+ )?(?:rfc1738 )?url|invalid (?:\w+ ){0,2}(?:url|uri|dsn|port)"
    r"|(?:url|uri|dsn)[^\n]{0,40} (?:is )?(?:invalid|malformed|not valid)"
    r"|no (?:scheme|host) supplied|missing(?: url)? (?:scheme|protocol)|unknown url type"
    r"|unsupported (?:protocol|scheme)|invalid(?:schema| endpoint)|missingschema"
    r"|invalid connection (?:option|string)|port could not be cast"
    r"|can't load plugin: sqlalchemy|expected string or url object)"
    r"|MalformedURLException|ERR_INVALID_URL|No connection adapters were found"
    r"|\"localhost\"[^\n]{0,60}[Cc]onnection refused|[Cc]onnection refused[^\n]{0,40}localhost"
)
_NO_SERVER = (
    r"getaddrinfo|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|[Cc]onnection refused"
    r"|Name or service not known|could not translate host name|no such host"
    r"|UnknownHostException|Could not connect to the endpoint URL"
    r"|HTTP Error 404|\b404\b[^\n]{0,40}[Nn]ot [Ff]ound for url|status code 404"
)
_NO_NUMBER = (
    r"invalid literal for int\(\)|could not convert string to float|NumberFormatException"
    r"|strconv\.\w{1,20}: parsing|invalid value for (?:Integer|Float)\(\)"
    r"|is not a (?:valid )?(?:number|integer)|invalid digit found in string|ParseIntError"
    r"|Input string was not in a correct format"
)
_NEVER = r"(?!)"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a variable of some kind is called, and what is heard when its value does not work.

    ``surely`` is what no value that works would lead to; ``possibly`` what a right one might, so
    that it counts only where the value is known to differ.
    """

    name: re.Pattern[str]
    surely: re.Pattern[str]
    possibly: re.Pattern[str]


def _kind(name: str, *, surely: str = _NEVER, possibly: str = _NEVER) -> _Kind:
    return _Kind(re.compile(name), re.compile(surely), re.compile(possibly))


_KINDS = (
    _kind(
        r"(?:^|_)(?:UR[LI]S?|DSN|ENDPOINTS?|HOST(?:NAME)?S?|ADDR(?:ESS)?|SERVERS?|BROKERS?|BASE"
        r"|DATABASE|DB|CONNECTION(?:_STRING)?|REDIS|MONGO(?:DB)?|POSTGRES|MYSQL)(?:_|$)",
        surely=_NO_URL,
        possibly=_NO_SERVER,
    ),
    _kind(
        r"(?:^|_)REGION(?:_|$)",
        surely=r"[Ii]nvalid region|InvalidRegion|not a valid region",
        possibly=r"Could not connect to the endpoint URL|[Ii]nvalid endpoint|UnknownEndpoint"
        r"|ENOTFOUND|getaddrinfo|no such host",
    ),
    _kind(
        r"(?:^|_)(?:TABLE|INDEX|BUCKET|QUEUE|TOPIC|STREAM|SECRET|PARAM(?:ETER)?|FUNCTION|MODEL"
        r"|COLLECTION|CLUSTER|STATE_MACHINE|KEY)(?:_(?:NAME|ARN|ID|URL|PATH|PREFIX))?$",
        possibly=r"ResourceNotFoundException|Requested resource not found|NoSuchBucket|NoSuchKey"
        r"|NonExistentQueue|QueueDoesNotExist|ParameterNotFound|StateMachineDoesNotExist"
        r"|NotFoundException|InvalidArn|Invalid bucket name|model identifier is invalid"
        r"|relation \"[^\"\n]{1,100}\" does not exist"
        r"|[Tt]able '?[^'\n]{1,100}'? (?:doesn't|does not) exist",
    ),
    _kind(
        r"(?:^|_)(?:PORT|TIMEOUT|SECONDS?|SECS?|MS|MINUTES|HOURS|DAYS|SIZE|LIMIT|COUNT|MAX|MIN"
        r"|TTL|RETRIES|ATTEMPTS|THREADS|WORKERS|BATCH|RATE|RATIO|THRESHOLD|PERCENT|ROUNDS|CHUNK"
        r"|CONCURRENCY|INTERVAL|FACTOR|CONFIDENCE)(?:_|$)",
        possibly=_NO_NUMBER,
    ),
    _kind(
        r"(?:^|_)LEVEL$",
        surely=r"[Uu]nknown (?:log )?level|[Ii]nvalid (?:log )?level|not a valid log level",
    ),
    _kind(
        r"^NODE_OPTIONS$",
        surely=r"internal/preload|is not allowed in NODE_OPTIONS|node: bad option",
    ),
    _kind(
        r"^JAVA_TOOL_OPTIONS$",
        surely=r"Unrecognized (?:VM )?option|Error opening zip file or JAR manifest missing",
    ),
)


_UNUSABLE = re.compile("|".join((_NO_NUMBER, *(kind.surely.pattern for kind in _KINDS))))


@dataclass(frozen=True, slots=True)
class _Proof:
    """The variables whose value does not work, and the lines that tell it."""

    names: tuple[str, ...]
    lines: tuple[LogLine, ...]
    confidence: float
    how: str


def _diagnose(evidence: Evidence) -> Finding | None:
    if evidence.configuration.is_env_unreadable:
        return None
    suspects = _suspects(evidence)
    ways = (_by_name, _by_kind, _by_hearsay)
    proof = next((p for way in ways if (p := way(evidence, suspects)) is not None), None)
    if proof is None:
        return None
    explained = explained_by(evidence, proof.lines)
    return Finding(
        cause=RootCause.WRONG_ENV_VAR,
        confidence=weighed_down(proof.confidence, share_of_failures(evidence, len(explained))),
        why=_why(proof, suspects),
        cites=latest(proof.lines),
        need=EnvironmentNeed(names=proof.names),
    )


def _suspects(evidence: Evidence) -> dict[str, DeclaredVariable]:
    """Give the variables that are set and not known to be as declared."""
    is_set = set(evidence.configuration.env_names)
    return {
        v.name: v for v in evidence.declared if v.name in is_set and v.matches_current is not True
    }


def _by_name(evidence: Evidence, suspects: dict[str, DeclaredVariable]) -> _Proof | None:
    """Find the variables that the failures name, or that their own source lines read."""
    cut = _cut(evidence)
    named = {
        name: [
            line for line in witnesses(evidence, _accuses(variable)) if line.request_id not in cut
        ]
        for name, variable in suspects.items()
    }
    return _named(named, _BY_NAME, "the failures name it, or fail where it is read")


def _cut(evidence: Evidence) -> set[str]:
    return {i.request_id for i in evidence.failures if was_cut(i)}


def _accuses(variable: DeclaredVariable) -> Callable[[LogLine], bool]:
    is_named = _naming(variable.name)

    def is_accusing(line: LogLine) -> bool:
        text = words_of(line)
        if not is_named(text):
            return False
        if variable.matches_current is None:
            # It may be as declared, so only what no value that works would lead to counts.
            return _UNUSABLE.search(text) is not None
        return is_exception(line) or _WRONG.search(text) is not None

    return is_accusing


def _by_hearsay(evidence: Evidence, suspects: dict[str, DeclaredVariable]) -> _Proof | None:
    """Find the variables that are called wrong beside the exception: by whom, nobody knows."""
    cut = _cut(evidence)
    lines = [line for line in failing_lines(evidence) if line.request_id not in cut]
    named = {
        name: [li for li in lines if _naming(name)(words_of(li)) and _WRONG.search(words_of(li))]
        for name, variable in suspects.items()
        if variable.matches_current is False
    }
    return _named(named, _SUSPICION, "words beside the failures call it wrong")


def _named(named: dict[str, list[LogLine]], confidence: float, how: str) -> _Proof | None:
    names = tuple(sorted(name for name, lines in named.items() if lines))
    found = {line.id: line for name in names for line in named[name]}
    return _Proof(names, tuple(found.values()), confidence, how) if names else None


def _naming(name: str) -> Callable[[str], bool]:
    word = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])")
    return lambda text: word.search(text) is not None


def _by_kind(evidence: Evidence, suspects: dict[str, DeclaredVariable]) -> _Proof | None:
    """Find what fails as it fails when a variable of some kind does not work."""
    proofs = [proof for kind in _KINDS if (proof := _of_kind(evidence, suspects, kind))]
    return max(proofs, key=lambda proof: len(proof.lines), default=None)


def _of_kind(
    evidence: Evidence, suspects: dict[str, DeclaredVariable], kind: _Kind
) -> _Proof | None:
    names = [name for name in suspects if kind.name.search(name)]
    differing = [name for name in names if suspects[name].matches_current is False]

    def is_telling(line: LogLine) -> bool:
        text = words_of(line)
        return bool(kind.surely.search(text) or (differing and kind.possibly.search(text)))

    lines = witnesses(evidence, is_telling) if names else []
    if not lines:
        return None
    # One that surely differs tells more than those of which it is not known.
    blamed = tuple(sorted(differing or names))
    confidence = _BY_KIND if len(blamed) == 1 else _SUSPICION
    how = "the failures are those of a value of this kind that does not work"
    return _Proof(blamed, tuple(lines), confidence, how)


def _why(proof: _Proof, suspects: dict[str, DeclaredVariable]) -> str:
    return f"{'; '.join(_told(suspects[name]) for name in proof.names)}; {proof.how}"


def _told(variable: DeclaredVariable) -> str:
    if variable.kind == "absent":
        return f"{variable.name} is set, and the operator declared that it must not be"
    if variable.matches_current is None:
        return (
            f"{variable.name} is set to something that cannot be used (should it be as declared, "
            "the write will see that and change nothing)"
        )
    return f"{variable.name} is set to something else than the operator declared"


WRONG_ENV_VAR = Cause(
    label=RootCause.WRONG_ENV_VAR,
    signal=(
        "A variable is set to something else than its declared value, or must not be set at all, "
        "and failures name it, fail where it is read, or fail as a value of its kind does: a URL "
        "that cannot be parsed, a host or table that does not exist, a number that is none."
    ),
    proof=(
        "The operator's declaration says that the value is wrong, and the log says that it is "
        "this that breaks the work; neither alone would do."
    ),
    silence=(
        "The variable has its declared value, nothing is declared for it, the environment cannot "
        "be read, or the failures speak of something else."
    ),
    repair=RepairKind.SET_ENV,
    runbook="wrong-env-var",
    diagnose=_diagnose,
    explains=(
        RootCause.DOWNSTREAM_UNAVAILABLE,
        RootCause.CODE_BUG,
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.UNKNOWN,
    ),
)
