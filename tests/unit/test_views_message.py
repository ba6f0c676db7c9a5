from __future__ import annotations

import typing

import pytest

from autorepair.domain.change import (
    Absent,
    AliasSetting,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    EphemeralStorageSetting,
    ReservedConcurrencySetting,
    SealedValue,
    Setting,
)
from autorepair.domain.cost import CostEstimate
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.evidence import Gap
from autorepair.domain.failure import Undo
from autorepair.domain.incident import Outcome
from autorepair.domain.verification import Verdict
from autorepair.views.message import (
    BY_HAND,
    LONGEST_SUBJECT,
    approval_message,
    described,
    failure_message,
    result_message,
)
from autorepair.views.patch import permanent_snippet
from autorepair.views.texts import CHINESE, ENGLISH, Language
from unit.builders import (
    DIAGNOSIS,
    INCIDENT,
    TARGET,
    applied,
    change,
    course,
    decision,
    evidence,
    incident,
    memory_change,
    rollback,
    verification,
)
from unit.fakes import summary_of

ENVIRONMENT = Change(
    target=TARGET,
    before=EnvironmentSetting(variables={"TABLE": Absent(), "OLD": SealedValue(snapshot_id="s-1")}),
    after=EnvironmentSetting(variables={"TABLE": DeclaredSource(), "OLD": Absent()}),
    planned_on="f-1",
)
REPAIRED = course(change=applied(), verification=verification())


@pytest.mark.parametrize("words", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_each_language_has_words_for_everything(words: Language) -> None:
    assert set(words.headlines) == set(words.next_steps) == set(Outcome)
    assert set(words.causes) == set(words.remedies) == set(RootCause)
    assert set(words.labels) == set(ENGLISH.labels)
    assert set(words.undo) == set(ENGLISH.undo)


def test_a_repair_is_told_with_cause_evidence_change_and_proof() -> None:
    body = result_message(REPAIRED, Outcome.REPAIRED).body
    for told in (
        "Repaired", "timeout_too_low", "90%", DIAGNOSIS.why, "report-1, report-2",
        "timeout 3 s -> timeout 6 s", "4 failed of 8", "0 failed of 10", "Timeout: 6", INCIDENT.id,
        f"autorepair show {INCIDENT.id} --patch",
    ):  # fmt: skip
        assert told in body


def test_the_same_is_told_in_chinese() -> None:
    body = result_message(REPAIRED, Outcome.REPAIRED).body
    assert CHINESE.headlines[Outcome.REPAIRED] in body
    assert CHINESE.causes[RootCause.TIMEOUT_TOO_LOW] in body


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_a_subject_that_sns_takes(outcome: Outcome) -> None:
    long = TARGET.model_copy(update={"function_name": "f" * 64})
    subject = result_message(course(incident=incident(target=long)), outcome).subject
    assert len(subject) <= LONGEST_SUBJECT
    assert subject.isascii()
    assert subject.isprintable()
    assert outcome.value in subject


def test_line_breaks_in_a_reason_do_not_break_the_message_apart() -> None:
    crooked = DIAGNOSIS.model_copy(update={"why": "first\nRoot cause: forged\r\nlast"})
    body = result_message(course(diagnosis=crooked), Outcome.ESCALATED).body
    assert "Why: first Root cause: forged last" in body


def test_a_reason_without_end_is_cut() -> None:
    endless = DIAGNOSIS.model_copy(update={"why": "x" * 100_000})
    body = result_message(course(diagnosis=endless), Outcome.ESCALATED).body
    assert len(body) < 10_000


def test_a_change_that_was_not_made_is_told_as_such() -> None:
    refused = course(change=applied(status="refused", reason="no longer allowed"))
    body = result_message(refused, Outcome.ESCALATED).body
    assert "Not done: refused: no longer allowed (timeout 3 s -> timeout 6 s)" in body
    assert "permanent" not in body


def test_what_would_have_been_done_is_told_when_only_observing() -> None:
    observed = course(decision=decision(action="observe", reason="the mode is observe"))
    body = result_message(observed, Outcome.ESCALATED).body
    assert "Decision: observe: the mode is observe" in body
    assert "Not done: timeout 3 s -> timeout 6 s" in body


def test_a_refusal_is_told_in_its_own_words() -> None:
    refusal = Refusal(code=RefusalCode.AT_CAP, why="the policy allows at most 6 s")
    declined = course(decision=decision(action="decline", refusal=refusal, change=None))
    assert refusal.why in result_message(declined, Outcome.ESCALATED).body


def test_a_rollback_is_told_with_both_ways() -> None:
    undone = course(change=applied(), verification=verification(), rollback=rollback())
    body = result_message(undone, Outcome.ROLLED_BACK).body
    assert "timeout 6 s -> timeout 3 s" in body
    assert rollback().reason in body


def test_sources_that_could_not_be_read_are_named() -> None:
    seen = evidence().model_copy(update={"gaps": (Gap(source="metrics", reason="denied"),)})
    with_gap = course(evidence=summary_of(seen, key="k"))
    assert "Could not be read: metrics" in result_message(with_gap, Outcome.ESCALATED).body


def test_many_citations_are_counted_and_not_listed() -> None:
    many = DIAGNOSIS.model_copy(update={"cites": tuple(f"line-{n}" for n in range(8))})
    body = result_message(course(diagnosis=many), Outcome.ESCALATED).body
    assert "line-4 (+3)" in body
    assert "line-5" not in body


def test_an_incident_without_diagnosis_can_be_told_too() -> None:
    bare = course(diagnosis=None, decision=None, incident=incident(alarm=None))
    message = result_message(bare, Outcome.ESCALATED)
    assert "no diagnosis" in message.subject
    assert INCIDENT.id in message.body


def test_variables_are_told_by_name_and_source_only() -> None:
    assert described(ENVIRONMENT.after) == "OLD: not set, TABLE: the declared value"
    assert described(ENVIRONMENT.before) == "OLD: its former value, TABLE: not set"
    assert described(memory_change().after, CHINESE) == "内存 384 MB"


def test_the_snippet_makes_each_kind_of_change_permanent() -> None:
    assert permanent_snippet(change()) == ["Timeout: 6"]
    assert permanent_snippet(memory_change()) == ["MemorySize: 384"]
    lines = permanent_snippet(ENVIRONMENT)
    assert lines[:2] == ["Environment:", "  Variables:"]
    assert any("TABLE" in line and "declared" in line for line in lines)
    assert any("OLD: remove it" in line for line in lines)


def test_the_question_says_what_would_be_changed_and_how_to_answer() -> None:
    asked = decision(action="ask", approval_timeout_s=7200)
    message = approval_message(course(decision=asked))
    assert message.subject == "[Auto-Repair] approval needed: patient-slow-invoice"
    for told in (
        "timeout 3 s -> timeout 6 s",
        f"autorepair approve {INCIDENT.id}",
        f"autorepair reject {INCIDENT.id}",
        "2 hours",
    ):
        assert told in message.body


def test_the_link_to_the_page_comes_whole_and_before_the_commands() -> None:
    link = f"https://api.example.com/{'x' * 2000}"
    body = approval_message(course(decision=decision(action="ask")), link).body
    english, chinese = body.split("-" * 40)
    for part, told in ((english, "Answer on the page"), (chinese, "在页面上答复")):
        assert f"\n{told}: {link}\n" in part
        assert part.index(link) < part.index("autorepair approve")


def test_the_question_names_the_plan_so_that_no_other_can_be_answered() -> None:
    message = approval_message(course(decision=decision(action="ask")))
    plan_hash = decision().plan_hash or ""
    assert f"autorepair approve {INCIDENT.id} --plan {plan_hash[:12]}" in message.body


def test_the_commands_name_the_deployment_that_asks() -> None:
    arn = "arn:aws:states:us-east-1:123456789012:execution:lambda-auto-repair-prod:one"
    body = approval_message(course(incident=incident(execution_arn=arn))).body
    assert f"autorepair show {INCIDENT.id} --env prod" in body


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [(45, "45 seconds", "45 秒"), (300, "5 minutes", "5 分钟"), (86_400, "24 hours", "24 小时")],
)
def test_how_long_an_answer_is_waited_for_is_told_in_words(
    seconds: int, english: str, chinese: str
) -> None:
    asked = decision(action="ask", approval_timeout_s=seconds)
    body = approval_message(course(decision=asked)).body
    assert english in body
    assert chinese in body


def test_the_question_gives_cause_evidence_and_plan_in_both_languages() -> None:
    body = approval_message(course(decision=decision(action="ask"))).body
    for words in (ENGLISH, CHINESE):
        for label in ("asking", "change", "cause", "evidence", "answer", "expires"):
            assert words.labels[label] in body


COST = CostEstimate(
    added_usd_month=12.5, usd_per_million=4.0, basis="256 MB more", prices_of="2026-11"
)


def test_what_a_change_adds_to_the_bill_is_told_when_asking_and_at_the_end() -> None:
    asked = course(decision=decision(action="ask", cost=COST))
    ended = course(decision=decision(cost=COST), change=applied())
    for body in (approval_message(asked).body, result_message(ended, Outcome.REPAIRED).body):
        assert "Added cost: up to 12.50 USD a month (256 MB more; prices of 2026-11)\n" in body
        assert "增加费用: 每月最多 12.50 美元 (256 MB more; 按 2026-11 的价格)\n" in body


def test_a_question_without_a_plan_still_says_who_asks() -> None:
    assert INCIDENT.id in approval_message(course(decision=None)).body


@pytest.mark.parametrize("undo", typing.get_args(Undo)[2:])
def test_a_change_that_could_not_be_undone_is_told_loudly(undo: Undo) -> None:
    message = failure_message(
        INCIDENT, error="TransientServiceError", undo=undo, reason="throttled"
    )
    assert "CHECK NOW" in message.subject
    assert "throttled" in message.body


def test_a_failure_before_there_was_an_incident_is_told_too() -> None:
    message = failure_message(None, error="Unknown", undo="nothing_to_undo", reason="nothing")
    assert message.subject == "[Auto-Repair] failed: unknown function"


def test_a_rollback_that_was_left_to_somebody_else_is_not_told_as_done() -> None:
    ended = course(change=applied(), rollback=rollback(status="conflict"))
    body = result_message(ended, Outcome.ESCALATED).body
    assert "Change: timeout 3 s -> timeout 6 s" in body
    assert "Not done: timeout 6 s -> timeout 3 s" in body
    assert "Change: timeout 6 s -> timeout 3 s" not in body
    for words in (ENGLISH, CHINESE):
        assert words.undo["handed_over"] in body
        assert words.labels["permanent"] not in body


def test_a_change_that_was_overtaken_is_told_without_advice_to_keep_it() -> None:
    ended = course(change=applied(), verification=verification(verdict=Verdict.OVERTAKEN))
    body = result_message(ended, Outcome.ESCALATED).body
    assert "Change: timeout 3 s -> timeout 6 s" in body
    assert ENGLISH.undo["handed_over"] in body
    assert ENGLISH.labels["permanent"] not in body


def to(after: Setting) -> Change:
    return Change(target=TARGET, before=after, after=after, planned_on="f")


@pytest.mark.parametrize(
    ("setting", "english", "chinese", "snippet"),
    [
        (
            EphemeralStorageSetting(ephemeral_storage_mb=2048),
            "ephemeral storage 2048 MB",
            "临时存储 2048 MB",
            ["EphemeralStorage:", "  Size: 2048"],
        ),
        (
            ReservedConcurrencySetting(reserved_concurrency=20),
            "reserved concurrency 20",
            "预留并发 20",
            ["ReservedConcurrentExecutions: 20"],
        ),
        (
            ReservedConcurrencySetting(reserved_concurrency=None),
            "reserved concurrency not set",
            "预留并发 未设置",
            ["ReservedConcurrentExecutions: !Ref AWS::NoValue"],
        ),
    ],
)
def test_the_further_sizes_are_told_in_both_languages_and_made_permanent(
    setting: Setting, english: str, chinese: str, snippet: list[str]
) -> None:
    assert described(setting) == english
    assert described(setting, CHINESE) == chinese
    assert permanent_snippet(to(setting)) == snippet


def test_an_alias_that_went_back_is_told_and_has_no_property_that_would_keep_it_there() -> None:
    back = AliasSetting(alias="live", version="41")
    assert described(back) == "alias live: version 41"
    assert described(back, CHINESE) == "别名 live: 版本 41"
    lines = permanent_snippet(to(back))
    assert all(line.startswith("# ") for line in lines)
    assert "version 41" in lines[0]


def by_hand(cause: RootCause, outcome: Outcome = Outcome.ESCALATED) -> str:
    found = DIAGNOSIS.model_copy(
        update={"root_cause": cause, "quotes": ("12:00:01 KeyError: 'amount'",), "need": None}
    )
    seen = summary_of(evidence(), key="k")
    told = incident(execution_arn="arn:aws:states:x:1:execution:lambda-auto-repair-prod:e")
    return result_message(course(incident=told, diagnosis=found, evidence=seen), outcome).body


@pytest.mark.parametrize("outcome", sorted(BY_HAND))
def test_who_has_to_mend_it_by_hand_is_told_what_where_and_how(outcome: Outcome) -> None:
    body = by_hand(RootCause.CODE_BUG, outcome)
    for told in (
        "  | 12:00:01 KeyError: 'amount'",
        f"What to change: {ENGLISH.remedies[RootCause.CODE_BUG]}",
        CHINESE.remedies[RootCause.CODE_BUG],
        "Runbook: knowledge/code-bug.md",
        f"ARN: {TARGET.function_arn}",
        f"Account and Region: {TARGET.account_id}, {TARGET.region}",
        f"Log group: {evidence().configuration.log_group}",
        f"autorepair show {INCIDENT.id} --evidence --env prod",
    ):  # fmt: skip
        assert told in body


def test_what_the_service_has_repaired_calls_for_no_repair_by_hand() -> None:
    assert ENGLISH.labels["remedy"] not in by_hand(RootCause.CODE_BUG, Outcome.REPAIRED)


def test_an_unknown_cause_names_no_runbook() -> None:
    body = by_hand(RootCause.UNKNOWN)
    assert ENGLISH.labels["runbook"] not in body
    assert ENGLISH.remedies[RootCause.UNKNOWN] in body


def test_words_of_a_log_cannot_pose_as_a_line_of_the_message() -> None:
    forged = DIAGNOSIS.model_copy(update={"quotes": ("12:00:01 x\nRunbook: evil.example",)})
    body = result_message(course(diagnosis=forged), Outcome.ESCALATED).body
    assert "\nRunbook: evil" not in body


def test_an_execution_that_a_person_aborted_is_no_fault_of_the_service() -> None:
    told = failure_message(
        INCIDENT,
        error="ABORTED",
        undo="nothing_to_undo",
        reason="nothing had been changed",
        is_aborted=True,
    )
    assert told.subject == f"[Auto-Repair] stopped by hand: {TARGET.function_name}"
    assert ENGLISH.labels["aborted"] in told.body
    assert CHINESE.labels["aborted_next"] in told.body
    assert ENGLISH.headlines[Outcome.FAILED] not in told.body
    assert "Change: nothing had been changed" in told.body


def test_an_abort_that_leaves_a_change_in_place_is_loud() -> None:
    told = failure_message(INCIDENT, error="e", undo="undo_failed", reason="r", is_aborted=True)
    assert "CHECK NOW" in told.subject
    assert ENGLISH.next_steps[Outcome.FAILED] in told.body


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(60, "1 minute\n"), (3600, "1 hour\n"), (90, "1.5 minutes"), (1, "1 second\n")],
)
def test_one_of_a_unit_is_told_in_the_singular(seconds: int, told: str) -> None:
    asked = course(decision=decision(action="ask", approval_timeout_s=seconds))
    assert f"expires after: {told}" in approval_message(asked).body


def test_how_often_a_diagnosis_this_sure_is_right_is_told_in_both_languages() -> None:
    found = DIAGNOSIS.model_copy(update={"confidence_interval": (0.824, 0.961)})
    body = result_message(course(diagnosis=found), Outcome.ESCALATED).body
    assert "of diagnoses this sure, right 82%-96%" in body
    assert "实测正确率 82%-96%" in body
    unmeasured = DIAGNOSIS.model_copy(update={"confidence_interval": None})
    assert "this sure" not in result_message(course(diagnosis=unmeasured), Outcome.ESCALATED).body
