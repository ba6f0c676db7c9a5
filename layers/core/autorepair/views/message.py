"""The messages that people get: one plain text, in English and then in Chinese."""

from __future__ import annotations

import re
from dataclasses import dataclass

from autorepair.domain.change import (
    Absent,
    AliasMove,
    AliasSetting,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
    VariableSource,
)
from autorepair.domain.course import Course
from autorepair.domain.diagnosis import Diagnosis, RootCause
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.failure import Undo
from autorepair.domain.incident import Incident, Outcome
from autorepair.domain.value import Instant
from autorepair.domain.verification import Verification
from autorepair.views.answer_told import answer_line, asked_again_line, moment_told
from autorepair.views.cost import cost_in_words
from autorepair.views.evidence_text import shares_between
from autorepair.views.patch import permanent_snippet
from autorepair.views.plain_text import one_line
from autorepair.views.texts import CHINESE, ENGLISH, Language

LONGEST_SUBJECT = 99
"""SNS takes ASCII subjects of fewer than 100 characters without control characters."""
LONGEST_TEXT = 1000
MOST_CITES = 5
PLAN_HASH_SHOWN = 12
BY_HAND = frozenset(
    {Outcome.ESCALATED, Outcome.ROLLED_BACK, Outcome.REJECTED, Outcome.EXPIRED, Outcome.UNVERIFIED}
)
"""Outcomes after which a person has to do something about the cause."""
_RULE = "-" * 40
_DEPLOYMENT = re.compile(r":execution:lambda-auto-repair-(dev|staging|prod):")


@dataclass(frozen=True)
class Message:
    """A subject that SNS takes, and a plain text body."""

    subject: str
    body: str


def result_message(
    course: Course, outcome: Outcome, *, answered_at: Instant | None = None
) -> Message:
    """Say how an incident ended, why, who answered and when, and what is left to do."""
    name = _function_name(course.incident)
    cause = course.diagnosis.root_cause.value if course.diagnosis else "no diagnosis"
    return Message(
        subject=_subject(f"[Auto-Repair] {outcome.value}: {name} ({cause})"),
        body=_bilingual(
            *(_result_lines(course, outcome, words, answered_at) for words in (ENGLISH, CHINESE))
        ),
    )


def approval_message(
    course: Course, link: str | None = None, *, until: Instant | None = None
) -> Message:
    """Ask whether the planned change may be made, and say how to answer.

    ``link`` is the URL of the approval page, None where there is none; ``until`` is when the
    question expires. A question that comes again says so: it looks like the one before.
    """
    again = " again" if asked_again_line(course, ENGLISH) else ""
    environment = _environment(course.incident.execution_arn)
    place = f" ({environment})" if environment else ""
    asked = f"approval needed{again}{place}: {_function_name(course.incident)}"
    return Message(
        subject=_subject(f"[Auto-Repair] {asked}"),
        body=_bilingual(
            *(_approval_lines(course, words, link, until) for words in (ENGLISH, CHINESE))
        ),
    )


def failure_message(
    incident: Incident | None, *, error: str, undo: Undo, reason: str, is_aborted: bool = False
) -> Message:
    """Say that the service itself failed, and what became of its change.

    With ``is_aborted`` a person stopped the execution, which is no fault of the service.
    """
    name = _function_name(incident) if incident else ENGLISH.labels["unknown_function"]
    is_left = undo in {"undo_failed", "handed_over"}
    kind = "stopped by hand" if is_aborted else "failed"
    loud = f"{kind.upper()}, CHECK NOW" if is_left else kind
    return Message(
        subject=_subject(f"[Auto-Repair] {loud}: {name}"),
        body=_bilingual(
            *(
                [
                    words.labels["aborted"] if is_aborted else words.headlines[Outcome.FAILED],
                    words.undo[undo],
                    _line(words, "change", reason),
                    _line(words, "error", error),
                    *_after_failure(words, is_aborted=is_aborted and not is_left),
                    *_incident_lines(incident, words),
                ]
                for words in (ENGLISH, CHINESE)
            )
        ),
    )


def _after_failure(words: Language, *, is_aborted: bool) -> list[str]:
    told = words.labels["aborted_next"] if is_aborted else words.next_steps[Outcome.FAILED]
    return [_line(words, "next", told)]


def described(setting: Setting, words: Language = ENGLISH) -> str:
    """Say a setting in words, without any value of a variable."""
    match setting:
        case TimeoutSetting():
            return f"{words.labels['timeout']} {setting.timeout_s} s"
        case MemorySetting():
            return f"{words.labels['memory']} {setting.memory_mb} MB"
        case EphemeralStorageSetting():
            return f"{words.labels['storage']} {setting.ephemeral_storage_mb} MB"
        case ReservedConcurrencySetting(reserved_concurrency=reserved):
            executions = words.labels["absent"] if reserved is None else reserved
            return f"{words.labels['reserved']} {executions}"
        case AliasSetting():
            alias = f"{words.labels['alias']} {setting.alias}"
            return f"{alias}: {words.labels['version']} {setting.version}"
        case EnvironmentSetting():
            return ", ".join(
                f"{name}: {_source(source, words)}"
                for name, source in sorted(setting.variables.items())
            )


def _source(source: VariableSource, words: Language) -> str:
    if isinstance(source, DeclaredSource):
        return words.labels["declared"]
    return words.labels["absent" if isinstance(source, Absent) else "sealed"]


def _result_lines(
    course: Course, outcome: Outcome, words: Language, answered_at: Instant | None
) -> list[str]:
    return [
        words.headlines[outcome],
        *answer_line(course, words, answered_at),
        *_diagnosis_lines(course, words),
        *_decision_lines(course, words),
        *_change_lines(course, words),
        *_verification_lines(course.verification, words),
        *([_line(words, "rollback", course.rollback.reason)] if course.rollback else []),
        _line(words, "next", words.next_steps[outcome]),
        *(_remedy_lines(course, words) if outcome in BY_HAND else []),
        *_permanent_lines(course.kept_change, course.incident, words),
        *_permanent_lines(course.may_stand, course.incident, words, label="if_it_stands"),
        *_incident_lines(course.incident, words, course.evidence),
    ]


def _approval_lines(
    course: Course, words: Language, link: str | None, until: Instant | None
) -> list[str]:
    decision = course.decision
    command = _answer_of(course)
    span = _span(decision.approval_timeout_s if decision else 0, words)
    moment = f" ({words.labels['until']} {moment_told(until)})" if until else ""
    return [
        *asked_again_line(course, words),
        words.labels["asking"],
        *(
            [_line(words, "change", _arrow(decision.change, words))]
            if decision and decision.change
            else []
        ),
        *_diagnosis_lines(course, words),
        *_decision_lines(course, words),
        # Not cut as other lines are: half a link leads nowhere.
        *([f"{words.labels['page']}: {link}"] if link else []),
        f"{words.labels['or_answer' if link else 'answer']}:",
        f"  autorepair approve {command}",
        f"  autorepair reject {command}",
        f"{words.labels['expires']}: {span}{moment}",
        *_incident_lines(course.incident, words, course.evidence),
    ]


def _answer_of(course: Course) -> str:
    """Give the command's arguments: they name the plan, so that no other can be answered."""
    plan_hash = course.decision.plan_hash if course.decision else None
    plan = f" --plan {plan_hash[:PLAN_HASH_SHOWN]}" if plan_hash else ""
    return f"{course.incident.id}{plan}{environment_option(course.incident.execution_arn)}"


def environment_option(execution_arn: str) -> str:
    """Give the option by which a command finds the deployment that an execution belongs to."""
    environment = _environment(execution_arn)
    return f" --env {environment}" if environment else ""


def _environment(execution_arn: str) -> str | None:
    found = _DEPLOYMENT.search(execution_arn)
    return found[1] if found else None


def _span(seconds: int, words: Language) -> str:
    units = ((3600, "hour"), (60, "minute"), (1, "second"))
    length, label = next((unit for unit in units if seconds >= unit[0]), units[-1])
    count = f"{round(seconds / length, 1):g}"
    return f"{count} {words.labels[label if count == '1' else f'{label}s']}"


def _measured(diagnosis: Diagnosis, words: Language) -> str:
    interval = diagnosis.confidence_interval
    return f"{words.labels['measured']} {shares_between(interval)}" if interval else ""


def _diagnosis_lines(course: Course, words: Language) -> list[str]:
    diagnosis, evidence = course.diagnosis, course.evidence
    if diagnosis is None:
        return []
    lines = [
        _line(
            words,
            "cause",
            f"{words.causes[diagnosis.root_cause]} [{diagnosis.root_cause.value}], "
            f"{words.labels['confidence']} {diagnosis.confidence:.0%}"
            f"{_measured(diagnosis, words)}",
        ),
        _line(words, "why", diagnosis.why),
    ]
    if diagnosis.quotes:
        lines += [words.labels["quotes"], *(f"  | {_cut(quote)}" for quote in diagnosis.quotes)]
    elif diagnosis.cites:
        cited = ", ".join(diagnosis.cites[:MOST_CITES])
        more = len(diagnosis.cites) - MOST_CITES
        lines.append(_line(words, "evidence", f"{cited} (+{more})" if more > 0 else cited))
    if evidence is not None and evidence.gaps:
        lines.append(_line(words, "gaps", ", ".join(sorted({g.source for g in evidence.gaps}))))
    return lines


def _remedy_lines(course: Course, words: Language) -> list[str]:
    """Give what its runbook says to change, and where to read on."""
    if course.diagnosis is None:
        return []
    cause = course.diagnosis.root_cause
    lines = [_line(words, "remedy", words.remedies[cause])]
    if cause is not RootCause.UNKNOWN:
        lines.append(_line(words, "runbook", f"knowledge/{cause.value.replace('_', '-')}.md"))
    return lines


def _decision_lines(course: Course, words: Language) -> list[str]:
    decision = course.decision
    if decision is None:
        return []
    lines = [_line(words, "decision", f"{decision.action}: {decision.reason}")]
    if decision.refusal is not None and decision.refusal.why != decision.reason:
        lines.append(_line(words, "withheld", decision.refusal.why))
    if decision.cost is not None:
        lines.append(_line(words, "cost", cost_in_words(decision.cost, words)))
    return lines


def _change_lines(course: Course, words: Language) -> list[str]:
    record, kept = course.change, course.kept_change
    lines = [] if kept is None else [_line(words, "change", _arrow(kept, words))]
    lines += [] if record is None else [_line(words, "note", note) for note in record.notes]
    is_overtaken = record is not None and record.status == "stale"
    if record is not None and record.status != "applied":
        label = "overtaken" if is_overtaken else "withheld"
        told = record.reason if is_overtaken else f"{record.status}: {record.reason}"
        planned = f" ({_arrow(record.change, words)})" if record.change else ""
        lines.append(_line(words, label, f"{told}{planned}"))
    decided = course.decision.change if course.decision else None
    if (record is None or is_overtaken) and decided is not None:
        lines.append(_line(words, "withheld", _arrow(decided, words)))
    handed_over = course.handed_over
    if handed_over is not None:
        lines += [_line(words, "change", _arrow(handed_over, words)), words.undo["handed_over"]]
    if course.rollback is not None:
        label = "change" if handed_over is None else "withheld"
        lines.append(_line(words, label, _arrow(course.rollback.change, words)))
    return lines


def _verification_lines(verification: Verification | None, words: Language) -> list[str]:
    if verification is None:
        return []
    before, after = verification.before, verification.after
    failed = words.labels["failed_of"]
    return [
        _line(words, "verification", f"{verification.verdict.value}: {verification.reason}"),
        f"  {words.labels['before']}: {before.failures} {failed} {before.invocations}",
        f"  {words.labels['after']}: {after.failures} {failed} {after.invocations}",
    ]


def _permanent_lines(
    kept: Change | None, incident: Incident, words: Language, *, label: str = "permanent"
) -> list[str]:
    if kept is None:
        return []
    snippet = [f"  {line}" for line in permanent_snippet(kept)]
    command = f"autorepair show {incident.id} --patch{environment_option(incident.execution_arn)}"
    return [
        f"{words.labels[label]}:",
        *snippet,
        _line(words, "patch", command),
    ]


def _incident_lines(
    incident: Incident | None, words: Language, evidence: EvidenceSummary | None = None
) -> list[str]:
    if incident is None:
        return []
    lines = [_line(words, "function", _function_name(incident))]
    if (environment := _environment(incident.execution_arn)) is not None:
        lines.append(_line(words, "environment", environment))
    if (target := incident.target) is not None:
        place = f"{target.account_id}, {target.region}"
        lines += [_line(words, "arn", target.function_arn), _line(words, "account", place)]
    if evidence is not None and evidence.log_group is not None:
        lines.append(_line(words, "log_group", evidence.log_group))
    if incident.alarm is not None:
        lines.append(_line(words, "alarm", incident.alarm.name))
    shown = f"{incident.id}{' --evidence' if evidence else ''}"
    shown += environment_option(incident.execution_arn)
    return [
        *lines,
        _line(words, "incident", incident.id),
        _line(words, "all", f"autorepair show {shown}"),
    ]


def _arrow(change: Change, words: Language) -> str:
    arrow = f"{described(change.before, words)} -> {described(change.after, words)}"
    return arrow if change.release is None else f"{arrow}; {move_described(change.release, words)}"


def move_described(move: AliasMove, words: Language = ENGLISH) -> str:
    """Say from which version to which one an alias goes, and which aliases are left behind."""
    labels = words.labels
    start, end = (
        labels["new_version"] if version is None else f"{labels['version']} {version}"
        for version in (move.start, move.end)
    )
    told = f"{labels['alias']} {move.alias}: {start} -> {end}"
    if not move.staying or move.is_back:
        return told
    return f"{told} ({labels['staying']} {move.former}: {', '.join(move.staying)})"


def _function_name(incident: Incident) -> str:
    target = incident.target
    return target.function_name if target else ENGLISH.labels["unknown_function"]


def _line(words: Language, label: str, text: str) -> str:
    return f"{words.labels[label]}: {_cut(text)}"


def _cut(text: str) -> str:
    return one_line(text, LONGEST_TEXT)


def _bilingual(english: list[str], chinese: list[str]) -> str:
    return "\n".join([*english, "", _RULE, "", *chinese, ""])


def _subject(text: str) -> str:
    printable = "".join(c for c in text if c.isascii() and c.isprintable())
    return printable[:LONGEST_SUBJECT]
