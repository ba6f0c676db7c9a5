"""Brings what failures say into one form, so that the same failure is known as the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import groupby

from autorepair.domain.evidence import Invocation, LogLine, Signature
from autorepair.domain.log_records import read_record
from autorepair.domain.log_text import plain_text
from autorepair.domain.masking import blanked

MOST_SIGNATURES = 50
_SEARCHED, _MASKED, _LONGEST = 4_000, 600, 240
_LINES = 2

# The order counts: what is longer and more telling goes first.
_MASKS = (
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (
        re.compile(
            r"\b\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
        ),
        "<time>",
    ),
    (re.compile(r"(\bhttps?://[\w.-]{1,100}(?::\d{1,5})?)/[^\s\"'<>]{1,400}"), r"\1/<path>"),
    (re.compile(r"\barn:[\w-]{1,20}:([\w-]{1,40}):[^\s\"'<>,]{1,300}"), r"<arn of \1>"),
    (re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}\b"), "<mail>"),
    (re.compile(r"(?<![\w.])(?:/[\w.@+-]{1,80}){2,20}/?"), "<path>"),
    (re.compile(r"\b(?=[A-Za-z_-]{0,60}\d)[\w-]{24,200}\b"), "<token>"),
    (re.compile(r"\b0x[0-9a-fA-F]{1,16}\b"), "<hex>"),
    (re.compile(r"\b(?=[0-9a-fA-F]{0,63}\d)[0-9a-fA-F]{8,64}\b"), "<hex>"),
    (re.compile(r"(?<![\w<])\d{1,20}(?:\.\d{1,10})?|\d{2,20}(?:\.\d{1,10})?"), "<n>"),
    (re.compile(r"\s{1,100}"), " "),
)
# What a runtime or logger puts before the words: "2026-..Z\t<id>\tERROR\tInvoke Error \t".
_BEFORE = re.compile(
    r"(?:\S{10,40}\t[\w-]{0,40}\t\w{1,10}\t(?:[\w ]{1,40}\t)?"
    r"|RequestId: [0-9a-fA-F-]{36} Error: |\S{10,40} [0-9a-fA-F-]{36} (?=Task timed))"
)
_FRAME = re.compile(r"\s{0,20}(?:at |File \"|Traceback|\{|goroutine )")


def signature_of(message: str) -> str:
    """Give the form of a message: its first telling words, with all that varies masked.

    Secrets, whether they are masked already or not, ids, moments, paths, digests, tokens and
    numbers become placeholders. Never raises.
    """
    record = read_record(message[:_SEARCHED])
    if record.kind == "report":
        return " ".join(part for part in (record.status, record.error_type) if part)
    words = plain_text(message)[:_SEARCHED]
    said = words[before.end() :] if (before := _BEFORE.match(words)) else words
    lines = [line for line in said.splitlines() if line.strip() and not _FRAME.match(line)]
    return _masked(" | ".join(lines[:_LINES]) or said)


# Failures of one kind mostly say the very same.
@lru_cache(maxsize=512)
def _masked(words: str) -> str:
    # What was stored is masked and what was just read is not, and both have to come to one form.
    # A secret may be long: it is blanked before anything is cut, so that what follows it counts.
    words = blanked(words)[:_MASKED]
    for pattern, mask in _MASKS:
        words = pattern.sub(mask, words)
    return words.strip()[:_LONGEST]


def signatures(
    invocations: Iterable[Invocation], lines: Iterable[LogLine]
) -> tuple[Signature, ...]:
    """Give what the failures say, each form once, the most frequent first.

    A failure speaks by its runtime's record, else by how the platform says that it ended, else by
    its report. Failures of a start that no request waited for count as well.
    """
    failed = {i.request_id: i for i in invocations if i.has_failed}
    telling = sorted(_telling(failed, lines), key=lambda pair: pair[0])
    found = []
    for form, pairs in groupby(telling, key=lambda pair: pair[0]):
        seen = sorted((line for _, line in pairs), key=lambda line: line.at)
        found.append(
            Signature(
                template=form,
                count=len(seen),
                first_at=seen[0].at,
                last_at=seen[-1].at,
                first_line_id=seen[0].id,
            )
        )
    found.sort(key=lambda one: (-one.count, one.first_at, one.template))
    return tuple(found[:MOST_SIGNATURES])


def _telling(
    failed: Mapping[str, Invocation], lines: Iterable[LogLine]
) -> Iterable[tuple[str, LogLine]]:
    best: dict[str, tuple[int, LogLine]] = {}
    for line in lines:
        if line.request_id is not None and line.request_id not in failed:
            continue
        rank = _RANKS.get(read_record(line.message).kind, 0)
        if line.request_id is None:
            if rank == _RANKS["failure"]:
                yield signature_of(line.message), line
        elif rank and rank >= best.get(line.request_id, (0, line))[0]:
            best[line.request_id] = (rank, line)
    for _, line in best.values():
        yield signature_of(line.message), line


_RANKS = {"failure": 4, "exit": 3, "timed_out": 2, "report": 1}
