"""Events that can never be handled: the same one fails again and again while others succeed."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from autorepair.causes.cause import Cause
from autorepair.causes.limits import (
    lines_of,
    memory_share,
    reports_of,
    share_of_failures,
    timeout_ms,
    weighed_down,
)
from autorepair.causes.witnesses import is_exception, last_words, was_cut, words_of
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, Invocation, LogLine

_SURE = 0.92
_LIKELY = 0.75
_LEANING = 0.62
_NEARLY_ALL = 0.8
_FEW = 3
_TWICE = 2
_MANY = 10
_CLIMB = 1.5
_LONGEST_TEXT = 4000
_POLLED = frozenset({"sqs", "kinesis", "dynamodb", "msk", "mq"})

# What names one record: the first group is the kind of id, the second the id itself.
_RECORD_ID = re.compile(
    r"(?i)(?<![a-z])(message[ _-]?id|msg[ _-]?id|seq(?:uence)?(?:[ _-]?(?:number|no|nr))?|offset"
    r"|event[ _-]?id|record[ _-]?id|event[ _-]?source[ _-]?position|object[ _-]?key|s3[ _-]?key"
    r"|item[ _-]?identifier|dedup(?:lication)?[ _-]?id)[\"']?\s?[=:#]?\s?[\"']?"
    r"([a-z0-9][\w./+-]{2,199})"
)
_OBJECT = re.compile(r"(?i)(s3)://([a-z0-9.-]{3,63}/[^\s\"',)]{1,300})")
# What may name one, or may be as ordinary as a table's key.
_WORK_ID = re.compile(
    r"(?i)(?<![a-z])(order|job|invoice|document|doc|file|key|payment|customer|user|account|batch"
    r"|item|task|import|upload|transaction|txn|claim|ticket|record|message|payload|object|report)"
    r"(?:[ _-]?(?:id|no|number|name|key|ref))?[\"']?\s?[=:#]\s?[\"']?([\w][\w./+-]{2,199})"
)
_RECEIVES = re.compile(
    r"(?i)(?:receive[ _-]?count|delivery[ _-]?(?:count|attempt)|receives?|redeliver(?:ed|y)"
    r"|attempt)[\"']?\s?[=:#]?\s?[\"']?(\d{1,6})"
)
# The input itself could not be read.
_UNREADABLE = re.compile(
    r"JSONDecodeError|JsonParseException|JsonException|JsonReaderException|JSON::ParserError"
    r"|MismatchedInputException|UnrecognizedPropertyException|MalformedJson|SerializationException"
    r"|SyntaxError: Unexpected (?:token|end of)|SyntaxError: [^\n]{0,60}JSON|Unexpected end of JSON"
    r"|invalid character '[^\n]{1,6}' looking for|unexpected end of JSON input|cannot unmarshal"
    r"|UnicodeDecodeError|Invalid control character|incorrect header check|Z_DATA_ERROR"
    r"|BadGzipFile|zlib\.error|invalid gzip|ZipException|DecodeError|InvalidProtocolBuffer"
    r"|proto: cannot parse|AvroTypeException|AvroRuntimeException|ArrowInvalid|ParserError"
    r"|XMLSyntaxError|ParseError|SAXParseException|ValidationError|SchemaValidation|invalid base64"
    r"|binascii\.Error|Incorrect padding|[Mm]alformed|[Cc]annot parse|could not be parsed"
    r"|[Ff]ailed to (?:parse|decode|deserialize|unmarshal)|expected value at line"
    r"|missing field `|DateTimeParseException|time data '[^\n]{1,80}' does not match"
)

_Token = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Suspect:
    """One record, and the failed attempts at it."""

    token: _Token
    attempts: tuple[Invocation, ...]
    is_record: bool


def _diagnose(evidence: Evidence) -> Finding | None:
    if not evidence.failures:
        return _set_aside(evidence)
    return _repeated(evidence) or _retried(evidence) or _stuck(evidence) or _unreadable(evidence)


def _repeated(evidence: Evidence) -> Finding | None:
    """Find the one record that nearly all failures are about, and no success."""
    suspect = _suspect(evidence)
    if suspect is None:
        return None
    attempts, others = suspect.attempts, _successes_beside(evidence, suspect.attempts)
    is_told = _grows(evidence, attempts) or _is_late(evidence)
    if not others and not is_told:
        return None
    cut = sum(was_cut(i) for i in attempts)
    has_others = len(others) >= _FEW or (is_told and _is_far_beyond_others(evidence))
    if cut and (not has_others or len(attempts) < _FEW or not suspect.is_record):
        # A limit that is met by one record may well be too low for the next one.
        return None
    is_sure = len(attempts) >= _FEW and (suspect.is_record or is_told)
    kind, value = suspect.token
    return _finding(
        evidence,
        _SURE if is_sure and not cut else _LIKELY,
        f"{len(attempts)} of {len(evidence.failures)} failures are attempts at one and the same "
        f"record ({kind} {value[:60]}), while {len(others)} other calls succeeded meanwhile",
        attempts,
    )


def _suspect(evidence: Evidence) -> _Suspect | None:
    lines = lines_of(evidence)
    by_token: dict[_Token, list[Invocation]] = defaultdict(list)
    for invocation in evidence.failures:
        for token in _tokens_of(lines, invocation):
            by_token[token].append(invocation)
    least = max(_TWICE, _NEARLY_ALL * len(evidence.failures))
    often = {token for token, attempts in by_token.items() if len(attempts) >= least}
    for invocation in evidence.invocations if often else ():
        if not invocation.has_failed:
            often -= _tokens_of(lines, invocation)
    if not often:
        return None
    token = max(often, key=lambda t: (len(by_token[t]), _is_record(t), t))
    return _Suspect(token, tuple(by_token[token]), _is_record(token))


def _tokens_of(lines: dict[str, list[LogLine]], invocation: Invocation) -> set[_Token]:
    return {
        token
        for line in lines.get(invocation.request_id, ())
        for token in _tokens(line.message[:_LONGEST_TEXT])
    }


def _tokens(text: str) -> Iterable[_Token]:
    for pattern in (_RECORD_ID, _OBJECT, _WORK_ID):
        for kind, value in pattern.findall(text):
            if any(c.isdigit() or c in "./" for c in value):
                yield _spelt(kind), value.rstrip(".")


def _spelt(kind: str) -> str:
    return re.sub(r"[ _-]", "", kind.lower())


def _is_record(token: _Token) -> bool:
    kind = token[0]
    return kind == "s3" or _RECORD_ID.fullmatch(f"{kind}=x00") is not None


def _successes_beside(
    evidence: Evidence, attempts: tuple[Invocation, ...]
) -> tuple[Invocation, ...]:
    began = min(i.started_at for i in attempts)
    return tuple(i for i in evidence.invocations if i.status == "success" and i.started_at >= began)


def _is_far_beyond_others(evidence: Evidence) -> bool:
    """Whether all that ever succeeded stayed below half of the memory and of the time there is."""
    limit = timeout_ms(evidence)
    well = [i for i in evidence.invocations if i.status == "success" and i.duration_ms]
    return len(well) >= _MANY and all(
        (i.duration_ms or 0.0) < limit / 2 and (memory_share(i) or 0.0) < 1 / 2 for i in well
    )


def _grows(evidence: Evidence, attempts: tuple[Invocation, ...]) -> bool:
    """Whether the attempts tell of a receive count that is well above one."""
    lines = lines_of(evidence)
    counts = {
        int(count)
        for i in attempts
        for line in lines.get(i.request_id, ())
        for count in _RECEIVES.findall(line.message[:_LONGEST_TEXT])
    }
    return len(counts) > 1 and max(counts) >= _FEW


def _is_late(evidence: Evidence) -> bool:
    """Whether the stream's reader falls behind: the age of what it reads climbs throughout."""
    for name in ("IteratorAge", "OffsetLag", "ApproximateAgeOfOldestMessage"):
        series = evidence.metric(name, "Maximum")
        values = [value for _, value in series.points] if series is not None else []
        if len(values) > _FEW and values[-1] == max(values) >= _CLIMB * max(1.0, values[0]):
            return True
    return False


def _retried(evidence: Evidence) -> Finding | None:
    """Find the one asynchronous event whose retries are all the failures there are."""
    attempts = Counter(_event_of(i) for i in evidence.failures)
    event, count = attempts.most_common(1)[0]
    failed = tuple(i for i in evidence.failures if _event_of(i) == event)
    others = _successes_beside(evidence, failed)
    is_only = count >= _NEARLY_ALL * len(evidence.failures)
    if count < _TWICE or not is_only or len(others) < _FEW or any(was_cut(i) for i in failed):
        return None
    return _finding(
        evidence,
        _LIKELY if count >= _FEW else _LEANING,
        f"all {count} failures are attempts at one event (request {event}), while "
        f"{len(others)} other events were handled meanwhile",
        failed,
    )


def _event_of(invocation: Invocation) -> str:
    """Give the request's id as its attempts share it: the later ones are numbered."""
    return invocation.request_id.partition("#")[0]


def _stuck(evidence: Evidence) -> Finding | None:
    """Find a shard that is stuck on a batch: its reader falls behind while others go on."""
    is_stream = any(
        source.kind in {"kinesis", "dynamodb", "msk"} for source in evidence.event_sources
    )
    failed = tuple(i for i in evidence.failures if not was_cut(i))
    if not is_stream or not _is_late(evidence) or len(failed) < _FEW:
        return None
    others = _successes_beside(evidence, failed)
    share = _share_unreadable(evidence)
    if not others and share < _NEARLY_ALL:
        return None
    return _finding(
        evidence,
        _LIKELY if others else _LEANING,
        "the age of what it reads climbs and the same failure returns, as when one record of a "
        f"stream is tried again and again ({len(others)} calls succeeded meanwhile)",
        failed,
    )


def _unreadable(evidence: Evidence) -> Finding | None:
    """Find messages that cannot be read among others of the same source that can."""
    is_polled = any(source.kind in _POLLED for source in evidence.event_sources)
    is_fed = is_polled or any(c.kind in {"sqs", "sns", "s3", "iot"} for c in evidence.callers)
    failed = tuple(i for i in evidence.failures if i.status == "error")
    if not is_fed or not failed or _share_unreadable(evidence) < _NEARLY_ALL:
        return None
    others = _successes_beside(evidence, failed)
    if len(others) < len(failed):
        return None
    return _finding(
        evidence,
        _LEANING,
        f"{len(failed)} events could not be read at all, while {len(others)} others were handled",
        failed,
    )


def _share_unreadable(evidence: Evidence) -> float:
    told = [
        any(_UNREADABLE.search(words_of(line)) for line in lines if is_exception(line))
        for lines in last_words(evidence).values()
    ]
    return sum(told) / len(told) if told else 0.0


def _set_aside(evidence: Evidence) -> Finding | None:
    """Find the record that calls report as failed, again and again, without failing themselves."""
    kinds = {source.kind for source in evidence.event_sources} | {c.kind for c in evidence.callers}
    if not kinds & _POLLED:
        return None
    told: dict[_Token, dict[str, LogLine]] = defaultdict(dict)
    for line in evidence.log_lines:
        text = line.message[:_LONGEST_TEXT]
        if line.request_id is not None and re.search(r"(?i)error|fail|exception|reject", text):
            for token in _tokens(text):
                if _is_record(token):
                    told[token][f"{line.stream} {line.at}"] = line
    if not told:
        return None
    (kind, value), lines = max(told.items(), key=lambda item: len(item[1]))
    if len(lines) < _FEW:
        return None
    cites = tuple(line.id for line in list(lines.values())[-5:])
    return Finding(
        cause=RootCause.POISON_EVENT,
        confidence=_LIKELY,
        why=(
            f"the function reports one record ({kind} {value[:60]}) as failed again and again, "
            f"{len(lines)} times, and handles the others"
        ),
        cites=cites,
        is_repairable=False,
    )


def _finding(
    evidence: Evidence, confidence: float, why: str, attempts: tuple[Invocation, ...]
) -> Finding:
    cites = reports_of(attempts)
    return Finding(
        cause=RootCause.POISON_EVENT,
        confidence=weighed_down(confidence, share_of_failures(evidence, len(attempts))),
        why=f"{why}: what to do with it is for a person to say",
        cites=cites,
        is_repairable=False,
    )


POISON_EVENT = Cause(
    label=RootCause.POISON_EVENT,
    signal=(
        "Nearly all failures are attempts at one and the same message, record, object or event; "
        "its receive count or the stream's iterator age climbs, while others are handled."
    ),
    proof=(
        "The same function with the same settings handles everything else, before, meanwhile and "
        "after: what fails is this one input, and it will fail again each time it is delivered."
    ),
    silence=(
        "The failures are about different records, nothing else succeeds meanwhile, or a limit of "
        "time or memory cut them and no record is named: the next one of its size would fail too."
    ),
    repair=None,
    runbook="poison-event",
    diagnose=_diagnose,
    explains=(
        RootCause.CODE_BUG,
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.MEMORY_EXHAUSTED,
        RootCause.DOWNSTREAM_UNAVAILABLE,
        RootCause.UNKNOWN,
    ),
)
