"""What people are told when somebody pauses repairs, lets them go on, or sets the policy."""
# ruff: noqa: RUF001 - Chinese is written with full-width punctuation

from __future__ import annotations

import json
from collections.abc import Iterable

from autorepair.domain.pause import Pause
from autorepair.domain.policy_review import Difference
from autorepair.views.message import LONGEST_SUBJECT, Message

_RULE = "-" * 40


def pause_message(pause: Pause, environment: str) -> Message:
    """Say who paused repairs, why, and until when."""
    until = f"{pause.until:%Y-%m-%d %H:%M %Z}" if pause.until else None
    by, why = pause.by or "?", pause.why or "-"
    return _message(
        f"repairs are paused ({environment})",
        [
            f"All repairs of {environment} are paused: nothing is written to any function.",
            f"Who: {by}",
            f"Why: {why}",
            f"Until: {until or 'somebody runs `autorepair resume`'}",
            "Incidents are diagnosed and told as ever. What was changed may still be taken back.",
        ],
        [
            f"{environment} 的所有修复已暂停：不会对任何函数进行写入。",
            f"操作人: {by}",
            f"原因: {why}",
            f"直到: {until or '有人运行 `autorepair resume`'}",
            "事件仍会照常诊断和通知，此前的变更仍可被撤销。",
        ],
    )


def resume_message(by: str, before: Pause, environment: str) -> Message:
    """Say who lets repairs go on, and what the pause was."""
    return _message(
        f"repairs go on ({environment})",
        [
            f"Repairs of {environment} go on.",
            f"Who: {by}",
            f"Before: {before.told()}",
            "For an alarm that still stands an incident begins once its cooldown is past.",
        ],
        [
            f"{environment} 的修复已恢复。",
            f"操作人: {by}",
            f"此前: {before.told()}",
            "对仍处于告警状态的告警，冷却期过后会开始新的事件。",
        ],
    )


def policy_message(
    by: str, changes: Iterable[Difference], loosened: Iterable[str], environment: str
) -> Message:
    """Say who set the policy, what differs from before, and where it allows more."""
    lines = [f"  {told(one)}" for one in changes]
    paths = ", ".join(loosened)
    english = [f"The policy of {environment} was set.", f"Who: {by}"]
    chinese = [f"{environment} 的策略已更改。", f"操作人: {by}"]
    if paths:
        english.append(f"WARNING: it allows more than before, or may: {paths}")
        chinese.append(f"警告：它允许（或可能允许）比之前更多的操作: {paths}")
    return _message(
        f"policy {'LOOSENED' if paths else 'set'} ({environment})",
        [*english, "What differs (before -> now):", *(lines or ["  nothing"])],
        [*chinese, "差异（之前 -> 现在）:", *(lines or ["  无"])],
    )


def told(one: Difference) -> str:
    """Say one difference in a line."""
    before, after = (json.dumps(value, ensure_ascii=False) for value in (one.before, one.after))
    return f"{one.path}: {before} -> {after}"


def _message(what: str, english: list[str], chinese: list[str]) -> Message:
    body = "\n".join([*english, "", _RULE, "", *chinese, ""])
    return Message(subject=f"[Auto-Repair] {what}"[:LONGEST_SUBJECT], body=body)
