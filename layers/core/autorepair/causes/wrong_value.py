"""Environment variables that are set, but not to what the operator declared, and break the work."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from autorepair.causes.cause import Cause
from autorepair.causes.handled import as_failed
from autorepair.causes.input_words import is_identifier, is_of_input, without_quotes
from autorepair.causes.levels import is_information
from autorepair.causes.limits import reports_of, share_of_failures, weighed_down
from autorepair.causes.missing_words import LACKS
from autorepair.causes.onset import Onset, onset_with
from autorepair.causes.services import may_be_about
from autorepair.causes.standing_values import has_worked
from autorepair.causes.value_kinds import KINDS, UNUSABLE, WRONG, ValueKind
from autorepair.causes.witnesses import (
    explained_by,
    failing_lines,
    is_exception,
    last_words,
    latest,
    was_cut,
    witnesses,
    words_of,
)
from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import EnvironmentNeed, Finding, RootCause
from autorepair.domain.evidence import DeclaredVariable, Evidence, LogLine, RecentChange

_BY_NAME = 0.95
_BY_KIND = 0.85
_BY_CHANGE = 0.82
# Several variables of that kind could be meant, or anybody may have said it: a person decides.
_SUSPICION = 0.65
# Too little to ask anybody for a change.
_HUNCH = 0.55
_HANDLED = 0.7
_MOSTLY = 0.6
# What these are set to breaks nothing but by its own words.
_HARMLESS = re.compile(
    r"(?i)(?:^|_)(?:LOG|LEVEL|LOGLEVEL|DEBUG|VERBOSE|RELEASE|BUILD|SHA|COMMIT)(?:_|$)"
)
# Busy or down: another service says so itself, whatever address it was called by.
_BUSY = re.compile(
    r"(?i)throttl|too many requests|\b429\b|rate exceeded|slowdown|service unavailable"
    r"|bad gateway|gateway time-?out|\b50[234]\b|too many connections|no space left|out of memory"
    r"|read-only file system"
)
# Words of a variable's name that say nothing of what it is for.
_PLAIN_WORDS = frozenset(
    {
        "url", "uri", "name", "table", "key", "api", "aws", "id", "arn", "service", "prod", "app",
        "host", "port", "base", "path", "endpoint", "region", "queue", "topic", "bucket", "secret",
        "token", "timeout", "max", "min", "size", "level", "mode", "env", "file", "dir", "config",
        "lambda", "function", "default",
        "status", "page", "request", "response", "code",
        "data", "value", "type", "enabled", "use", "error", "http",
    }
)  # fmt: skip
_LEAST_WORD = 4


@dataclass(frozen=True, slots=True)
class _Proof:
    """The variables whose value does not work, and what tells it."""

    names: tuple[str, ...]
    lines: tuple[LogLine, ...]
    confidence: float
    how: str
    change: RecentChange | None = None


_Suspects = dict[str, DeclaredVariable]


def _diagnose(evidence: Evidence) -> Finding | None:
    if evidence.configuration.is_env_unreadable:
        return None
    if evidence.failures:
        return _of_failures(evidence)
    treated = as_failed(evidence)
    finding = None if treated is None or not evidence.changes else _of_failures(treated)
    if finding is None:
        return None
    # Lambda counts no error there, so it is the log's word alone.
    return finding.model_copy(update={"confidence": min(finding.confidence, _HANDLED)})


def _of_failures(evidence: Evidence) -> Finding | None:
    suspects = _suspects(evidence)
    ways = (_by_name, _by_kind, _by_change, _by_hearsay)
    proof = next((p for way in ways if (p := way(evidence, suspects)) is not None), None)
    return None if proof is None else _finding(evidence, proof, suspects)


def _finding(evidence: Evidence, proof: _Proof, suspects: _Suspects) -> Finding:
    if proof.lines:
        explained = len(explained_by(evidence, proof.lines))
        cites = latest(proof.lines)
    else:
        explained = len(evidence.failures)
        cites = reports_of(evidence.failures)
    if proof.change is not None:
        cites = (proof.change.id, *cites)
    return Finding(
        cause=RootCause.WRONG_ENV_VAR,
        confidence=weighed_down(proof.confidence, share_of_failures(evidence, explained)),
        why=_why(proof, suspects),
        cites=cites,
        need=EnvironmentNeed(names=proof.names),
        is_repairable=all(name in suspects for name in proof.names),
    )


def _suspects(evidence: Evidence) -> _Suspects:
    """Give the variables that are set and not known to be as declared."""
    is_set = set(evidence.configuration.env_names)
    return {
        v.name: v for v in evidence.declared if v.name in is_set and v.matches_current is not True
    }


def _by_name(evidence: Evidence, suspects: _Suspects) -> _Proof | None:
    """Find the variables that the failures name, or that their own source lines read."""
    cut, works = _cut(evidence), has_worked(evidence)
    named = {
        name: [
            line
            for line in witnesses(evidence, _accuses(variable, works=works))
            if line.request_id not in cut
        ]
        for name, variable in suspects.items()
    }
    return _named(named, _BY_NAME, "the failures name it, or fail where it is read")


def _cut(evidence: Evidence) -> set[str]:
    return {i.request_id for i in evidence.failures if was_cut(i)}


def _accuses(variable: DeclaredVariable, *, works: bool) -> Callable[[LogLine], bool]:
    is_named = _naming(variable.name)
    # It may be as declared, and calls went well with it: then nothing speaks against it.
    is_cleared = works and variable.matches_current is None

    def is_accusing(line: LogLine) -> bool:
        text = words_of(line)
        if is_cleared or not is_named(without_quotes(text)):
            return False
        if is_identifier(text) or is_of_input(text, variable.name):
            return False
        if LACKS.search(text):
            # It is set, so it is empty: no value that works would be said to be lacking.
            return True
        if variable.matches_current is None:
            # It may be as declared, so only what no value that works would lead to counts.
            return UNUSABLE.search(text) is not None
        return is_exception(line) or WRONG.search(text) is not None

    return is_accusing


def _by_hearsay(evidence: Evidence, suspects: _Suspects) -> _Proof | None:
    """Find the variables that are called wrong beside the exception: by whom, nobody knows."""
    if has_worked(evidence):
        return None
    cut = _cut(evidence)
    lines = [
        line
        for line in failing_lines(evidence)
        if line.request_id not in cut and not is_information(line)
    ]
    named = {
        name: [li for li in lines if _naming(name)(words_of(li)) and WRONG.search(words_of(li))]
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


def _by_kind(evidence: Evidence, suspects: _Suspects) -> _Proof | None:
    """Find what fails as it fails when a variable of some kind does not work."""
    if not suspects:
        return None
    lately = _lately_changed(evidence, suspects)
    proofs = [proof for kind in KINDS if (proof := _of_kind(evidence, suspects, kind, lately))]
    return max(proofs, key=lambda p: (len(p.lines), p.confidence), default=None)


def _of_kind(
    evidence: Evidence, suspects: _Suspects, kind: ValueKind, lately: dict[str, Onset]
) -> _Proof | None:
    if kind.is_steady and has_worked(evidence):
        return None
    names = [name for name in suspects if kind.name.search(name)]
    differing = [
        name
        for name in names
        if name in lately or (suspects[name].matches_current is False and not kind.needs_change)
    ]

    def is_telling(line: LogLine) -> bool:
        if is_information(line) and not is_exception(line):
            return False
        text = words_of(line)
        if kind.surely.search(text):
            return True
        return kind.possibly.search(text) is not None and bool(_fitting(differing, [text]))

    killed = {i.request_id for i in evidence.failures if i.status == "out_of_memory"}
    found = witnesses(evidence, is_telling) if names else []
    lines = [line for line in found if line.request_id not in killed]
    if not lines:
        return None
    texts = {words_of(line) for line in lines}
    if not set(names) & set(lately):
        names = _tied(evidence, names, texts)
        differing = [name for name in differing if name in names]
        if not names:
            return None
    differing, names = _fitting(differing, texts), _fitting(names, texts) or names
    # One that surely differs tells more than those of which it is not known.
    blamed = _narrowed(differing or names, lines, lately)
    is_known = any(suspects[name].matches_current is False for name in blamed)
    is_hard = any(kind.surely.search(words_of(line)) for line in lines)
    confidence = _BY_KIND if len(blamed) == 1 and (is_known or is_hard) else _SUSPICION
    if len(blamed) == 1 and lately.get(blamed[0]) == "surely":
        confidence = 0.92 if is_known else _BY_CHANGE
    how = "the failures are those of a value of this kind that does not work"
    return _Proof(blamed, tuple(lines), confidence, how)


def _tied(evidence: Evidence, names: list[str], texts: Iterable[str]) -> list[str]:
    """Keep the variables that something ties to the failures, where none was changed lately.

    Not so those beside which another variable is named, or with which calls went well, unless the
    texts hold a word of their name.
    """
    told = " ".join(text[:2000] for text in texts)
    low = told.lower()
    spoken = [name for name in names if any(word in low for word in _words(name))]
    if spoken:
        return spoken
    others = set(evidence.configuration.env_names) - set(names)
    is_another = any(
        _naming(name)(told) or any(word in low for word in _words(name)) for name in others
    )
    return [] if is_another or has_worked(evidence) else names


def _fitting(names: Iterable[str], texts: Iterable[str]) -> list[str]:
    """Keep the variables that may be what some text is about."""
    return [name for name in names if any(may_be_about(name, text) for text in texts)]


def _narrowed(
    names: Iterable[str], lines: Iterable[LogLine], lately: dict[str, Onset]
) -> tuple[str, ...]:
    """Keep the variables that the lines are about by their words, else those changed lately."""
    candidates = sorted(names)
    if len(candidates) < 2:  # noqa: PLR2004 - one is the only one
        return tuple(candidates)
    text = " ".join({words_of(line)[:2000] for line in lines}).lower()
    spoken = [n for n in candidates if any(word in text for word in _words(n))]
    fresh = [n for n in spoken or candidates if n in lately]
    return tuple(fresh or spoken or candidates)


def _words(name: str) -> list[str]:
    found = [word for word in name.lower().split("_") if len(word) >= _LEAST_WORD]
    return [word for word in found if word not in _PLAIN_WORDS]


def _lately_changed(evidence: Evidence, suspects: _Suspects) -> dict[str, Onset]:
    """Give the variables that were written in a change with which the failures began.

    Any of them may have been where it is not told which.
    """
    found: dict[str, Onset] = {}
    for change in evidence.changes:
        names = [v.name for v in change.variables if v.kind != "removed"]
        if change.writes_environment and not change.variables:
            names = list(suspects)
        onset = onset_with(evidence, change) if names else None
        if onset is not None:
            found.update(dict.fromkeys(names, onset))
    return found


def _by_change(evidence: Evidence, suspects: _Suspects) -> _Proof | None:
    """Find the variables with whose change the failures began, whatever the failures say."""
    if _is_busy(evidence):
        return None
    for change in reversed(evidence.changes):
        changed = [v.name for v in change.variables if v.kind != "removed"]
        if changed and onset_with(evidence, change) == "surely":
            return _proof_by_change(evidence, change, changed, suspects)
    return None


def _proof_by_change(
    evidence: Evidence, change: RecentChange, changed: list[str], suspects: _Suspects
) -> _Proof | None:
    known = {v.name for v in evidence.declared}
    candidates = [n for n in changed if n in suspects and not _HARMLESS.search(n)]
    differing = [n for n in candidates if suspects[n].matches_current is False]
    undeclared = [n for n in changed if n not in known and not _HARMLESS.search(n)]
    lines = [line for lines in last_words(evidence).values() for line in lines]
    blamed = _narrowed(differing or candidates or undeclared, lines, {})
    if not blamed:
        return None
    is_clear = bool(differing) and len(blamed) == 1
    confidence = _BY_CHANGE if is_clear else _SUSPICION
    if change.settings:
        # What else was changed with it may as well be what broke.
        confidence = _HUNCH
    how = "the failures began when it was changed, and the function was healthy until then"
    return _Proof(blamed, (), confidence, how, change)


def _is_busy(evidence: Evidence) -> bool:
    told = [
        any(_BUSY.search(words_of(line)) for line in lines)
        for lines in last_words(evidence).values()
    ]
    return sum(told) >= _MOSTLY * len(told)


def _why(proof: _Proof, suspects: _Suspects) -> str:
    told = [
        _told(suspects[name]) if name in suspects else f"{name} was written, and is not declared"
        for name in proof.names
    ]
    return f"{'; '.join(told)}; {proof.how}"


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
        "and failures name it, fail where it is read, fail as a value of its kind does (a URL that "
        "cannot be parsed, a host or table that does not exist, a number that is none), or began "
        "when it was changed."
    ),
    proof=(
        "The operator's declaration says that the value is wrong, and the log, or the moment at "
        "which it began, says that it is this that breaks the work; neither alone would do."
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
        RootCause.NETWORK_UNREACHABLE,
        RootCause.PERMISSION_DENIED,
        RootCause.CREDENTIALS_EXPIRED,
        RootCause.DEPENDENCY_MISSING,
        RootCause.HANDLER_MISCONFIGURED,
        RootCause.FILE_PERMISSION,
        RootCause.CODE_BUG,
        RootCause.POISON_EVENT,
        RootCause.DOWNSTREAM_SLOW,
        RootCause.INIT_TIMEOUT,
        RootCause.CPU_STARVED,
        RootCause.MEMORY_EXHAUSTED,
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.UNKNOWN,
    ),
)
