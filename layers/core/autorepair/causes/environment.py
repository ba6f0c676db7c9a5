"""Environment variables: required ones that are not set."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from autorepair.causes.cause import Cause
from autorepair.causes.limits import reports_of, share_of_failures, weighed_down
from autorepair.causes.witnesses import (
    explained_by,
    failing_lines,
    last_words,
    latest,
    was_cut,
    words_of,
)
from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import EnvironmentNeed, Finding, RootCause
from autorepair.domain.evidence import Evidence, LogLine

# Bounded, and begun at a word's start only: log lines are written by strangers too, and a search
# must not take longer for a long one than its length.
_NAME = r"[\"'`]?(?<![A-Za-z0-9_])([A-Z][A-Z0-9_]{0,126}[A-Z0-9])(?![A-Za-z0-9_])[\"'`]?"
_BARE = r"(?<![A-Za-z0-9_])([A-Z][A-Z0-9_]{2,127})(?![A-Za-z0-9_])"
# Enough to ask a person, too little to act unattended.
_SUSPICION = 0.65
# What is searched in one diagnosis, in characters; a text that was searched before costs nothing.
_MOST_TEXT = 2_000_000
# Nobody's code lacks more than this at once; who names more was told so by a stranger.
_MOST_NAMES = 10
_NEARLY_ALL = 0.8
_LACK = (
    r"(?i:(?:is|was|are)(?: not|n't) (?:set|defined|found|configured|provided|present|specified)"
    r"|(?:is|was) (?:missing|required|undefined|unset|empty|null|mandatory|absent)"
    r"|not (?:set|found|defined|configured|provided|specified)|must be (?:set|defined|provided)"
    r"|(?:is )?required|missing(?: value)?|undefined|未设置|缺失|未定义|不存在)"
)
_VARIABLE = r"(?i:env(?:ironment)?[ _-]?var(?:iable)?s?|env(?:ironment)? key|环境变量)"
_MISSING = r"(?i:missing|required|undefined|unset|no|缺少)"
_ARTICLE = r"(?i: (?:required|mandatory|the|value for)){0,3}"

# An error that says which key was not there; only the traceback tells in which dictionary.
_KEY_ERRORS = (
    re.compile(r"KeyError: [\"']([A-Z_][A-Z0-9_]*)[\"']"),
    re.compile(r"KeyError: key not found: \"([A-Z_][A-Z0-9_]*)\""),
)
# The message says that it is about the environment.
_NAMED_AS_VARIABLE = (
    re.compile(rf"{_VARIABLE}:? {_NAME}.{{0,20}}?{_LACK}"),
    re.compile(rf"{_MISSING}{_ARTICLE} ?{_VARIABLE}:? ?{_NAME}"),
    re.compile(rf"(?i:set|define|provide|export)(?: the)? {_NAME} {_VARIABLE}"),
    re.compile(rf"{_NAME} {_VARIABLE} .{{0,20}}?{_LACK}"),
    re.compile(rf"{_NAME} not found\. Declare it as envvar"),
    re.compile(rf"process\.env\.{_BARE} .{{0,20}}?{_LACK}"),
)
# The message says that a name that looks like a variable is lacking.
_LACKING = (
    re.compile(rf"required key {_BARE} missing value"),
    re.compile(rf"{_BARE}[\"'`]?:? {_LACK}"),
    re.compile(rf"Could not resolve placeholder '{_BARE}'"),
    re.compile(rf"(?:[Mm]issing|[Rr]equired)(?: required)?:? {_BARE}"),
)
# A settings class of pydantic: the field's name on its own line.
_SETTINGS = re.compile(r"validation errors? for \w*(?:Settings|Config|Env)\w*", re.IGNORECASE)
_FIELD_REQUIRED = re.compile(r"(?:^|\n)([A-Za-z]\w{2,127})\r?\n\s+[Ff]ield required")
# Source lines in a stack trace that read a variable and go on without it.
_READ_WITH_DEFAULT = re.compile(
    r"(?:os\.getenv\(|os\.environ\.get\(|environ\.get\(|System\.getenv\(|Getenv\(|ENV\[|"
    r"ENV\.fetch\(|process\.env\.|process\.env\[)[\"']?([A-Z_][A-Z0-9_]*)"
)
_ENVIRONMENT_READ = re.compile(r"environ\b|<frozen os>|/os\.py\"|getenv|ENV(?:\[|\.fetch)|:ENV:")


@dataclass(slots=True)
class _Proof:
    """A variable that is missing, how sure that is, and the lines that say so."""

    name: str
    confidence: float
    lines: dict[str, LogLine] = field(default_factory=dict)


def _diagnose(evidence: Evidence) -> Finding | None:
    if evidence.configuration.is_env_unreadable:
        return None
    proofs = _few(_proofs(evidence), evidence)
    undone = _declared_but_unset(evidence)
    if not proofs:
        return _by_declaration(evidence, undone - _said_by_successes(evidence, undone))
    names = tuple(sorted({*proofs, *undone}))
    lines = {line.id: line for proof in proofs.values() for line in proof.lines.values()}
    share = share_of_failures(evidence, len(explained_by(evidence, lines.values())))
    best = max(proof.confidence for proof in proofs.values())
    return Finding(
        cause=RootCause.MISSING_ENV_VAR,
        confidence=weighed_down(best, share),
        why=_why(proofs, undone),
        cites=latest(lines.values()),
        need=EnvironmentNeed(names=names),
    )


def _by_declaration(evidence: Evidence, undone: set[str]) -> Finding | None:
    """Suspect the variables that ought to be set where errors, and nothing else, are seen.

    Nothing in the log names them, so this is for a person to decide.
    """
    errors = [i for i in evidence.failures if i.status in {"error", "crash"}]
    if not undone or not errors or share_of_failures(evidence, len(errors)) < _NEARLY_ALL:
        return None
    return Finding(
        cause=RootCause.MISSING_ENV_VAR,
        confidence=_SUSPICION,
        why=(
            f"invocations fail, and {_listed(undone)}, declared by the operator, is not "
            "set; the log does not say that this is why"
        ),
        cites=reports_of(tuple(errors)),
        need=EnvironmentNeed(names=tuple(sorted(undone))),
    )


def _proofs(evidence: Evidence) -> dict[str, _Proof]:
    """Find the missing variables in the lines of failed invocations and of cold starts."""
    is_set = set(evidence.configuration.env_names)
    declared = {variable.name for variable in evidence.declared}
    search = _Search(declared)
    telling = {line.id for lines in last_words(evidence).values() for line in lines}
    proofs: dict[str, _Proof] = {}
    asides: list[LogLine] = []
    for line in _witnesses(evidence):
        if line.request_id is not None and line.id not in telling:
            asides.append(line)
            continue
        for name, confidence in search.named(line):
            _add(proofs, name, confidence, line)
    for line in asides:
        # Beside the exception that ended it an invocation prints what strangers sent it.
        for name, confidence in search.named(line):
            if name in declared:
                _add(proofs, name, min(confidence, _SUSPICION), line)
    harmless = _said_by_successes(evidence, proofs)
    return {
        name: proof
        for name, proof in proofs.items()
        if name not in is_set and name not in _NOT_VARIABLES and name not in harmless
    }


@dataclass(slots=True)
class _Search:
    """Searches lines for names, each text once, and no more text than is worth it."""

    declared: set[str]
    left: int = _MOST_TEXT
    known: dict[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)

    def named(self, line: LogLine) -> tuple[tuple[str, float], ...]:
        text = words_of(line)
        if text not in self.known:
            if len(text) > self.left:
                return ()
            self.left -= len(text)
            self.known[text] = tuple(_named(text, self.declared))
        return self.known[text]


def _add(proofs: dict[str, _Proof], name: str, confidence: float, line: LogLine) -> None:
    proof = proofs.setdefault(name, _Proof(name, confidence))
    proof.confidence = max(proof.confidence, confidence)
    proof.lines[line.id] = line


def _witnesses(evidence: Evidence) -> list[LogLine]:
    """Leave out the lines of invocations that were cut or killed: they got past what they lack."""
    errors = [i for i in evidence.failures if not was_cut(i)]
    requests = {i.request_id for i in errors}
    streams = {i.stream for i in errors}
    return [
        line
        for line in failing_lines(evidence)
        if line.request_id in requests or (line.request_id is None and line.stream in streams)
    ]


def _said_by_successes(evidence: Evidence, names: Collection[str]) -> set[str]:
    """Give those of the names that invocations which succeeded found lacking as well."""
    if not names:
        return set()
    succeeded = {i.request_id for i in evidence.invocations if i.status == "success"}
    search = _Search({variable.name for variable in evidence.declared})
    return {
        name
        for line in evidence.log_lines
        if line.request_id in succeeded and any(name in line.message for name in names)
        for name, _ in search.named(line)
        if name in names
    }


def _few(proofs: dict[str, _Proof], evidence: Evidence) -> dict[str, _Proof]:
    """Keep what the operator knows of where more names are told than any function lacks."""
    if len(proofs) <= _MOST_NAMES:
        return proofs
    declared = {variable.name for variable in evidence.declared}
    return {name: proof for name, proof in proofs.items() if name in declared}


def _named(text: str, declared: set[str]) -> Iterator[tuple[str, float]]:
    """Give each variable that a line says is lacking, with how much that line proves."""
    yield from _named_by_key_error(text, declared)
    yield from ((name, 0.92) for name in _found(_NAMED_AS_VARIABLE, text))
    for name in _found(_LACKING, text):
        if name in declared:
            yield name, 0.92
        elif "_" in name:
            yield name, 0.85
    if _SETTINGS.search(text):
        yield from _named_by_settings(text, declared)
    if "\n" in text:
        # Read with a default, so only the operator's declaration says that it is required.
        yield from ((n, 0.85) for n in _READ_WITH_DEFAULT.findall(text) if n in declared)


def _found(patterns: tuple[re.Pattern[str], ...], text: str) -> Iterator[str]:
    for pattern in patterns:
        yield from pattern.findall(text)


def _named_by_key_error(text: str, declared: set[str]) -> Iterator[tuple[str, float]]:
    # Where the traceback shows the environment being read nothing else can have failed.
    reads_environment = _ENVIRONMENT_READ.search(text) is not None
    for name in _found(_KEY_ERRORS, text):
        if reads_environment:
            yield name, 0.95
        elif name in declared:
            yield name, 0.85


def _named_by_settings(text: str, declared: set[str]) -> Iterator[tuple[str, float]]:
    for found in _FIELD_REQUIRED.findall(text):
        name = found.upper()
        if name in declared or found == name:
            yield name, 0.92


def _declared_but_unset(evidence: Evidence) -> set[str]:
    """Give what the operator says must have a value and has none.

    Code fails on the first variable it misses; the others would fail one repair later.
    """
    is_set = set(evidence.configuration.env_names)
    return {v.name for v in evidence.declared if v.kind != "absent" and v.name not in is_set}


def _why(proofs: dict[str, _Proof], undone: set[str]) -> str:
    named = _listed(proofs)
    why = f"the log of failed invocations names {named} as missing, and the function has no such "
    why += "variable" if len(proofs) == 1 else "variables"
    others = sorted(undone - set(proofs))
    if others:
        why += f"; declared by the operator and not set either: {_listed(others)}"
    return why


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = len(ordered) - _MOST_NAMES
    return ", ".join(ordered[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


# Words in capitals that messages put before "is required" or "not found" and that name no variable.
_NOT_VARIABLES = frozenset({"HTTP_404", "NOT_FOUND", "ERROR", "WARNING", "INFO", "DEBUG", "FATAL"})

MISSING_ENV_VAR = Cause(
    label=RootCause.MISSING_ENV_VAR,
    signal=(
        "Failed invocations, or failed cold starts, name a variable as missing, and the function's "
        "configuration has no variable of that name."
    ),
    proof=(
        "The code itself says what it lacks, and the configuration confirms it; neither alone "
        "would do."
    ),
    silence=(
        "The variable is set (whatever its value), a KeyError comes from an ordinary dictionary, "
        "invocations that succeeded speak of it too, or the environment cannot be read."
    ),
    repair=RepairKind.SET_ENV,
    runbook="missing-env-var",
    diagnose=_diagnose,
    explains=(RootCause.CODE_BUG, RootCause.UNKNOWN),
)
