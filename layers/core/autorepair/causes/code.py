"""Bugs: the same exception on most of the failures, of a kind that only code can raise."""

from __future__ import annotations

import re
from collections import defaultdict

from autorepair.causes.cause import Cause, Reach
from autorepair.causes.handled import as_failed
from autorepair.causes.limits import share_of_failures, weighed_down
from autorepair.causes.open_calls import idle_of
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
_SURE = 0.85
_LIKELY = 0.75
# An exception of any kind, raised by the function's own code: it points there, and no further.
_LEANING = 0.55
# The same from within a library: most often it was called in a way that it does not allow.
_HUNCH = 0.5
# Lambda counts no error there, so it is the log's word alone.
_HANDLED = 0.65
_WHERE = {True: "the function's own code", False: "a library that the function calls"}

# Exceptions that say that the code did what its language forbids. A ValueError, say, is not among
# them: it may as well be about an event, a setting, or another service's answer.
_BUGS = frozenset(
    {
        "TypeError", "AttributeError", "IndexError", "KeyError", "NameError", "UnboundLocalError",
        "ZeroDivisionError", "RecursionError", "NotImplementedError", "StopIteration",
        "AssertionError", "UserCodeSyntaxError", "IndentationError", "MarshalError",
        "ReferenceError", "RangeError",
        "NullPointerException", "IndexOutOfBoundsException", "ArrayIndexOutOfBoundsException",
        "StringIndexOutOfBoundsException", "ClassCastException", "ArithmeticException",
        "NegativeArraySizeException", "StackOverflowError", "ConcurrentModificationException",
        "UnsupportedOperationException", "NoSuchElementException", "KotlinNullPointerException",
        "UninitializedPropertyAccessException", "NoWhenBranchMatchedException",
        "NoMethodError", "FrozenError", "LocalJumpError", "SystemStackError", "ArgumentError",
        "NullReferenceException", "IndexOutOfRangeException", "InvalidCastException",
        "DivideByZeroException", "KeyNotFoundException", "ArgumentOutOfRangeException",
        "NotImplementedException", "StackOverflowException", "ObjectDisposedException",
        "boundsError", "plainError", "TypeAssertionError", "DivisionByZeroError",
    }
)  # fmt: skip
_RUBY = re.compile(r"Function<([\w:]{1,100})>")
_PANIC = re.compile(
    r"runtime error: (?:index out of range|slice bounds out of range|invalid memory address"
    r"|integer divide|makeslice|hash of unhashable)|assignment to entry in nil map"
    r"|close of closed channel|interface conversion: |all goroutines are asleep"
    r"|panicked at [^\n]{0,300}(?:index out of bounds|unwrap\(\)|overflow|divide by zero|expect"
    r"|entered unreachable|not yet implemented|slice index|out of range|byte index)"
    r"|panicked at [^\n]{1,200}:\r?\n(?:called `|index out|attempt to|range (?:start|end)"
    r"|byte index)|Call to (?:a member function|undefined (?:method|function))"
    r"|PHP Fatal error: {1,4}Uncaught \w{0,20}(?:TypeError|ArgumentCountError"
    r"|DivisionByZeroError)|Segmentation fault|signal: segmentation"
    r"|is not a function\b|Converting circular structure to JSON|is not JSON serializable"
    r"|dictionary changed size during iteration|Maximum call stack size exceeded"
    r"|fatal error: concurrent map"
)
_HANDLED_BUG = re.compile(
    rf"\b(?:{'|'.join(sorted(_BUGS))})\b|Cannot read propert|undefined method|is not a function"
)
# The environment, or a package that does not fit, explains these as well as a bug would.
_OTHER_REASONS = re.compile(
    r"\benviron\b|getenv|process\.env|System\.getenv|\bENV(?:\[|\.fetch)|<frozen os>|/os\.py\""
    r"|: (?:partially initialized )?module '|_ARRAY_API|object in type|not in environment"
)
# What a function begins its life with is no change.
_CREATION = "CreateFunction"
_PLACE = re.compile(r"File \"(/var/task/[^\"\n]{1,200})\", line (\d{1,7})")
_PLACE_ELSEWHERE = re.compile(r"\n?\s+at ([^\n]{1,200})")
# A frame of the function's own code, in any runtime; what libraries raise may be about anything.
_OWN_FRAME = re.compile(
    r"/var/task/(?!node_modules/|vendor/|python/|[^\s\"']{0,120}(?:site-packages|node_modules)/)"
    r"[\w./-]{1,200}\.\w{2,4}"
    r"|\bat (?!java|jdk|sun|org\.|com\.amazon|software\.amazon|System\."
    r"|Amazon)[\w$.]{3,200}\([\w]{1,80}\.(?:java|kt|scala)|\n\s+main\.\w|\t/(?:app|build|src"
    r"|workspace)/"
    r"|\bat [\w.<>]{3,200}\([^\n]{0,200}\) in /"
)
# A cold start that failed: what is said there may be about a package or a setting as well.
_NEVER_BEGAN = (
    "Runtime.Unknown",
    "Runtime.ImportModule",
    "Runtime.InvalidEntry",
    "Runtime.Handler",
)
_VARYING = re.compile(r"0x[0-9a-f]+|\d+|'[^'\n]{0,200}'|\"[^\"\n]{0,200}\"")

_Signature = tuple[str, str]
_Told = tuple[_Signature, LogLine]


def _diagnose(evidence: Evidence) -> Finding | None:
    ways = (_of_forbidden_kind, _of_idling, _of_any_kind, _of_handled)
    return next((finding for way in ways if (finding := way(evidence)) is not None), None)


def _of_idling(evidence: Evidence) -> Finding | None:
    """Find calls that had handed back their answer, and then idled until they were cut."""
    idle = idle_of(evidence)
    share = share_of_failures(evidence, len(idle.calls))
    if len(idle.calls) < _FEW or share < _LEAST_SHARE:
        return None
    return Finding(
        cause=RootCause.CODE_BUG,
        confidence=weighed_down(_LIKELY, share),
        why=(
            f"{len(idle.calls)} of {len(evidence.failures)} failed invocations say that their work "
            "is done and handed back, and idle until they are cut: the code leaves something open "
            "(a timer, a connection, a promise), and a longer timeout only idles longer"
        ),
        cites=latest(idle.calls),
        is_repairable=False,
    )


def _of_handled(evidence: Evidence) -> Finding | None:
    """Find a bug that calls logged, with the place in the function's own code, and answered."""
    treated = as_failed(evidence)
    if treated is None:
        return None
    own = [
        line
        for lines in last_words(treated).values()
        for line in lines[-_FEW:]
        if _HANDLED_BUG.search(words_of(line)) and _OWN_FRAME.search(words_of(line))
    ]
    told = {line.request_id for line in own}
    if len(told) < _FEW or len(told) < _LEAST_SHARE * len(treated.failures):
        return None
    return Finding(
        cause=RootCause.CODE_BUG,
        confidence=_HANDLED,
        why=(
            f"{len(told)} calls that returned logged an exception of the function's own code, of a "
            "kind that says that the code has to be mended"
        ),
        cites=latest(own),
        is_repairable=False,
    )


def _of_forbidden_kind(evidence: Evidence) -> Finding | None:
    """Find the same exception, at one place, of a kind that only code can raise."""
    by_signature = _by_signature(evidence)
    if not by_signature:
        return None
    signature, found = max(by_signature.items(), key=lambda item: len(item[1]))
    share = share_of_failures(evidence, len(found))
    if share < _LEAST_SHARE or _began_with_an_environment(evidence, found[0][0]):
        return None
    return Finding(
        cause=RootCause.CODE_BUG,
        confidence=weighed_down(_SURE if len(found) >= _FEW else _LIKELY, share),
        why=(
            f"{len(found)} of {len(evidence.failures)} failed invocations ended with the same "
            f"{signature[0]}, raised in the function's own work: its code has to be mended"
        ),
        cites=latest(line for _, line in found),
        is_repairable=False,
    )


def _by_signature(evidence: Evidence) -> dict[_Signature, list[tuple[Invocation, LogLine]]]:
    by_signature: dict[_Signature, list[tuple[Invocation, LogLine]]] = defaultdict(list)
    words = last_words(evidence)
    for invocation in evidence.failures:
        bug = _bug(invocation, words[invocation.request_id])
        if bug is not None:
            signature, line = bug
            by_signature[signature].append((invocation, line))
    return by_signature


def _of_any_kind(evidence: Evidence) -> Finding | None:
    """Lean towards the code where its own frames raise nearly every failure, whatever it says."""
    words = last_words(evidence)
    found = [
        (invocation, line)
        for invocation in evidence.failures
        if invocation.status in {"error", "crash"}
        for line in words[invocation.request_id][-1:]
        if is_exception(line)
    ]
    own = [pair for pair in found if _OWN_FRAME.search(words_of(pair[1]))]
    is_own = bool(own) and 2 * len(own) >= len(found)
    found = own if is_own else [pair for pair in found if _may_be_misuse(*pair)]
    share = share_of_failures(evidence, len(found))
    if len(found) < _FEW or share < _LEAST_SHARE:
        return None
    if _began_with_an_environment(evidence, found[0][0]):
        return None
    return Finding(
        cause=RootCause.CODE_BUG,
        confidence=weighed_down(_LEANING if is_own else _HUNCH, share),
        why=(
            f"{len(found)} of {len(evidence.failures)} failed invocations ended with an exception "
            f"raised in {_WHERE[is_own]}, and nothing else explains it"
        ),
        cites=latest(line for _, line in found),
        is_repairable=False,
    )


def _may_be_misuse(invocation: Invocation, line: LogLine) -> bool:
    """Whether an exception from within a library may be the code's own fault."""
    has_begun = not (invocation.error_type or "").startswith(_NEVER_BEGAN)
    return has_begun and _OTHER_REASONS.search(words_of(line)) is None


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


def _bug(invocation: Invocation, lines: list[LogLine]) -> _Told | None:
    """Give the signature (kind, place) of the bug that ended an invocation, and its line."""
    if invocation.status not in {"error", "crash"} or not lines:
        return None
    exceptions = [line for line in lines if is_exception(line)]
    line = exceptions[-1] if exceptions else _panicking(lines)
    if line is None:
        return None
    text = words_of(line)
    kind = _kind(invocation, text)
    if kind is None or _OTHER_REASONS.search(text):
        return None
    return (kind, _place(text)), line


def _panicking(lines: list[LogLine]) -> LogLine | None:
    """Give the line in which a runtime without exceptions says why it ended."""
    return next((line for line in reversed(lines) if _PANIC.search(words_of(line))), None)


def _kind(invocation: Invocation, text: str) -> str | None:
    told = invocation.error_type or ""
    if told.startswith(_NEVER_BEGAN):
        return None
    ruby = _RUBY.search(told or text)
    first = re.split(r"[\s:(,]", text[:200].removeprefix("[ERROR] "), maxsplit=1)[0]
    for said in (ruby[1] if ruby else told, first):
        name = re.split(r"[.$:]", said)[-1]
        if name in _BUGS:
            return name
    return "runtime error" if _PANIC.search(text) else None


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
        "division by zero; or they say that their answer is handed back, and idle until the cut."
    ),
    proof=(
        "The runtime itself reports the exception that left the handler; the same place on most "
        "failures means that neither chance nor another service decides."
    ),
    silence=(
        "The failing line reads the environment, the failures began when the environment was "
        "written, a package does not fit, the code never began (a failed cold start), or a more "
        "specific cause explains the failures. An exception of a kind that says nothing about the "
        "code is only a leaning."
    ),
    repair=None,
    runbook="code-bug",
    diagnose=_diagnose,
    explains=(RootCause.UNKNOWN,),
    reach=Reach.GENERAL,
)
