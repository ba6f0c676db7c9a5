"""Where an invocation's time went: what its own lines say of the time that others took."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from math import log
from statistics import median

from autorepair.causes.limits import lines_of, memory_share
from autorepair.causes.troubles import said_in
from autorepair.causes.witnesses import words_of
from autorepair.causes.wording import lowered, wording
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import read_record

_LONGEST_WORDS = 500
_MOST_LINES = 60
# Enough to know what is typical.
_ENOUGH = 60
_FEWEST = 3
# Of the time of an invocation; lines that are merely spread evenly leave no such silence.
_NEARLY_ALL = 0.7
_FULL = 0.97
# Words about somebody else's work, and words about the function's own.
_CALLS_OUT = wording(
    r"(?:->|=>|→|>>) ?(?:https?:|(?:GET|POST|PUT|PATCH|DELETE|HEAD)\b)"
    r"|\b(?:GET|POST|PUT|PATCH|DELETE|HEAD) https?://"
    r"|\b(?:connecting|reconnecting|dialing|resolving|opening (?:\w{1,20} ){0,3}(?:connection|"
    r"session|channel|tunnel|socket))\b"
    r"|\b(?:calling|requesting|querying|fetching|invoking|contacting|asking|publishing|subscribing"
    r"|acquiring|authenticating|logging in|downloading|uploading|looking up|opening|reading from"
    r"|writing to|(?:sending|posting|putting|submitting|forwarding|pushing) (?:\w{1,20} ){0,4}to"
    r"|awaiting|waiting (?:for|on)|loading (?:\w{1,20} ){0,3}from|getting (?:\w{1,20} ){0,3}from"
    r"|running query|executing (?:query|statement|sql))\b"
    r"|\b(?:call|query|connect|fetch|lookup) (?:to|from|on) |\bSELECT .{1,80} FROM\b"
    r"|\bINSERT INTO\b|\bUPDATE \S{1,60} SET\b"
    r"|正在(?:连接|请求|调用|查询|获取|访问)|等待.{0,20}响应|(?:连接|请求|调用)\S{0,40}(?:中|\.\.\.|…)"
    r"|接続(?:中|します|開始)|呼び出し中|問い合わせ中"
)
_OTHERS = wording(
    r"quer(?:y|ies)|DbCommand|jdbc|statement|\bsql\b|database|\bdb\b|activerecord|postgres"
    r"|mysql|aurora|\brds\b|redshift"
    r"|warehouse|snowflake|bigquery|athena|oracle|mongo|dynamo|redis|elasticache|cache (?:get|hit"
    r"|lookup)|opensearch|elastic|kafka|\bs3\b|bedrock|openai|completion|\bllm\b|\bprompt\b"
    r"|model (?:call|response|endpoint)"
    r"|upstream|downstream|partner|provider|backend|remote|third.party|vendor|gateway|\bapi\b"
    r"|https?:|\b(?:GET|POST|PUT|PATCH|DELETE)\b|\bhttp\b|response|respond|answer|repl(?:y|ied)"
    r"|request|fetch|\brpc\b|grpc|latency|round.?trip|\brtt\b|ttfb|queued|queue[d_ ]|lookup"
    r"|\bcall(?:ed|s)?\b|<-|service|server|host|connect|acquire|lock wait|waiting|waited"
    r"|still running|\bRUNNING\b|poll|charge|authori[sz]|search|publish|ack\b|slow"
    r"|查询|请求|调用|响应|上游|等待|耗时"
)
_OWN = wording(
    r"\b(?:render(?:ed|ing)?|encod(?:ed|ing)|decod(?:ed|ing)|compress(?:ed|ing)?|resiz(?:ed|ing)"
    r"|transcod\w{0,5}|hash(?:ed|ing)?|bcrypt|argon2|scrypt|cpu(?:[_ ]\w{1,10})?|cpu_ms|pars(?:ed"
    r"|ing)|deserializ\w{0,6}|inference|train(?:ed|ing)|epoch|fold|gc|garbage|import(?:ed|ing)?"
    r"|init(?:ializ\w{0,6})?|cold ?start|jit|comput(?:ed|ing)|sort(?:ed|ing)?|unzip\w{0,4}"
    r"|extract(?:ed|ing)|process cpu|timeout|limit|threshold|budget|deadline|interval|ttl)\b"
    # A framework that says how long it took to start.
    r"|\b(?:started|booted) (?:[\w.$]{1,80} )?in \d|\b(?:process|jvm) running for\b"
    r"|\b(?:start-?up|boot|bootstrap\w{0,6}|application start) (?:\w{1,12} )?(?:in|took|time)\b"
)
_FIGURE = re.compile(
    r"(?<![\w.])(\d{1,9}(?:\.\d{1,6})?) ?(ms|millis|msec|s|sec|min|毫秒|秒)(?:s|onds?|econds?"
    r"|utes?)?(?![\w/])"
)
_NAMED = re.compile(
    r"(_s|_secs?|_seconds|ms|_millis|_msec|latency|duration|elapsed|took|rtt)[\"']?(?: |: ?|= ?)\"?"
    r"(\d{1,9}(?:\.\d{1,6})?)(?![\w.])"
)
_PAIR = re.compile(
    r"(?<![a-z])([a-z][a-z_]{1,30})_(ms|millis|msec|s|secs?|seconds)[\"']?(?: ?= ?|: ?)\"?"
    r"(\d{1,9}(?:\.\d{1,6})?)(?![\w.])"
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# How much there was to do, where the log counts it.
_WORK = wording(
    r"(?<![\w.])(\d{1,12}) ?(?:rows?|records?|items?|pages?|messages?|points?|lines?|files?"
    r"|objects?|orders?|documents?|docs?|events?|entries|users?|images?|charts?|tokens|[KMG]?B\b"
    r"|条|行|个)"
    r"|\b(?:rows?|records?|items?|pages?|messages?|points|lines|files|objects|documents|docs|events"
    r"|count|size|bytes|batch(?:_size)?|total|n)[\"']?[=:] ?\"?(\d{1,12})\b"
)
_UNITS = {
    "ms": 1.0,
    "millis": 1.0,
    "msec": 1.0,
    "s": 1000.0,
    "sec": 1000.0,
    "min": 60_000.0,
    "毫秒": 1.0,
    "秒": 1000.0,
}
# A rise has to be plain to see: chance, a cold start, a larger order do not double everything.
_RISE = 2.0
_LEAST_RISE_MS = 150.0
_PARTS = 10
_IN_STEP = 0.5


@dataclass(frozen=True, slots=True)
class Rise:
    """Invocations that finished, before and after they became slow, and the typical duration."""

    before: tuple[Invocation, ...]
    after: tuple[Invocation, ...]
    before_ms: float
    after_ms: float


def rise_of(
    evidence: Evidence, *, of_any_size: bool = False, cut: tuple[Invocation, ...] = ()
) -> Rise | None:
    """Find where the durations of finished invocations rose, to twice what they were at least.

    Those that were ``cut`` took as long as they were let, at least. None when they did not, when
    there are too few to tell, when the memory size differs between the two (unless
    ``of_any_size``), or when the slow ones fill their memory: then the function itself is the slow
    one.
    """
    known = {i.request_id for i in cut}
    finished = [
        i
        for i in evidence.invocations
        if i.duration_ms and (i.status == "success" or i.request_id in known)
    ]
    if len(finished) < 2 * _FEWEST:
        return None
    places = {
        max(_FEWEST, min(len(finished) - _FEWEST, len(finished) * part // _PARTS))
        for part in range(1, _PARTS)
    }
    rises = [_split(finished, place) for place in sorted(places)]
    best = min(rises, key=_unevenness)
    is_plain = best.after_ms >= _RISE * best.before_ms
    if not is_plain or best.after_ms - best.before_ms < _LEAST_RISE_MS:
        return None
    return None if _is_own_doing(best, of_any_size=of_any_size) else best


def _split(finished: list[Invocation], place: int) -> Rise:
    before, after = tuple(finished[:place]), tuple(finished[place:])
    return Rise(
        before,
        after,
        median(i.duration_ms or 0.0 for i in before) or 0.001,
        median(i.duration_ms or 0.0 for i in after),
    )


def _unevenness(rise: Rise) -> float:
    """Give how far the durations lie from the typical one before and after, in all."""
    return sum(
        abs(log((i.duration_ms or 0.001) / typical))
        for part, typical in ((rise.before, rise.before_ms), (rise.after, rise.after_ms))
        for i in part
    )


def _is_own_doing(rise: Rise, *, of_any_size: bool) -> bool:
    sizes = {i.memory_mb for i in (*rise.before, *rise.after)} - {None}
    shares = [share for i in rise.after if (share := memory_share(i)) is not None]
    return (len(sizes) > 1 and not of_any_size) or (bool(shares) and median(shares) >= _FULL)


class SpentTime:
    """The time that others took of each invocation, as the log's own figures tell it."""

    def __init__(self, evidence: Evidence) -> None:
        """Read the lines of the evidence by invocation."""
        self._lines = lines_of(evidence)
        self._words: dict[str, list[tuple[LogLine, str]]] = {}

    def of_others_ms(self, invocation: Invocation) -> tuple[float, LogLine | None]:
        """Give the milliseconds that others took of it, and the line with most of them."""
        most = (invocation.duration_ms or 0.0) * 1.1 + 1
        total, longest, telling = 0.0, 0.0, None
        for line, words in self._speech(invocation):
            took = _told_ms(words, most)
            total += took
            if took > longest:
                longest, telling = took, line
        told = total if total <= most else longest
        waited, call = self._longest_wait(invocation)
        return (waited, call) if waited > told else (told, telling)

    def _longest_wait(self, invocation: Invocation) -> tuple[float, LogLine | None]:
        """Give the milliseconds between a call out and the next word, if they are nearly all."""
        said = [line for line, _ in self._speech(invocation)]
        whole = invocation.duration_ms or 0.0
        for line, after in pairwise(said):
            waited = (after.at - line.at).total_seconds() * 1000
            if waited >= _NEARLY_ALL * whole and whole and calls_out(words_of(line)):
                return min(waited, whole), line
        return 0.0, None

    def typical_ms(self, invocations: tuple[Invocation, ...]) -> float:
        """Give the median of what others took of the latest of these."""
        latest = invocations[-_ENOUGH:]
        return median(self.of_others_ms(i)[0] for i in latest) if latest else 0.0

    def typical_work(self, invocations: tuple[Invocation, ...]) -> float:
        """Give the median of how much these had to do, where their lines count it; else 0."""
        latest = invocations[-_ENOUGH:]
        return median(self._work_of(i) for i in latest) if latest else 0.0

    def telling(self, invocations: tuple[Invocation, ...]) -> list[LogLine]:
        """Give the lines with the longest times of others in the latest of these."""
        latest = invocations[-_ENOUGH:]
        return [line for i in latest if (line := self.of_others_ms(i)[1]) is not None]

    def _work_of(self, invocation: Invocation) -> float:
        counts = (
            float(match[1] or match[2])
            for _, words in self._speech(invocation)
            for match in _WORK.finditer(words)
        )
        return max(counts, default=0.0)

    def _speech(self, invocation: Invocation) -> list[tuple[LogLine, str]]:
        """Give what an invocation said, lowered; only the first of many lines are read."""
        known = self._words.get(invocation.request_id)
        if known is None:
            lines = self._lines.get(invocation.request_id, [])[:_MOST_LINES]
            known = [
                (line, lowered(said_in(line), _LONGEST_WORDS))
                for line in lines
                if read_record(line.message).kind == "speech"
            ]
            self._words[invocation.request_id] = known
        return known


def has_more_to_do(spent: SpentTime, rise: Rise) -> bool:
    """Whether the work grew about as much as its duration: then nobody became slower."""
    before, after = spent.typical_work(rise.before), spent.typical_work(rise.after)
    return before > 0 and after / before >= _IN_STEP * rise.after_ms / rise.before_ms


def calls_out(text: str) -> bool:
    """Whether a text says that somebody else is asked for something."""
    return _CALLS_OUT.search(lowered(text, _LONGEST_WORDS)) is not None


def is_about_others(text: str) -> bool:
    """Whether a text is about somebody else's work, and not about the function's own."""
    words = lowered(text, _LONGEST_WORDS)
    return _OTHERS.search(words) is not None and _OWN.search(words) is None


def is_own_work(text: str) -> bool:
    """Whether a text is about work that the function does by itself."""
    return _OWN.search(lowered(text, _LONGEST_WORDS)) is not None


def _told_ms(words: str, most: float) -> float:
    """Give the longest time in lowered words about somebody else's work, 0 when none is told."""
    plain = _THOUSANDS.sub("", words)
    told = [float(match[1]) * _UNITS[match[2]] for match in _FIGURE.finditer(plain)]
    for match in _NAMED.finditer(plain):
        in_seconds = match[1] in {"_s", "_sec", "_secs", "_seconds"}
        told.append(float(match[2]) * (1000.0 if in_seconds else 1.0))
    longest = max((ms for ms in told if ms <= most), default=0.0)
    if longest and is_about_others(words):
        return longest
    return _told_by_name(plain, most) if longest else 0.0


def _told_by_name(plain: str, most: float) -> float:
    """Give the longest time under a name of somebody else's, beside times of the own work."""
    told = [
        float(match[3]) * (1.0 if match[2].startswith("m") else 1000.0)
        for match in _PAIR.finditer(plain)
        if is_about_others(match[1].replace("_", " "))
    ]
    return max((ms for ms in told if ms <= most), default=0.0)
