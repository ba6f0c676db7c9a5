"""Bugs: the same exception of a kind that only code can raise, on most of the failures."""

from __future__ import annotations

import re
from collections import defaultdict

from autorepair.causes.cause import Cause
from autorepair.causes.limits import share_of_failures, weighed_down
from autorepair.causes.witnesses import (
    is_exception,
    last_words,
    latest,
    words_of,
)
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, Invocation, LogLine

_LEAST_SHARE = 0.5
_FEW = 3

# Exceptions that say that the code did what its language forbids. A ValueError, say, is not among
# them: it may as well be about an event, a setting, or another service's answer.
_BUGS = frozenset(
    {
        "TypeError", "AttributeError", "IndexError", "KeyError", "NameError", "UnboundLocalError",
        "ZeroDivisionError", "RecursionError", "NotImplementedError", "StopIteration",
        "ReferenceError", "RangeError",
        "NullPointerException", "IndexOutOfBoundsException", "ArrayIndexOutOfBoundsException",
        "StringIndexOutOfBoundsException", "ClassCastException", "ArithmeticException",
        "NegativeArraySizeException", "StackOverflowError", "ConcurrentModificationException",
        "UnsupportedOperationException",
        "NoMethodError", "FrozenError", "LocalJumpError",
        "NullReferenceException", "IndexOutOfRangeException", "InvalidCastException",
        "DivideByZeroException",
        "boundsError", "plainError",
    }
)  # fmt: skip
_RUBY = re.compile(r"Function<([\w:]{1,100})>")
_GO = re.compile(r"runtime error: (?:index out of range|invalid memory address|integer divide)")
# The environment, or a package that does not fit, explains these as well as a bug would.
_OTHER_REASONS = re.compile(
    r"\benviron\b|getenv|process\.env|System\.getenv|\bENV(?:\[|\.fetch)|<frozen os>|/os\.py\""
    r"|: (?:partially initialized )?module '|_ARRAY_API|object in type|not in environment"
)
# What a function begins its life with is no change.
_CREATION = "CreateFunction"
_PLACE = re.compile(r"File \"(/var/task/[^\"\n]{1,200})\", line (\d{1,7})")
_PLACE_ELSEWHERE = re.compile(r"\n?\s+at ([^\n]{1,200})")
_VARYING = re.compile(r"0x[0-9a-f]+|\d+|'[^'\n]{0,200}'|\"[^\"\n]{0,200}\"")


def _diagnose(evidence: Evidence) -> Finding | None:
    by_signature: dict[tuple[str, str], list[tuple[Invocation, LogLine]]] = defaultdict(list)
    words = last_words(evidence)
    for invocation in evidence.failures:
        bug = _bug(invocation, words[invocation.request_id])
        if bug is not None:
            signature, line = bug
            by_signature[signature].append((invocation, line))
    if not by_signature:
        return None
    signature, found = max(by_signature.items(), key=lambda item: len(item[1]))
    share = share_of_failures(evidence, len(found))
    if share < _LEAST_SHARE or _began_with_an_environment(evidence, found[0][0]):
        return None
    return Finding(
        cause=RootCause.CODE_BUG,
        confidence=weighed_down(0.85 if len(found) >= _FEW else 0.75, share),
        why=(
            f"{len(found)} of {len(evidence.failures)} failed invocations ended with the same "
            f"{signature[0]}, raised in the function's own work: its code has to be mended"
        ),
        cites=latest(line for _, line in found),
        is_repairable=False,
    )


def _began_with_an_environment(evidence: Evidence, first: Invocation) -> bool:
    """Whether it all began when somebody wrote the environment, and nothing succeeded since."""
    writes = [
        change.at
        for change in evidence.changes
        if (change.variables or change.writes_environment)
        and change.at <= first.started_at
        and not change.event.startswith(_CREATION)
    ]
    return bool(writes) and not any(
        i.status == "success" and i.started_at > max(writes) for i in evidence.invocations
    )


def _bug(invocation: Invocation, lines: list[LogLine]) -> tuple[tuple[str, str], LogLine] | None:
    """Give the signature (kind, place) of the bug that ended an invocation, and its line."""
    exceptions = [line for line in lines if is_exception(line)]
    if invocation.status not in {"error", "crash"} or not exceptions:
        return None
    line = exceptions[-1]
    text = words_of(line)
    kind = _kind(invocation, text)
    if kind is None or _OTHER_REASONS.search(text):
        return None
    return (kind, _place(text)), line


def _kind(invocation: Invocation, text: str) -> str | None:
    told = invocation.error_type or ""
    ruby = _RUBY.search(text) if not told else None
    name = re.split(r"[.$:]", ruby[1] if ruby else told)[-1]
    if name in _BUGS:
        return name
    return "runtime error" if _GO.search(text) else None


def _place(text: str) -> str:
    """Give where it happened, else what it says without what varies from case to case."""
    own = _PLACE.findall(text)
    if own:
        return f"{own[-1][0]}:{own[-1][1]}"
    elsewhere = _PLACE_ELSEWHERE.search(text)
    return elsewhere[1] if elsewhere else _VARYING.sub("#", text.partition("\n")[0])


CODE_BUG = Cause(
    label=RootCause.CODE_BUG,
    signal=(
        "Most failures end with the same exception at the same place, of a kind that says the "
        "code did what its language forbids: a wrong type, a missing key or index, a null, a "
        "division by zero."
    ),
    proof=(
        "The runtime itself reports the exception that left the handler; the same place on most "
        "failures means that neither chance nor another service decides."
    ),
    silence=(
        "The failing line reads the environment, the failures began when the environment was "
        "written, a package does not fit, the code never began (a failed cold start), the kind of "
        "exception says nothing about the code, or a more specific cause explains the failures."
    ),
    repair=None,
    runbook="code-bug",
    diagnose=_diagnose,
    explains=(RootCause.UNKNOWN,),
)
