"""A request of the HTTP API, and the form in it, as machines and bad people send them too."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from autorepair.domain.errors import MalformedEventError
from autorepair.domain.page import PageRequest, PageResponse
from autorepair.steps.page_form import LARGEST_BODY, PageForm, form_of
from autorepair.views.approval_page import Notice
from unit.at_the_door import FORM, Door, event, says

SENT = {
    "nonce": "n",
    "function_name": "orders",
    "name": "王小明",
    "comment": "a&b=c+d\r\n好",
    "answer": "rejected",
}


def request(**members: Any) -> PageRequest:  # noqa: ANN401 - JSON
    plain = {"headers": {"content-type": FORM}, "body": urlencode(SENT)}
    return PageRequest.model_validate(event("POST", "t", **(plain | members)))


def test_a_form_is_read_as_a_browser_sends_it() -> None:
    assert form_of(request()) == PageForm.model_validate(SENT)


def test_a_form_that_came_in_base64_is_the_same_form() -> None:
    body = base64.b64encode(urlencode(SENT).encode()).decode()
    assert form_of(request(body=body, isBase64Encoded=True)) == PageForm.model_validate(SENT)


@pytest.mark.parametrize(
    "kind",
    [FORM.upper(), f"{FORM}; charset=UTF-8", f" {FORM} ;charset=utf-8"],
)
def test_the_kind_of_a_form_may_be_written_in_several_ways(kind: str) -> None:
    assert form_of(request(headers={"Content-Type": kind})).answer == "rejected"


def test_fields_that_the_page_does_not_know_are_nothing_to_it() -> None:
    assert form_of(request(body=f"{urlencode(SENT)}&by=root&plan_hash=x")).answer == "rejected"


@pytest.mark.parametrize(
    "members",
    [
        {"headers": {}},
        {"headers": None},
        {"headers": {"content-type": "application/json"}, "body": '{"answer": "approved"}'},
        {"headers": {"content-type": "multipart/form-data"}},
        {"headers": {"content-type": f"{FORM}-x"}},
        {"headers": {"content-type": "text/plain"}},
        {"body": None},
        {"body": ""},
        {"body": "answer"},
        {"body": "nonce=n&function_name=orders&name=anna"},
        {"body": "answer=yes"},
        {"body": "answer=Approved"},
        {"body": "answer=expired"},
        {"body": "answer=approved&answer=rejected"},
        {"body": "answer=approved&nonce=a&nonce=b"},
        {"body": "answer=approved&name=%ff"},
        {"body": "answer=approved&name=%ed%a0%80"},
        {"body": "answer=approved&name=王"},
        {"body": "answer=approved&name=\ud800"},
        {"body": "&".join(f"f{n}=1" for n in range(11)) + "&answer=approved"},
        {"body": f"answer=approved&comment={'x' * LARGEST_BODY}"},
        {"body": base64.b64encode(b"x" * (LARGEST_BODY + 1)).decode(), "isBase64Encoded": True},
        {"body": "answer=approved", "isBase64Encoded": True},
        {"body": f"!{base64.b64encode(b'answer=approved').decode()}", "isBase64Encoded": True},
        {"body": base64.b64encode(b"answer=approved&name=\xff").decode(), "isBase64Encoded": True},
    ],
)
def test_anything_else_is_no_form(members: dict[str, Any]) -> None:
    with pytest.raises(MalformedEventError) as caught:
        form_of(request(**members))
    assert caught.value.__cause__ is None
    door = Door()
    nonce = door.nonce()
    page = door.go(door.posting(f"nonce={nonce}") | members)
    assert (page.status, page.body) == (400, says(Notice.BAD_REQUEST))
    assert door.has_decided_nothing()
    # Not even the form is used up.
    assert door.post(nonce=nonce).status == 200


def test_the_longest_form_that_may_be_filled_in_fits_in_whatever_language() -> None:
    longest = SENT | {"name": "😀" * 100, "comment": "😀" * 1000, "function_name": "f" * 170}
    assert len(urlencode(longest)) < LARGEST_BODY
    assert form_of(request(body=urlencode(longest))).complaint("f" * 170) is None


def test_a_form_is_small_even_in_base64() -> None:
    body = b"answer=approved&comment=" + b"x" * (LARGEST_BODY - 24)
    sent = base64.b64encode(body).decode()
    assert len(form_of(request(body=sent, isBase64Encoded=True)).comment) == LARGEST_BODY - 24


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", None),
        (" \t\r\n", None),
        ("one\r\ntwo\rthree\n", "one\ntwo\nthree"),
        ("a\x1b[31mb\x07\x00c\x9b", "a[31mbc"),
        ("pay \u202elive\u202c \u2066now\u2069", "pay live now"),
        ("👨‍👩‍👧 ok\tthen", "👨‍👩‍👧 ok\tthen"),
    ],
)
def test_a_comment_is_kept_without_what_would_deceive_its_readers(
    typed: str, told: str | None
) -> None:
    assert PageForm.model_validate(SENT | {"comment": typed}).told == told


@pytest.mark.parametrize(("length", "complaint"), [(1000, None), (1001, Notice.COMMENT_TOO_LONG)])
def test_a_line_break_counts_as_one_character(length: int, complaint: Notice | None) -> None:
    comment = "x" + "\r\n" * (length - 2) + "x"
    form = PageForm.model_validate(SENT | {"comment": comment})
    assert form.complaint("orders") is complaint


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("fr-FR,zh-TW;q=0.5,en;q=0.3", "zh"),
        ("de", "en"),
        ("*", "en"),
        ("zh;q=0", "en"),
        ("ZH-hans", "zh"),
        ("en;q=0.1, zh", "zh"),
        ("zh;q=nan", "en"),
        ("zh;q=inf,en", "en"),
        ("zh;q=,en", "en"),
        ("zhu", "en"),
        (",;=,;q", "en"),
        ("de," * 5000 + "zh", "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_likes_best(accepted: str, language: str) -> None:
    given = PageRequest.model_validate(event("GET", "t", headers={"Accept-Language": accepted}))
    assert given.language == language


@pytest.mark.parametrize(("asked", "language"), [("zh", "zh"), ("en", "en"), ("'><script>", "en")])
def test_a_language_that_is_asked_for_goes_before_the_browsers(asked: str, language: str) -> None:
    headers = {"accept-language": "zh" if language == "en" else "en"}
    members = {"headers": headers, "queryStringParameters": {"lang": asked}}
    assert PageRequest.model_validate(event("GET", "t", **members)).language == language


def test_nothing_that_could_be_used_is_in_the_repr_of_a_request_or_a_form() -> None:
    given = request(headers={"content-type": FORM, "cookie": "c00kie"})
    form = PageForm.model_validate(SENT | {"nonce": "n0nce"})
    assert given.token == "t"
    told = repr(PageRequest.model_validate(event("GET", "t0ken", body="n0nce"))) + repr(given)
    for secret in ("t0ken", "c00kie", "n0nce", quote("王小明")):
        assert secret not in told + repr(form)


def test_an_event_without_anything_is_a_request_that_cannot_be_read() -> None:
    page = Door().go({})
    assert (page.status, page.body) == (400, says(Notice.BAD_REQUEST))


def test_a_response_is_what_the_http_api_reads_and_holds_no_failure() -> None:
    page = PageResponse(status=503, headers={"Cache-Control": "no-store"}, body="…", failure="why")
    assert page.as_json() == {
        "statusCode": 503,
        "headers": {"Cache-Control": "no-store"},
        "body": "…",
    }
