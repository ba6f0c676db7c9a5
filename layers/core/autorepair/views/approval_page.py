"""The page on which a person reads a question and answers it: HTML, in English or in Chinese.

Whatever is shown passes one place that escapes it for HTML and makes visible what a browser would
not show, or would obey: log text, names and comments may come from whoever wants to deceive.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from autorepair.domain.approval_link import BY_THE_LINK
from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Change
from autorepair.domain.incident import Outcome
from autorepair.domain.page import Language as PageLanguage
from autorepair.domain.value import Value
from autorepair.views.approval_texts import WORDS, Notice, PageWords
from autorepair.views.asked_plan import AskedPlan, asked_plan
from autorepair.views.cost import cost_in_words
from autorepair.views.evidence_text import shares_between
from autorepair.views.message import (
    PLAN_HASH_SHOWN,
    described,
    environment_option,
    move_described,
)
from autorepair.views.patch import permanent_snippet
from autorepair.views.story import Records, story_of
from autorepair.views.traffic import traffic_in_words

__all__ = [
    "LONGEST_COMMENT",
    "LONGEST_NAME",
    "Form",
    "Notice",
    "PageLanguage",
    "headers",
    "notice_page",
    "question_page",
]

LONGEST_NAME = 100
LONGEST_COMMENT = 1000
MOST_JOINED = 100
"""So many of the alarms that joined are shown: Lambda hands on 6 MB and no more."""
FIELD_OF = {
    Notice.FUNCTION_MISSING: "function_name",
    Notice.WRONG_FUNCTION: "function_name",
    Notice.NAME_MISSING: "name",
    Notice.NAME_UNFIT: "name",
    Notice.COMMENT_TOO_LONG: "comment",
}
"""The field of the form that a notice is about."""
_RESULTS = {Notice.APPROVED_NOW, Notice.REJECTED_NOW, Notice.ANSWERED}
_TOLD_BY_THE_RECORD = {Notice.ANSWERED, Notice.CONTRARY}
_UNDECIDED = {Notice.PAUSED, Notice.SPENT, Notice.TRY_AGAIN, *FIELD_OF}
"""What a form that was sent, and has decided nothing, is shown again with."""
# Control characters, what turns the direction of text or has no width, halves of characters, and
# line ends that HTML does not know.
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_FOLDER = Path(__file__).parent


class Form(Value):
    """The form with a fresh nonce, and what the person had typed before."""

    nonce: str
    name: str = ""
    comment: str = ""


@dataclass(frozen=True)
class _Row:
    """A fact under its label."""

    label: str
    text: str
    is_recorded: bool = False
    """Whether these are words of the record, which are English in either language."""
    is_code: bool = False


@dataclass(frozen=True)
class _Told:
    """A notice as it is shown."""

    heading: str
    text: str
    detail: str
    field: str | None
    is_result: bool
    is_mistake: bool = False
    """Whether it is said of a form that was sent and is shown once more."""


def question_page(  # noqa: PLR0913 - what is asked, what is said of it, and in which language
    records: Records,
    plan_hash: str,
    *,
    form: Form | None,
    notice: Notice | None = None,
    detail: str = "",
    language: PageLanguage,
) -> str:
    """Show the question with its record.

    A form is left out where the plan cannot be read or a record was altered: nothing may be
    answered that is not shown. ``detail`` is shown with the notice, in its own words.
    """
    words, plan = WORDS[language], asked_plan(records, plan_hash)
    offered = form if plan.may_be_answered else None
    if form is not None and offered is None:
        # What is wrong with the plan outweighs whatever was wrong with the form.
        notice = None
    told = _told(notice, detail, plan, words, has_form=offered is not None)
    is_asking = offered is not None and plan.said is None
    return _template().render(
        **_frame(words, told, plan.function_name, is_asking=is_asking),
        plan=plan,
        form=offered,
        answers=(plan.said.answer,) if plan.said else ("approved", "rejected"),
        change=_change(plan.change, words) if plan.change else None,
        cause=_cause(plan, words),
        risks=[*_risks(plan, words), *(_consequences(plan, words) if is_asking else ())],
        until=_moment(plan.until) if plan.until else None,
        standing=_standing(records, plan, words),
        environment=environment_option(plan.execution_arn).removeprefix(" --env "),
        snippet=_snippet(plan, words),
        identity=_identity(plan, plan_hash, words),
        share_shown=_share_shown(records),
        story=[
            (words.kinds[record.entry.kind], _moment(passage.at), passage)
            for record, passage in zip(_shown(records), story_of(_shown(records)), strict=True)
        ],
        longest_name=LONGEST_NAME,
    )


def notice_page(notice: Notice, *, language: PageLanguage) -> str:
    """Show a notice and nothing of any incident."""
    words = WORDS[language]
    said = words.notices[notice]
    told = _Told(said.heading, said.text, "", field=None, is_result=notice in _RESULTS)
    return _template().render(**_frame(words, told, "", is_asking=False), plan=None, form=None)


def headers() -> dict[str, str]:
    """Give the headers of every answer; the browser applies the page's own style and no other."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
        "Strict-Transport-Security": "max-age=31536000",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        ),
    }


def _shown(records: Records) -> Records:
    """Leave out all but the last alarms that joined: one that flaps joins for days."""
    joined = [r.seq for r in records if r.entry.kind is RecordKind.ALARM_JOINED]
    left_out = set(joined[:-MOST_JOINED])
    return tuple(record for record in records if record.seq not in left_out)


def _share_shown(records: Records) -> str:
    """Say how many of the records are shown; empty where all are."""
    shown = len(_shown(records))
    return f" ({shown} / {len(records)})" if shown < len(records) else ""


def visible(text: str, but: str = "\n\t") -> str:
    """Name the characters that a browser would not show, or that would turn what is around them.

    Line feeds and tabs stay; a carriage return before a line feed goes.
    """
    return "".join(
        f"⟨U+{ord(letter):04X}⟩"
        if unicodedata.category(letter) in _NOT_SHOWN and letter not in but
        else letter
        for letter in text.replace("\r\n", "\n")
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["typed"] = _typed
    return environment.get_template("approval_page.html")


def _typed(text: str) -> Markup:
    """Give back what somebody typed, to be sent once more: what joins emoji and letters stays."""
    return escape(visible(text, "\n\t\u200c\u200d"))


def _finalized(value: object) -> object:
    """Pass everything that the template shows; only the style and the template's own are markup."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _style() -> str:
    return (_FOLDER / "approval_page.css").read_text(encoding="utf-8")


def _frame(
    words: PageWords, told: _Told | None, function_name: str, *, is_asking: bool
) -> dict[str, object]:
    """Give what every page has."""
    return {
        "words": words,
        "labels": words.language.labels | words.labels,
        "told": told,
        "is_mistaken": is_asking and told is not None and told.is_mistake,
        "heading": words.labels["asking"] if is_asking or told is None else told.heading,
        "function_name": function_name,
        # S704: the style is a file of this package, and its hash is in the header.
        "style": Markup(_style()),  # noqa: S704
    }


def _told(
    notice: Notice | None, detail: str, plan: AskedPlan, words: PageWords, *, has_form: bool
) -> _Told | None:
    if not plan.may_be_answered and notice is None:
        label = "unreadable" if plan.altered_at is None else "altered"
        text = words.labels[f"{label}_next"]
        return _Told(words.labels[label], text, detail, field=None, is_result=False)
    if notice is None:
        return None
    said = words.notices[notice]
    is_told_below = notice in _TOLD_BY_THE_RECORD and plan.said is not None
    # Of an answer that was recorded and perhaps not handed over that would be wrong.
    is_undecided = plan.said is None and notice in {Notice.PAUSED, *FIELD_OF}
    undecided = words.labels["undecided"] if is_undecided else ""
    return _Told(
        said.heading,
        words.labels["again"] if notice is Notice.ANSWERED and has_form else undecided + said.text,
        "" if is_told_below else detail,
        field=FIELD_OF.get(notice) if has_form else None,
        is_result=notice in _RESULTS,
        is_mistake=has_form and notice in _UNDECIDED,
    )


def _change(change: Change, words: PageWords) -> dict[str, str]:
    return {
        "before": described(change.before, words.language),
        "after": described(change.after, words.language),
        "move": move_described(change.release, words.language) if change.release else "",
    }


def _cause(plan: AskedPlan, words: PageWords) -> list[_Row]:
    diagnosis = plan.diagnosis
    if diagnosis is None:
        return []
    labels = words.language.labels
    interval = diagnosis.confidence_interval
    named = words.labels["named_by"].format(source=words.labels[diagnosis.source])
    sure = f"{labels['confidence']} {diagnosis.confidence:.0%}"
    sure += f"{labels['measured']} {shares_between(interval)}" if interval else ""
    cause = words.language.causes[diagnosis.root_cause]
    return [
        _Row(labels["cause"], f"{cause} [{diagnosis.root_cause.value}]"),
        _Row(words.labels["how_sure"], f"{sure} ({named})"),
        _Row(labels["why"], diagnosis.why, is_recorded=True),
    ]


def _risks(plan: AskedPlan, words: PageWords) -> list[_Row]:
    labels, evidence, decision = words.language.labels, plan.evidence, plan.decision
    rows = []
    if decision is not None:
        rows.append(_Row(words.labels["why_ask"], decision.reason, is_recorded=True))
        if decision.cost is not None:
            rows.append(_Row(labels["cost"], cost_in_words(decision.cost, words.language)))
    if evidence is not None and evidence.traffic is not None:
        calls = traffic_in_words(evidence.traffic)
        rows.append(_Row(words.labels["calls"], calls, is_recorded=True))
    if evidence is not None and evidence.gaps:
        gaps = "\n".join(f"{gap.source}: {gap.reason}" for gap in evidence.gaps)
        rows.append(_Row(labels["gaps"], gaps, is_recorded=True))
    return rows


def _consequences(plan: AskedPlan, words: PageWords) -> list[_Row]:
    """Say what either answer leads to; from the second step on there is one in place already."""
    labels, does = words.labels, "means"
    if plan.decision is not None and plan.decision.step > 1:
        does = "takes_back" if plan.decision.otherwise == "roll_back" else "keeps"
    return [
        _Row(labels["if_approved"], labels["approved_means"]),
        _Row(labels["if_rejected"], labels[f"rejected_{does}"]),
    ]


def _standing(records: Records, plan: AskedPlan, words: PageWords) -> list[_Row]:
    """Say who answered what, and how the incident goes on or has ended."""
    labels = words.labels
    rows = []
    if (said := plan.said) is not None:
        told = labels["said"].format(answer=labels[said.answer], by=_by(said.by, words))
        rows.append(_Row(labels["answer"], f"{told} ({_moment(said.at)[1]})"))
        if said.comment:
            rows.append(_Row(labels["comment_said"], said.comment))
    if plan.altered_at is not None:
        altered = labels["altered_at"].format(seq=plan.altered_at)
        rows.append(_Row(words.language.labels["note"], altered))
    if plan.is_replaced:
        rows.append(_Row(words.language.labels["note"], labels["another"]))
    if plan.outcome is not None:
        rows.append(_Row(labels["outcome"], _ending(plan, plan.outcome, words)))
    elif records:
        last = records[-1].entry
        rows.append(_Row(labels["so_far"], f"{words.kinds[last.kind]} ({_moment(last.at)[1]})"))
    return rows


def _by(who: str, words: PageWords) -> str:
    """Say who answered; what the record adds to the name is said in the page's language."""
    name = who.removesuffix(BY_THE_LINK)
    return words.labels["by_the_link"].format(name=name) if name != who else who


def _ending(plan: AskedPlan, outcome: Outcome, words: PageWords) -> str:
    if outcome is Outcome.FAILED and plan.stopped is not None:
        return f"{words.language.labels['aborted']} {words.language.undo[plan.stopped]}"
    if outcome is Outcome.EXPIRED and plan.said is not None:
        return words.labels["ended_unanswered"]
    return words.language.headlines[outcome]


def _snippet(plan: AskedPlan, words: PageWords) -> tuple[str, list[str]] | None:
    """Give what makes a kept change permanent, under its label."""
    if plan.kept is None:
        return None
    label = "if_it_stands" if plan.kept.is_handed_over else "permanent"
    return words.language.labels[label], permanent_snippet(plan.kept.change)


def _identity(plan: AskedPlan, plan_hash: str, words: PageWords) -> list[_Row]:
    """Give what names the incident elsewhere."""
    labels, target = words.language.labels, plan.target
    rows = []
    if target is not None:
        rows += [
            _Row(labels["arn"], target.function_arn, is_code=True),
            _Row(labels["account"], f"{target.account_id}, {target.region}"),
        ]
    if plan.evidence is not None and plan.evidence.log_group:
        rows.append(_Row(labels["log_group"], plan.evidence.log_group, is_code=True))
    if plan.alarm is not None and plan.alarm.reason:
        rows.append(_Row(words.labels["alarm_reason"], plan.alarm.reason, is_recorded=True))
    command = f"autorepair show {plan.incident_id}{environment_option(plan.execution_arn)}"
    return [
        *rows,
        _Row(labels["incident"], plan.incident_id, is_code=True),
        _Row(words.labels["plan_hash"], plan_hash[:PLAN_HASH_SHOWN], is_code=True),
        _Row(labels["all"], command, is_code=True),
    ]


def _moment(at: datetime) -> tuple[str, str]:
    """Give a moment for machines and for people, in UTC."""
    in_utc = at.astimezone(UTC)
    return f"{in_utc:%Y-%m-%dT%H:%M:%SZ}", f"{in_utc:%Y-%m-%d %H:%M:%S} UTC"
