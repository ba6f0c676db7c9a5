"""The approval page as HTML: what it tells, asks, and says of an answer."""

from __future__ import annotations

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Absent, Change, DeclaredSource, EnvironmentSetting
from autorepair.domain.incident import Outcome
from autorepair.domain.page import Language
from autorepair.steps import answer_approval
from autorepair.views.approval_page import (
    FIELD_OF,
    LONGEST_COMMENT,
    LONGEST_NAME,
    Form,
    Notice,
    notice_page,
)
from autorepair.views.approval_texts import WORDS
from unit.builders import INCIDENT, TARGET, change, rollback, verification
from unit.page_reading import LANGUAGES, Read, shown
from unit.question_records import (
    ASKED,
    LINE,
    PLAN,
    SURE,
    Records,
    answered,
    asked,
    closed,
    repaired,
    told,
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_words_for_everything(language: Language) -> None:
    words = WORDS[language]
    assert set(words.notices) == set(Notice)
    assert set(words.kinds) == set(RecordKind)
    assert set(words.labels) == set(WORDS["en"].labels)
    assert words.code == language
    assert all(said.heading and said.text for said in words.notices.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_limits_in_words_are_those_that_hold(language: Language) -> None:
    assert answer_approval.LONGEST_COMMENT == LONGEST_COMMENT
    words = WORDS[language]
    for text in (words.notices[Notice.COMMENT_TOO_LONG].text, words.labels["comment_hint"]):
        assert str(LONGEST_COMMENT) in text.replace(",", "")
    assert str(LONGEST_NAME) in words.notices[Notice.NAME_UNFIT].text


def test_the_question_is_told_with_all_that_an_answer_rests_on() -> None:
    text = Read(shown(asked())).text
    for fact in (
        "May this change be made?", TARGET.function_name, TARGET.function_arn,
        "patient-slow-invoice-errors", "Threshold Crossed", INCIDENT.id, PLAN[:12],
        "timeout too low [timeout_too_low]", "confidence 90%", "right 80%-95%", "named by rules",
        SURE.why, LINE, "timeout 3 s", "timeout 6 s", "the mode of set_timeout is ask",
        "up to 1.25 USD a month", "1,000 times a month", "CloudTrail answered too late",
        "2026-03-04 14:02:00 UTC", "Nothing is changed.",
        f"autorepair show {INCIDENT.id} --env prod",
    ):  # fmt: skip
        assert fact in text


def test_the_same_is_asked_in_chinese() -> None:
    page = Read(shown(asked(), language="zh"))
    for fact in ("是否允许此变更？", "超时设置过短", "置信度 90%", "超时 3 s", "批准此变更"):  # noqa: RUF001 - Chinese punctuation
        assert fact in page.text
    assert page.all("html")[0]["lang"] == "zh-CN"


def test_words_of_the_record_are_marked_as_english_on_the_chinese_page() -> None:
    zh, en = (Read(shown(asked(), language=one)) for one in ("zh", "en"))
    assert SURE.why in {zh.texts[n].strip() for n, (_, a) in enumerate(zh.elements) if "lang" in a}
    assert [a["lang"] for _, a in en.elements if "lang" in a] == ["en", "zh-CN"]


@pytest.mark.parametrize(("language", "other"), [("en", "zh"), ("zh", "en")])
def test_the_other_language_is_a_link_away_and_a_form_keeps_its_own(
    language: Language, other: str
) -> None:
    page = Read(shown(asked(), language=language))
    assert [a["href"] for a in page.all("a")] == ["#answer", f"?lang={other}"]
    assert page.all("form") == [{"method": "post", "action": f"?lang={language}"}]


def test_the_form_sends_what_the_step_reads() -> None:
    page = Read(shown(asked()))
    fields = [*page.all("input"), *page.all("textarea"), *page.all("button")]
    names = [field["name"] for field in fields if "name" in field]
    assert names == ["nonce", "function_name", "name", "comment", "answer", "answer"]
    assert page.all("input")[0] == {"type": "hidden", "name": "nonce", "value": "a-nonce"}
    assert [b.get("value") for b in page.all("button")] == [None, "approved", "rejected"]


def test_the_button_that_enter_presses_is_one_that_sends_nothing() -> None:
    assert Read(shown(asked())).all("button")[0] == {
        "type": "submit",
        "disabled": None,
        "hidden": None,
    }


@pytest.mark.parametrize("name", ["function_name", "name", "comment"])
def test_each_field_has_its_label_and_its_hint(name: str) -> None:
    page = Read(shown(asked()))
    assert {"for": name} in page.all("label")
    assert page.by_id(name)["aria-describedby"] == f"{name}_hint"
    assert page.by_id(f"{name}_hint") == {"class": "hint", "id": f"{name}_hint"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("notice", "name"), FIELD_OF.items())
def test_a_mistake_is_announced_and_tied_to_its_field(
    notice: Notice, name: str, language: Language
) -> None:
    page = Read(shown(asked(), notice=notice, language=language))
    field = page.by_id(name)
    assert field["aria-describedby"] == f"{name}_wrong {name}_hint"
    assert field["aria-invalid"] == "true"
    assert "autofocus" in field
    assert page.by_id(f"{name}_wrong")["class"] == "wrong"
    assert {"href": f"#{name}"} in page.all("a")
    assert [a["role"] for _, a in page.elements if "role" in a] == ["alert"]
    heading = WORDS[language].notices[notice].heading
    assert f"{WORDS[language].labels['error']}: {heading}" in page.text


def test_nothing_is_marked_as_wrong_where_nothing_is() -> None:
    page = Read(shown(asked()))
    marked = {"aria-invalid", "autofocus", "role"}
    assert not any(marked & set(found) for _, found in page.elements)


@pytest.mark.parametrize("notice", [Notice.PAUSED, Notice.SPENT])
def test_a_refusal_of_no_field_is_announced_above_the_question(notice: Notice) -> None:
    page = Read(shown(asked(), notice=notice, detail="paused by ops: storm"))
    assert "May this change be made?" in page.text
    assert WORDS["en"].notices[notice].text in page.text
    assert "paused by ops: storm" in page.text
    assert not any("aria-invalid" in found for _, found in page.elements)


def test_what_was_typed_is_kept_but_for_the_functions_name() -> None:
    typed = Form(nonce="n", name='Ada "Ops" <a>', comment="\nfirst\nsecond </textarea>")
    page = Read(shown(asked(), form=typed, notice=Notice.WRONG_FUNCTION))
    assert page.by_id("name")["value"] == typed.name
    assert "value" not in page.by_id("function_name")
    # The first line feed in a textarea is the markup's own.
    assert f"\n{typed.comment}" in page.texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_alone_has_no_form_and_names_no_field(language: Language) -> None:
    for notice in Notice:
        page = Read(notice_page(notice, language=language))
        assert WORDS[language].notices[notice].text in page.text
        assert not page.all("form")
        assert [a["href"] for a in page.all("a")] == [f"?lang={WORDS[language].other[0]}"]


@pytest.mark.parametrize(
    "records", [(), asked()[:3], asked(made=ASKED.model_copy(update={"change": None}))]
)
def test_what_cannot_be_shown_cannot_be_answered(records: Records) -> None:
    page = Read(shown(records))
    assert not page.all("form")
    assert "The plan cannot be shown" in page.text


def test_a_plan_of_another_version_of_the_service_cannot_be_answered() -> None:
    strange = told(asked()[:3], RecordKind.ACTION_DECIDED, "ask", ASKED.as_json() | {"new": 1})
    page = Read(shown(told(strange, RecordKind.APPROVAL_REQUESTED, "", {"plan_hash": PLAN})))
    assert not page.all("form")
    assert "The plan cannot be shown" in page.text


@pytest.mark.parametrize("notice", [None, Notice.PAUSED])
def test_an_altered_record_is_told_and_cannot_be_answered(notice: Notice | None) -> None:
    whole = asked()
    forged = whole[2].model_copy(
        update={"entry": whole[2].entry.model_copy(update={"summary": "all is well"})}
    )
    page = Read(shown((*whole[:2], forged, *whole[3:]), notice=notice))
    assert not page.all("form")
    assert "Nothing can be answered on it" in page.text
    assert "number 3 does not follow from the one before." in page.text


def test_a_kept_change_is_shown_with_the_lines_that_make_it_permanent() -> None:
    page = Read(shown(repaired(), form=None, notice=Notice.ANSWERED))
    assert "\nTimeout: 6\n" in page.text
    for fact in ("approved by Ada, by the link", "go on", "Repaired: the change was applied"):
        assert fact in page.text
    assert [a["role"] for _, a in page.elements if "role" in a] == ["status"]


def test_a_change_that_was_taken_back_is_not_made_permanent() -> None:
    records = told(repaired()[:-1], RecordKind.ROLLBACK_DONE, "back", rollback().as_json())
    page = Read(shown(closed(records, Outcome.ROLLED_BACK), form=None, notice=Notice.ANSWERED))
    assert not page.all("pre")
    assert "Rolled back" in page.text


def test_a_change_that_somebody_overtook_is_said_to_stand_perhaps() -> None:
    seen = verification().as_json() | {"verdict": "overtaken"}
    records = told(repaired()[:-2], RecordKind.REPAIR_VERIFIED, "overtaken", seen)
    page = Read(shown(closed(records, Outcome.ESCALATED), form=None, notice=Notice.ANSWERED))
    assert "If the setting still stands" in page.text
    assert "\nTimeout: 6\n" in page.text


def test_while_the_incident_goes_on_its_last_record_is_told() -> None:
    page = Read(shown(repaired()[:-2], form=None, notice=Notice.ANSWERED))
    assert "repair applied (2026-03-04 12:03:30 UTC)" in page.text


def test_the_record_tells_an_answer_once_though_the_step_tells_it_too() -> None:
    said = "approved by Ada, by the link"
    page = Read(shown(repaired(), form=None, notice=Notice.CONTRARY, detail=said))
    assert "The first answer stands" in page.text
    assert len([text for text in page.texts if said in text]) == 2  # what stands, and the story
    assert said in Read(shown(asked(), form=None, notice=Notice.CONTRARY, detail=said)).text


@pytest.mark.parametrize("answer", ["approved", "rejected"])
def test_an_answer_that_did_not_get_through_can_only_be_repeated(answer: str) -> None:
    page = Read(shown(answered(asked(), answer), notice=Notice.ANSWERED))
    assert [b.get("value") for b in page.all("button")] == [None, answer]
    assert "the same answer may be given once more" in page.text
    assert "there is nothing left to do" not in page.text


def test_an_answer_that_came_too_late_is_told_as_such() -> None:
    late = {"plan_hash": PLAN, "is_late": True}
    records = told(answered(asked()), RecordKind.APPROVAL_ANSWERED, "too late", late)
    for over in (records, closed(records, Outcome.EXPIRED)):
        page = Read(shown(over, form=None, notice=Notice.TOO_LATE))
        assert "This answer came too late: the service was not waiting any more." in page.text
        assert "approved by Ada, by the link" in page.text
        assert "obody answered" not in page.text


STOPPED = {"error": None, "execution": "ABORTED", "undo": "nothing_to_undo", "reason": "none"}


@pytest.mark.parametrize(
    ("language", "stopped", "failed"),
    [("en", "Stopped by hand: somebody", "service itself"), ("zh", "已由人工中止", "自身")],
)
@pytest.mark.parametrize("records", [asked(), answered(asked())])
def test_an_incident_that_was_stopped_by_hand_has_not_failed(
    records: Records, language: Language, stopped: str, failed: str
) -> None:
    by_hand = told(records, RecordKind.FAILURE_HANDLED, "it ended (ABORTED)", STOPPED)
    by_itself = told(records, RecordKind.FAILURE_HANDLED, "e", STOPPED | {"execution": "FAILED"})
    pages = [
        Read(shown(closed(ended, Outcome.FAILED), form=None, language=language)).text
        for ended in (by_hand, by_itself)
    ]
    assert [(stopped in text, failed in text) for text in pages] == [(True, False), (False, True)]


def test_what_a_stopped_execution_left_behind_is_told() -> None:
    left = STOPPED | {"undo": "undo_failed"}
    records = told(repaired()[:-2], RecordKind.FAILURE_HANDLED, "it ended (ABORTED)", left)
    page = Read(shown(closed(records, Outcome.FAILED), form=None, notice=Notice.ANSWERED))
    assert "could NOT be taken back" in page.text


@pytest.mark.parametrize(
    ("by", "language", "said"),
    [
        ("Ada, by the link", "en", "approved by Ada, by the link"),
        ("Ada, by the link", "zh", "已批准，答复人：Ada（通过链接）"),  # noqa: RUF001 - Chinese punctuation
        ("arn:aws:iam::1:user/ada", "zh", "已批准，答复人：arn:aws:iam::1:user/ada"),  # noqa: RUF001 - Chinese punctuation
    ],
)
def test_who_answered_is_told_in_the_pages_language(by: str, language: Language, said: str) -> None:
    page = Read(shown(answered(asked(), by=by), form=None, language=language))
    assert any(text.startswith(f"{said} (2026-") for text in page.texts)


@pytest.mark.parametrize(("language", "label"), [("en", "Environment"), ("zh", "环境")])
def test_the_page_names_the_environment_where_the_record_tells_it(
    language: Language, label: str
) -> None:
    page = Read(shown(asked(), language=language))
    assert page.texts[page.texts.index(label) + 1] == "prod"
    untold = shown(told((), RecordKind.ACTION_DECIDED, "ask", ASKED.as_json()), language=language)
    assert label not in Read(untold).texts


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("records", [asked(), answered(asked()), repaired()])
def test_after_an_answer_the_page_is_opened_again_by_a_link(
    records: Records, language: Language
) -> None:
    page = Read(shown(records, form=None, notice=Notice.APPROVED_NOW, language=language))
    assert {"href": f"?lang={language}"} in page.all("a")
    assert WORDS[language].labels["open_again"] in page.texts
    said = [text.text for text in WORDS[language].notices.values()]
    assert not [text for text in (*said, WORDS[language].labels["again"]) if "eload" in text]


AGAIN = (*FIELD_OF, Notice.PAUSED, Notice.SPENT, Notice.TRY_AGAIN)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("notice", AGAIN)
def test_whoever_gets_the_form_again_is_told_to_type_the_functions_name_again(
    notice: Notice, language: Language
) -> None:
    words = WORDS[language]
    page = Read(shown(asked(), notice=notice, language=language))
    is_told_to = FIELD_OF.get(notice) == "function_name"
    assert (words.labels["type_again"] in page.texts) is not is_told_to
    assert words.labels["open_again"] not in page.texts


@pytest.mark.parametrize("notice", [*FIELD_OF, Notice.PAUSED])
def test_a_refusal_says_that_nothing_is_decided_unless_an_answer_is_recorded(
    notice: Notice,
) -> None:
    assert "Nothing is decided." in Read(shown(asked(), notice=notice)).text
    assert "Nothing is decided" not in Read(shown(answered(asked()), notice=notice)).text


def test_a_pause_is_told_above_a_form_that_nobody_has_sent_yet() -> None:
    page = Read(shown(asked(), notice=Notice.PAUSED_NOW, detail="paused by ops: storm"))
    assert "paused by ops: storm" in page.text
    assert WORDS["en"].labels["type_again"] not in page.text
    assert "Error" not in page.text
    assert page.all("form")


@pytest.mark.parametrize(("language", "harm"), [("en", "does not help"), ("zh", "没有帮助")])
def test_what_does_not_help_is_said_to_be_taken_back(language: Language, harm: str) -> None:
    assert harm in Read(shown(asked(), language=language)).text


def test_a_later_question_of_the_same_incident_is_mentioned() -> None:
    records = told(asked(), RecordKind.APPROVAL_REQUESTED, "again", {"plan_hash": "b" * 64})
    told_of = "Another plan was made since"
    assert told_of in Read(shown(records, form=None, notice=Notice.PLAN_CHANGED)).text
    assert told_of not in Read(shown(asked(), form=None, notice=Notice.CLOSED)).text


@pytest.mark.parametrize(
    ("step", "otherwise", "means"),
    [
        (1, "roll_back", "rejected_means"),
        (2, "keep", "rejected_keeps"),
        (2, "roll_back", "rejected_takes_back"),
    ],
)
def test_what_a_no_leads_to_is_told_from_what_is_in_place(
    step: int, otherwise: str, means: str
) -> None:
    plan = ASKED.model_copy(update={"step": step, "otherwise": otherwise})
    assert WORDS["en"].labels[means] in Read(shown(asked(made=plan))).text


def test_values_of_variables_are_told_by_their_source_only() -> None:
    plan = Change(
        target=TARGET,
        before=EnvironmentSetting(variables={"TABLE": Absent()}),
        after=EnvironmentSetting(variables={"TABLE": DeclaredSource()}),
        planned_on="f",
    )
    page = Read(shown(asked(made=ASKED.model_copy(update={"change": plan}))))
    assert "TABLE: not set" in page.text
    assert "TABLE: the declared value" in page.text


def test_the_words_of_two_plans_of_one_incident_are_not_mixed_up() -> None:
    other = ASKED.model_copy(update={"change": change(after_s=9), "plan_hash": "b" * 64})
    records = told(asked(), RecordKind.ACTION_DECIDED, "ask", other.as_json())
    text = shown(records, form=None)
    assert text.count("<dd>timeout 6 s</dd>") == 1
    assert "<dd>timeout 9 s</dd>" not in text
