"""Environment variables: required ones that are not set."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from autorepair.causes.cause import Cause
from autorepair.causes.handled import as_failed
from autorepair.causes.input_words import is_identifier, is_of_input, without_quotes
from autorepair.causes.limits import reports_of, share_of_failures, weighed_down
from autorepair.causes.missing_words import (
    NOTHING,
    mentions,
    named,
    reads_environment,
    speaks_of_lack,
)
from autorepair.causes.onset import onset_with
from autorepair.causes.standing_values import has_worked
from autorepair.causes.troubles import Trouble, trouble_of
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
from autorepair.domain.evidence import Evidence, Invocation, LogLine, RecentChange

# Enough to ask a person, too little to act unattended.
_SUSPICION = 0.65
_HINTED = 0.78
# Too little to ask anybody for a change.
_HUNCH = 0.55
_DISPROVED = 0.5
_BY_REMOVAL = 0.88
# What is searched in one diagnosis, in characters; a text that was searched before costs nothing.
_MOST_TEXT = 2_000_000
# Nobody's code lacks more than this at once; who names more was told so by a stranger.
_MOST_NAMES = 10
_NEARLY_ALL = 0.8
_LEAST_WORD = 4
_WORD = re.compile(r"[a-z0-9]{4,60}")
_BETWEEN = 0.3
_MOSTLY = 0.6
# What another service says of itself, whatever it was called with.
_OTHERS_OWN = frozenset({Trouble.THROTTLED, Trouble.EXHAUSTED, Trouble.OVERDUE, Trouble.REFUSED})


@dataclass(slots=True)
class _Proof:
    """A variable that is missing, how sure that is, and the lines that say so."""

    name: str
    confidence: float
    lines: dict[str, LogLine] = field(default_factory=dict)


def _diagnose(evidence: Evidence) -> Finding | None:
    if evidence.configuration.is_env_unreadable:
        return None
    return _of_failures(evidence) or _of_handled(evidence)


def _of_handled(evidence: Evidence) -> Finding | None:
    """Find what is missing in calls that answered with an error of which Lambda knows nothing."""
    treated = as_failed(evidence)
    finding = None if treated is None else _of_failures(treated)
    if finding is None or not isinstance(finding.need, EnvironmentNeed):
        return None
    removed = {v.name for c in evidence.changes for v in c.variables if v.kind == "removed"}
    names = set(finding.need.names)
    if not names <= _declared_but_unset(evidence):
        return None
    most = _HINTED if names & removed else _SUSPICION
    return finding.model_copy(update={"confidence": min(finding.confidence, most)})


def _of_failures(evidence: Evidence) -> Finding | None:
    proofs = _few(_proofs(evidence), evidence)
    undone = _declared_but_unset(evidence)
    if not proofs:
        return _by_removal(evidence, undone) or _by_declaration(
            evidence, undone - _said_by_successes(evidence, undone)
        )
    others = _gone_with_them(evidence, undone, proofs)
    lines = {line.id: line for proof in proofs.values() for line in proof.lines.values()}
    share = share_of_failures(evidence, len(explained_by(evidence, lines.values())))
    best = max(proof.confidence for proof in proofs.values())
    if has_worked(evidence) and not any(reads_environment(words_of(li)) for li in lines.values()):
        # Calls went well without it, and nothing shows that it is the environment that is read.
        best = min(best, _DISPROVED)
    if not undone & set(proofs) and _comes_and_goes(evidence):
        best = min(best, _HUNCH)
    return Finding(
        cause=RootCause.MISSING_ENV_VAR,
        confidence=weighed_down(best, share),
        why=_why(proofs, others),
        cites=latest(lines.values()),
        need=EnvironmentNeed(names=tuple(sorted({*proofs, *others}))),
    )


def _comes_and_goes(evidence: Evidence) -> bool:
    """Whether calls succeed between the failures: what is not set is not set for any of them.

    A name in capitals may then as well be a field that an event lacks.
    """
    failed = evidence.failures
    began, ended = min(i.started_at for i in failed), max(i.started_at for i in failed)
    between = [
        i for i in evidence.invocations if i.status == "success" and began < i.started_at < ended
    ]
    return len(between) >= _BETWEEN * len(failed)


def _gone_with_them(evidence: Evidence, undone: set[str], proofs: Collection[str]) -> set[str]:
    """Give the other declared variables that are not set and ought to come along.

    Code fails on the first variable it misses; the others would fail one repair later. Where it is
    known which ones were removed lately, those that were never there are not what broke.
    """
    removed = {v.name for c in evidence.changes for v in c.variables if v.kind == "removed"}
    return undone & removed if removed & set(proofs) else undone


def _by_removal(evidence: Evidence, undone: set[str]) -> Finding | None:
    """Find the variables with whose removal the failures began, whatever the failures say."""
    for change in reversed(evidence.changes):
        is_set = evidence.configuration.env_names
        removed = {v.name for v in change.variables if v.kind == "removed"} - set(is_set)
        errors = _errors(evidence)
        if not removed or share_of_failures(evidence, len(errors)) < _NEARLY_ALL:
            continue
        onset = onset_with(evidence, change) if errors else None
        if onset is None or (_are_others(evidence) and not _spoken_of(evidence, removed)):
            continue
        # What else was changed with it may as well be what broke.
        is_alone = onset == "surely" and not change.settings
        is_telling = is_alone or _share_of_nothing(evidence) >= _NEARLY_ALL
        return _finding_by_removal(evidence, change, undone & removed or removed, sure=is_telling)
    return None


def _are_others(evidence: Evidence) -> bool:
    """Whether most failures tell of another service's trouble, which no variable brings about."""
    told = [
        any(trouble_of(words_of(line)) in _OTHERS_OWN for line in lines)
        for lines in last_words(evidence).values()
    ]
    return bool(told) and sum(told) >= _MOSTLY * len(told)


def _finding_by_removal(
    evidence: Evidence, change: RecentChange, names: set[str], *, sure: bool
) -> Finding:
    return Finding(
        cause=RootCause.MISSING_ENV_VAR,
        confidence=_BY_REMOVAL if sure else _HUNCH,
        why=(
            f"the failures began when {_listed(names)} was removed from the environment, and the "
            "function was healthy with it"
        ),
        cites=(change.id, *reports_of(_errors(evidence), most=4)),
        need=EnvironmentNeed(names=tuple(sorted(names))),
    )


def _by_declaration(evidence: Evidence, undone: set[str]) -> Finding | None:
    """Suspect the variables that ought to be set where errors, and nothing else, are seen.

    Where the failures speak of a value that is not there this is for a person to decide; where
    they speak of anything else it is no more than a hunch.
    """
    errors = _errors(evidence)
    if not undone or not errors or share_of_failures(evidence, len(errors)) < _NEARLY_ALL:
        return None
    if has_worked(evidence):
        return None
    spoken = _spoken_of(evidence, undone)
    is_told = _share_of_nothing(evidence) >= _NEARLY_ALL
    names = spoken if is_told and spoken else undone
    return Finding(
        cause=RootCause.MISSING_ENV_VAR,
        confidence=(_HINTED if spoken else _SUSPICION) if is_told else _HUNCH,
        why=(
            f"invocations fail{' for want of a value' if is_told else ''}, and {_listed(names)}, "
            "declared by the operator, is not set; the log does not name it"
        ),
        cites=reports_of(errors),
        need=EnvironmentNeed(names=tuple(sorted(names))),
    )


def _errors(evidence: Evidence) -> tuple[Invocation, ...]:
    return tuple(i for i in evidence.failures if i.status in {"error", "crash"})


def _share_of_nothing(evidence: Evidence) -> float:
    """Give the share of failures that speak of a value that is not there."""
    told = [
        any(_speaks_of_nothing(words_of(line)) for line in lines)
        for lines in last_words(evidence).values()
    ]
    return sum(told) / len(told) if told else 0.0


def _speaks_of_nothing(text: str) -> bool:
    return NOTHING.search(without_quotes(text)) is not None and not is_identifier(text)


def _spoken_of(evidence: Evidence, names: Iterable[str]) -> set[str]:
    """Give the names of which a word that is not plain stands in the last words of failures."""
    texts = {words_of(line)[:2000] for lines in last_words(evidence).values() for line in lines}
    said = set(_WORD.findall(" ".join(texts).lower()))
    return {
        name
        for name in names
        if any(len(word) >= _LEAST_WORD and word in said for word in name.lower().split("_"))
    }


def _proofs(evidence: Evidence) -> dict[str, _Proof]:
    """Find the missing variables in the lines of failed invocations and of cold starts."""
    is_set = set(evidence.configuration.env_names)
    declared = {variable.name for variable in evidence.declared}
    search = _Search(declared, _declared_but_unset(evidence))
    telling = {line.id for lines in last_words(evidence).values() for line in lines}
    proofs: dict[str, _Proof] = {}
    asides: list[LogLine] = []
    is_cleared = has_worked(evidence)
    for line in _witnesses(evidence):
        if line.request_id is not None and line.id not in telling:
            # Calls that went well lacked it too.
            asides.extend([] if is_cleared else [line])
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
    undone: set[str] = field(default_factory=set)
    left: int = _MOST_TEXT
    known: dict[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)

    def named(self, line: LogLine) -> tuple[tuple[str, float], ...]:
        text = words_of(line)
        if text not in self.known:
            if len(text) > self.left:
                return ()
            self.left -= len(text)
            self.known[text] = (*named(text, self.declared), *self._mentioned(text))
        return self.known[text]

    def _mentioned(self, text: str) -> Iterable[tuple[str, float]]:
        """Give the declared and unset variables that a text names where it tells of a lack."""
        if len(self.undone) > _MOST_NAMES or not speaks_of_lack(text) or is_identifier(text):
            return ()
        told = without_quotes(text)
        return (
            (name, 0.9)
            for name in sorted(self.undone)
            if mentions(told, name) and not is_of_input(text, name)
        )


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


def _declared_but_unset(evidence: Evidence) -> set[str]:
    """Give what the operator says must have a value and has none."""
    is_set = set(evidence.configuration.env_names)
    return {v.name for v in evidence.declared if v.kind != "absent" and v.name not in is_set}


def _why(proofs: dict[str, _Proof], unset: set[str]) -> str:
    named = _listed(proofs)
    why = f"the log of failed invocations names {named} as missing, and the function has no such "
    why += "variable" if len(proofs) == 1 else "variables"
    others = sorted(unset - set(proofs))
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
        "configuration has no variable of that name; or they began when a variable was removed."
    ),
    proof=(
        "The code itself says what it lacks, or the moment at which it began does, and the "
        "configuration confirms it; neither alone would do."
    ),
    silence=(
        "The variable is set (whatever its value), a KeyError comes from an ordinary dictionary, "
        "invocations that succeeded speak of it too, or the environment cannot be read."
    ),
    repair=RepairKind.SET_ENV,
    runbook="missing-env-var",
    diagnose=_diagnose,
    explains=(
        RootCause.CODE_BUG,
        RootCause.DOWNSTREAM_UNAVAILABLE,
        RootCause.CREDENTIALS_EXPIRED,
        RootCause.UNKNOWN,
    ),
)
