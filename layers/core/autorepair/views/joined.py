"""What people are told when an alarm stands while a change is watched: English, then Chinese."""

# ruff: noqa: RUF001 - Chinese is written with full-width punctuation

from __future__ import annotations

from autorepair.domain.change import Change
from autorepair.domain.incident import Incident
from autorepair.views.message import (
    LONGEST_SUBJECT,
    Message,
    described,
    environment_option,
    move_described,
)
from autorepair.views.texts import CHINESE, ENGLISH, Language

_RULE = "-" * 40
_ENGLISH = (
    "An alarm of a function stands whose repair is in place and still watched.",
    "The repair is looked at once an hour at least, and is taken back if it shows to do harm.",
    "You are told this once for each incident.",
    "Next: if it is worse off than before, abort the execution: then the change is taken back.",
)
_CHINESE = (
    "一个函数的告警处于触发状态，而该函数的修复已生效且仍在观察中。",
    "系统至少每小时检查一次该修复；一旦发现它造成损害，就会将其撤回。",
    "每个事件只发送一次此消息。",
    "下一步：如果函数的情况比修复前更糟，请中止该事件的执行：更改会被撤回。",
)


def joined_message(incident: Incident, open_incident_id: str, change: Change) -> Message:
    """Say which alarm of which incident stands, and what change is in place."""
    name = incident.subject.function_name
    subject = f"[Auto-Repair] alarm during a repair: {name}"
    body = "\n".join(
        [
            *_ENGLISH,
            *_facts(incident, open_incident_id, change, ENGLISH),
            "",
            _RULE,
            "",
            *_CHINESE,
            *_facts(incident, open_incident_id, change, CHINESE),
            "",
        ]
    )
    return Message(subject=subject[:LONGEST_SUBJECT], body=body)


def _facts(incident: Incident, open_incident_id: str, change: Change, words: Language) -> list[str]:
    labels, alarm = words.labels, incident.alarm
    arrow = f"{described(change.before, words)} -> {described(change.after, words)}"
    if change.release is not None:
        arrow += f"; {move_described(change.release, words)}"
    command = f"autorepair show {open_incident_id}{environment_option(incident.execution_arn)}"
    return [
        f"{labels['function']}: {incident.subject.function_name}",
        *([f"{labels['alarm']}: {alarm.name}"] if alarm else []),
        f"{labels['change']}: {arrow}",
        f"{labels['incident']}: {open_incident_id}",
        f"{labels['all']}: {command}",
    ]
