"""What people are told of a repair after its incident: put back, or still outside the template."""
# ruff: noqa: RUF001 - Chinese is written with full-width punctuation

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.watched import Drift, WatchedRepair
from autorepair.views.message import (
    LONGEST_SUBJECT,
    Message,
    described,
    environment_option,
    move_described,
)
from autorepair.views.patch import owner_of, patch_of
from autorepair.views.texts import CHINESE, ENGLISH, Language

_RULE = "-" * 40


@dataclass(frozen=True)
class _Words:
    """What only these messages say."""

    reverted: str
    reverted_next: str
    unadopted: str
    unadopted_next: str
    repair: str
    now: str
    by: str
    unknown_by: str
    at: str
    days: str
    deployed: str
    left_alone: str
    gathered: str
    gathered_next: str
    patch: str


_ENGLISH = _Words(
    reverted="Put back: a repair was undone, most likely by a deployment of the old template.",
    reverted_next="Put the lines below into the template. Until then the failure may come back; "
    "if it does, its alarm opens a new incident.",
    unadopted="Reminder: a repair still lives outside the template it is deployed from.",
    unadopted_next="Put the lines below into the template, or the next deployment that touches "
    "the function puts the old value back. There is no further reminder.",
    repair="The repair",
    now="It is now",
    by="Changed by",
    unknown_by="not known (CloudTrail does not tell, or not yet)",
    at="Changed at",
    days="Days since the repair",
    deployed="Its stack was updated last at",
    left_alone="after the repair, without writing the setting: the old value may still be in it",
    gathered="Put back: {count} repairs were undone, most likely by one deployment of old "
    "templates.",
    gathered_next="Put what was repaired into the templates; its command prints the lines of each. "
    "Until then the failures may come back; where one does, its alarm opens a new incident.",
    patch="its lines",
)
_CHINESE = _Words(
    reverted="已被改回：一项修复被撤销，很可能是用旧模板重新部署所致。",
    reverted_next="请把下面的内容写入模板。在此之前故障可能再次出现；若再次出现，告警会开启新的事件。",
    unadopted="提醒：一项修复仍未写入部署所用的模板。",
    unadopted_next="请把下面的内容写入模板，否则下一次涉及该函数的部署会恢复旧值。此后不再提醒。",
    repair="修复内容",
    now="当前值",
    by="修改者",
    unknown_by="未知（CloudTrail 没有记录，或尚未记录）",
    at="修改时间",
    days="修复后天数",
    deployed="所属堆栈最近一次更新于",
    left_alone="在修复之后，但没有写入该设置：模板中可能仍是旧值",
    gathered="已被改回：{count} 项修复被撤销，很可能是用旧模板部署一次所致。",
    gathered_next="请把修复内容写入模板，每项的内容可用其命令打印。"
    "在此之前故障可能再次出现；若再次出现，告警会开启新的事件。",
    patch="其内容",
)
_BOTH = ((ENGLISH, _ENGLISH), (CHINESE, _CHINESE))


def reverted_message(
    watched: WatchedRepair, drift: Drift, configuration: FunctionConfiguration | None
) -> Message:
    """Say that a repair was put back, by whom and when, and what makes it permanent."""
    return Message(
        subject=_subject("put back", watched),
        body=_bilingual(
            *(
                [
                    words.reverted,
                    *_repair_lines(watched, language, words),
                    *([f"{words.now}: {drift.now}"] if drift.now else []),
                    f"{words.by}: {drift.by or words.unknown_by}",
                    *([f"{words.at}: {drift.at:%Y-%m-%d %H:%M:%S} UTC"] if drift.at else []),
                    f"{language.labels['next']}: {words.reverted_next}",
                    *_permanent_lines(watched, configuration, language),
                    *_incident_lines(watched, language),
                ]
                for language, words in _BOTH
            )
        ),
    )


def gathered_message(found: Sequence[tuple[WatchedRepair, Drift]]) -> Message:
    """Say of several repairs that they were put back, of each by whom and where its lines are."""
    return Message(
        subject=f"[Auto-Repair] put back: {len(found)} repairs",
        body=_bilingual(
            *(
                [
                    words.gathered.format(count=len(found)),
                    f"{language.labels['next']}: {words.gathered_next}",
                    *(
                        line
                        for watched, drift in found
                        for line in _gathered_lines(watched, drift, language, words)
                    ),
                ]
                for language, words in _BOTH
            )
        ),
    )


def _gathered_lines(
    watched: WatchedRepair, drift: Drift, language: Language, words: _Words
) -> list[str]:
    incident, change = watched.incident, watched.change
    shown = f"{incident.id} --patch{environment_option(incident.execution_arn)}"
    at = f", {drift.at:%Y-%m-%d %H:%M:%S} UTC" if drift.at else ""
    return [
        "",
        f"{language.labels['function']}: {change.target.function_name}",
        *(f"  {line}" for line in _repair_lines(watched, language, words)),
        *([f"  {words.now}: {drift.now}"] if drift.now else []),
        f"  {words.by}: {drift.by or words.unknown_by}{at}",
        f"  {words.patch}: autorepair show {shown}",
    ]


def reminder_message(
    watched: WatchedRepair,
    configuration: FunctionConfiguration,
    *,
    now: datetime,
    deployed_at: datetime | None = None,
) -> Message:
    """Say that no deployment has taken a repair over, and what makes it permanent.

    ``deployed_at`` is when the stack that owns the function was updated last.
    """
    return Message(
        subject=_subject("still outside the template", watched),
        body=_bilingual(
            *(
                [
                    words.unadopted,
                    *_repair_lines(watched, language, words),
                    f"{words.days}: {(now - watched.since).days}",
                    *_deployed_lines(watched, deployed_at, words),
                    f"{language.labels['next']}: {words.unadopted_next}",
                    *_permanent_lines(watched, configuration, language),
                    *_incident_lines(watched, language),
                ]
                for language, words in _BOTH
            )
        ),
    )


def _repair_lines(watched: WatchedRepair, language: Language, words: _Words) -> list[str]:
    change = watched.change
    arrow = f"{described(change.before, language)} -> {described(change.after, language)}"
    move = f"; {move_described(change.release, language)}" if change.release else ""
    return [f"{words.repair}: {arrow}{move}"]


def _deployed_lines(
    watched: WatchedRepair, deployed_at: datetime | None, words: _Words
) -> list[str]:
    if deployed_at is None:
        return []
    left_alone = f" ({words.left_alone})" if deployed_at > watched.applied_at else ""
    return [f"{words.deployed}: {deployed_at:%Y-%m-%d %H:%M} UTC{left_alone}"]


def _permanent_lines(
    watched: WatchedRepair, configuration: FunctionConfiguration | None, language: Language
) -> list[str]:
    owner = owner_of(configuration.tags) if configuration else None
    lines = patch_of(watched.change, owner=owner).splitlines()
    return [f"{language.labels['permanent']}:", *(f"  {line}" for line in lines)]


def _incident_lines(watched: WatchedRepair, language: Language) -> list[str]:
    incident = watched.incident
    target = watched.change.target
    shown = f"{incident.id}{environment_option(incident.execution_arn)}"
    return [
        f"{language.labels['function']}: {target.function_name}",
        f"{language.labels['arn']}: {target.function_arn}",
        f"{language.labels['incident']}: {incident.id}",
        f"{language.labels['all']}: autorepair show {shown}",
    ]


def _subject(what: str, watched: WatchedRepair) -> str:
    name = watched.change.target.function_name
    text = f"[Auto-Repair] {what}: {name} ({watched.change.kind.value})"
    return "".join(c for c in text if c.isascii() and c.isprintable())[:LONGEST_SUBJECT]


def _bilingual(english: list[str], chinese: list[str]) -> str:
    return "\n".join([*english, "", _RULE, "", *chinese, ""])
