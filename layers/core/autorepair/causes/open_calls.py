"""Calls to somebody else that were never answered: an invocation's last words before the cut."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from autorepair.causes.limits import lines_of, timeout_ms
from autorepair.causes.spent_time import calls_out, is_about_others, is_own_work
from autorepair.causes.timing import hanging
from autorepair.causes.witnesses import words_of
from autorepair.causes.wording import lowered, wording
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import read_record

_CONNECTS = wording(
    r"\b(?:connect(?:ing)?|reconnecting|dial(?:ing)?|opening|open connection|acquiring)\b"
    r"|连接|接続"
)
# Whom a function in a network of its own reaches only by a route out or an endpoint within.
_AWS_CALL = wording(
    r"amazonaws\.com|\b(?:secrets? ?manager|parameter store|ssm|dynamodb|s3|sqs|sns|kms|sts"
    r"|bedrock|eventbridge|step ?functions|cognito|ses|textract|rekognition|lambda:?invoke"
    r"|get ?secret|get ?parameters?|get ?object|put ?object|get ?item|put ?item"
    r"|send ?message)\b|s3://"
)
# Said again and again by what waits.
_STILL = wording(
    r"\bstill (?:\w{1,20} ){0,2}(?:waiting|running|pending|trying|blocked|connecting|queued|no)\b"
    r"|\b(?:waiting|blocked|pending) (?:\w{1,20} ){0,3}(?:since|for) [\d.]{1,9} ?(?:s|ms|m)"
    r"|\b(?:keep-?alive|heartbeat|no (?:answer|response|reply|data) (?:yet|so far|after))\b"
)
_LONGEST_WORDS = 500
# The handler has done what it is for; what keeps the invocation open is the function's own.
_HANDED_BACK = wording(
    r"\bcallback (?:was |has been )?(?:called|invoked|fired)\b"
    r"|\bevent loop\b|\bopen handles?\b|\bcallbackwaitsforemptyeventloop\b"
    r"|\bhandler (?:is |has |was )?(?:return(?:ed|ing|s)?|done|finished|complete[ds]?)\b"
    r"|\breturning (?:from (?:the )?handler|(?:the )?(?:response|result)\b|ok\b|200\b)"
)
_MOST_HANDED_BACK = 0.6


# What varies from one saying of a line to the next.
_VARYING = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b\w*\d\w*\b")
_FEWEST_ANSWERED = 3
_MOSTLY = 0.8
_MOST_SUCCESSES = 50


@dataclass(frozen=True, slots=True)
class Silence:
    """Time-outs that hang, and the words after which nothing was heard of them.

    ``is_said`` where these words themselves tell of a call; otherwise invocations that succeeded
    show that an answer of somebody else should have followed. ``is_guess`` where nothing tells
    whom the silence waits for, but that it is not the function's own work.
    """

    hung: tuple[Invocation, ...]
    calls: tuple[LogLine, ...]
    is_said: bool = True
    is_guess: bool = False

    @property
    def share(self) -> float:
        """How many of the hanging invocations ended in such words."""
        return len(self.calls) / len(self.hung) if self.hung else 0.0

    @property
    def are_connecting(self) -> bool:
        """Whether most of the calls had not even got a connection."""
        return _most(self.calls, _CONNECTS)

    @property
    def are_to_aws(self) -> bool:
        """Whether most of the calls went to an AWS service."""
        return _most(self.calls, _AWS_CALL)


def idle_of(evidence: Evidence) -> Silence:
    """Find the invocations that hang, and the words by which they had handed back their answer.

    Nobody else is waited for then: a timer, a socket or a promise of the function's own is open.
    """
    hung = hanging(evidence)
    lines = lines_of(evidence)
    said = [(i, _speech(lines.get(i.request_id, []), i)) for i in hung]
    ends = [words[-1] for i, words in said if words and _is_silent(words, i)]
    handed = tuple(x for x in ends if _HANDED_BACK.search(lowered(words_of(x), _LONGEST_WORDS)))
    return Silence(hung, handed, is_said=False)


def silence_of(evidence: Evidence) -> Silence:
    """Find the invocations that hang, and what each of them asked for last."""
    idle = idle_of(evidence)
    hung = idle.hung
    if hung and idle.share >= _MOST_HANDED_BACK:
        return Silence(hung, ())
    lines = lines_of(evidence)
    said = {i.request_id: _speech(lines.get(i.request_id, []), i) for i in hung}
    calls = [c for i in hung if (c := _open_call(said[i.request_id], i)) is not None]
    if calls or not hung:
        return Silence(hung, tuple(calls))
    answered = _answered(evidence, lines)
    last = [words[-1] for i in hung if (words := said[i.request_id]) and _is_silent(words, i)]
    implied = tuple(line for line in last if _kind(line) in answered)
    if implied:
        return Silence(hung, implied, is_said=False)
    others = tuple(line for line in last if not is_own_work(words_of(line)))
    if not _is_new(evidence):
        return Silence(hung, ())
    return Silence(hung, others, is_said=False, is_guess=True)


def _is_new(evidence: Evidence) -> bool:
    """Whether the function usually finishes, and swiftly, so that it is not its own way."""
    successes = [i for i in evidence.invocations if i.status == "success"]
    usual = [i.duration_ms for i in successes if i.duration_ms]
    return len(usual) >= _FEWEST_ANSWERED and median(usual) <= timeout_ms(evidence) / 2


def _most(calls: tuple[LogLine, ...], words: re.Pattern[str]) -> bool:
    told = sum(bool(words.search(lowered(words_of(call), _LONGEST_WORDS))) for call in calls)
    return 2 * told > len(calls)


def _speech(lines: list[LogLine], invocation: Invocation) -> list[LogLine]:
    return [
        line
        for line in lines
        if line.at >= invocation.started_at and read_record(line.message).kind == "speech"
    ]


def _open_call(said: list[LogLine], invocation: Invocation) -> LogLine | None:
    """Give the call out that was followed by silence for most of an invocation's time."""
    calls = [line for line in said if calls_out(words_of(line))]
    if not calls or not _is_silent(said, invocation):
        return None
    # What is said right after the call (headers, a body, that it waits) is part of it.
    later = [line for line in said if line.at > calls[-1].at and not _is_still(line)]
    return calls[-1] if len(later) <= 1 else None


def _is_still(line: LogLine) -> bool:
    return _STILL.search(lowered(words_of(line), _LONGEST_WORDS)) is not None


def _is_silent(said: list[LogLine], invocation: Invocation) -> bool:
    """Whether nothing but of waiting was said in the second half of the invocation."""
    if invocation.duration_ms is None:
        return False
    while len(said) > 1 and _is_still(said[-1]):
        said = said[:-1]
    spoken_ms = (said[-1].at - invocation.started_at).total_seconds() * 1000
    return spoken_ms <= invocation.duration_ms / 2


def _answered(evidence: Evidence, lines: dict[str, list[LogLine]]) -> set[str]:
    """Give the kinds of lines after which invocations that succeed tell of somebody's answer."""
    seen: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    successes = [i for i in evidence.invocations if i.status == "success"][-_MOST_SUCCESSES:]
    for invocation in successes:
        said = _speech(lines.get(invocation.request_id, []), invocation)[:_MOST_SUCCESSES]
        for line, after in pairwise(said):
            seen[_kind(line)] += 1
            answered[_kind(line)] += is_about_others(words_of(after))
    return {
        kind
        for kind, count in seen.items()
        if count >= _FEWEST_ANSWERED and answered[kind] >= _MOSTLY * count
    }


def _kind(line: LogLine) -> str:
    return _VARYING.sub("#", words_of(line)[:_LONGEST_WORDS])
