"""The approval page in a browser: readable by everybody, and harmless whatever is on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import parse_qs

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page

from autorepair.domain.page import Language, PageRequest
from autorepair.steps.approval_page import approval_page
from autorepair.views.approval_page import FIELD_OF, Form, Notice, headers, notice_page
from browser.served import Asked, Served
from unit.at_the_door import BY, Door, event
from unit.builders import TARGET
from unit.fakes import NAME
from unit.page_reading import FORM, LANGUAGES, shown
from unit.question_records import ASKED, SURE, answered, asked, repaired

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
PHONE, DESKTOP = (390, 844), (1280, 800)
HOSTILE = '"><script>window.ran=1</script><img src=/x onerror="window.ran=1">'
ENDLESS = SURE.model_copy(
    update={"why": "w" * 500, "quotes": ("q" * 300, f"https://example.com/{'u' * 200}")}
)


@contextmanager
def opened(
    browser: Browser,
    served: Served,
    body: str,
    *,
    size: tuple[int, int] = PHONE,
    scheme: Scheme = "light",
    has_scripts: bool = True,
    complaints: int = 0,
) -> Iterator[Page]:
    """Open a page; that the browser complains of it more than expected is an error."""
    served.shows(body, headers())
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        java_script_enabled=has_scripts,
    )
    page, said = context.new_page(), list[str]()

    def heard(message: ConsoleMessage) -> None:
        said.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(served.url)
    try:
        yield page
        assert len(said) == complaints, said
    finally:
        context.close()


def pages(language: Language) -> dict[str, str]:
    """Every face of the page."""
    typed = Form(nonce="n", name="Ada", comment="two\nlines")
    mistakes = {
        notice.value: shown(asked(), form=typed, notice=notice, language=language)
        for notice in (*FIELD_OF, Notice.PAUSED, Notice.PAUSED_NOW, Notice.SPENT)
    }
    return mistakes | {
        "question": shown(asked(), language=language),
        "again": shown(answered(asked()), notice=Notice.ANSWERED, language=language),
        "repaired": shown(repaired(), form=None, notice=Notice.ANSWERED, language=language),
        "contrary": shown(repaired(), form=None, notice=Notice.CONTRARY, language=language),
        "unknown": notice_page(Notice.UNKNOWN_LINK, language=language),
    }


def violations(page: Page) -> list[dict[str, Any]]:
    """Give what axe finds, and what of the contrasts it could not tell."""
    found = Axe().run(page, options={"resultTypes": ["violations", "incomplete"]}).response
    unsure = [one for one in found["incomplete"] if one["id"] == "color-contrast"]
    return [
        {"rule": one["id"], "nodes": [node["html"] for node in one["nodes"]]}
        for one in [*found["violations"], *unsure]
    ]


def tabbed(page: Page, times: int) -> list[str]:
    """Give the names of what the Tab key comes to, in its order."""
    seen = []
    for _ in range(times):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "(e => e.value && e.tagName === 'BUTTON' ? e.value"
                " : e.id || e.getAttribute('href') || e.tagName)(document.activeElement)"
            )
        )
    return seen


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_nothing_wrong_with_any_face_of_the_page(
    browser: Browser, served: Served, language: Language, scheme: Scheme
) -> None:
    for face, body in pages(language).items():
        size = DESKTOP if face in {"question", "repaired"} else PHONE
        with opened(browser, served, body, size=size, scheme=scheme) as page:
            assert violations(page) == [], face


def test_axe_would_find_a_field_without_a_label(browser: Browser, served: Served) -> None:
    body = shown(asked()).replace('for="name"', "")
    with opened(browser, served, body) as page:
        assert "label" in {one["rule"] for one in violations(page)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_narrow_screen_and_large_text_need_no_scrolling_sideways(
    browser: Browser, served: Served, language: Language
) -> None:
    long = TARGET.model_copy(update={"function_name": "f" * 64})
    assert ASKED.change is not None
    plan = ASKED.model_copy(
        update={"change": ASKED.change.model_copy(update={"target": long}), "reason": "r" * 300}
    )
    for body in (*pages(language).values(), shown(asked(ENDLESS, plan), language=language)):
        with opened(browser, served, body) as page:
            for width, text in ((320, "100%"), (320, "200%"), (640, "200%")):
                page.set_viewport_size({"width": width, "height": 640})
                page.evaluate("size => { document.documentElement.style.fontSize = size }", text)
                assert page.evaluate("document.scrollingElement.scrollWidth") == width


def test_the_policy_lets_the_pages_own_style_through(browser: Browser, served: Served) -> None:
    grounds = {}
    for scheme in SCHEMES:
        with opened(browser, served, shown(asked()), size=DESKTOP, scheme=scheme) as page:
            assert page.locator("body").bounding_box() == {
                "x": 288, "y": 0, "width": 704, "height": page.locator("body").evaluate(
                    "body => body.getBoundingClientRect().height"
                ),
            }  # fmt: skip
            grounds[scheme] = page.locator("body").evaluate("e => getComputedStyle(e).background")
    assert grounds["light"] != grounds["dark"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_an_attacker_wrote_into_a_log_is_shown_as_text_and_does_nothing(
    browser: Browser, served: Served, language: Language
) -> None:
    cause = SURE.model_copy(update={"why": HOSTILE, "quotes": (HOSTILE,)})
    body = shown(asked(cause, reason=HOSTILE), detail=HOSTILE, language=language)
    with opened(browser, served, body) as page:
        assert page.get_by_text(HOSTILE, exact=True).count() >= 3
        assert page.evaluate("window.ran") is None
        assert page.locator("script, img").count() == 0
    assert [one.path for one in served.asked] == ["/approval/" + "t" * 43]


@pytest.mark.parametrize(
    "injected",
    [
        "<script>window.ran = 1</script>",
        "<style>body { display: none }</style>",
        '<p style="position: fixed">over all</p>',
        '<img src="/x">',
        '<iframe src="/x"></iframe>',
    ],
)
def test_the_policy_blocks_what_escaping_should_ever_miss(
    browser: Browser, served: Served, injected: str
) -> None:
    body = shown(asked()).replace("</main>", f"{injected}</main>")
    with opened(browser, served, body, complaints=1) as page:
        assert page.evaluate("window.ran") is None
        assert page.locator("h1").is_visible()
    assert [one.path for one in served.asked] == ["/approval/" + "t" * 43]


def test_a_form_that_was_injected_cannot_send_anything_elsewhere(
    browser: Browser, served: Served
) -> None:
    away = served.url.replace("127.0.0.1", "localhost")
    body = shown(asked()).replace(
        "</main>", f'<form action="{away}"><button id="away">Go</button></form></main>'
    )
    with opened(browser, served, body, complaints=1) as page:
        with page.expect_console_message(lambda said: "form-action" in said.text):
            page.evaluate("document.getElementById('away').click()")
        assert page.url == served.url
    assert len(served.asked) == 1


@pytest.mark.parametrize("has_scripts", [True, False])
@pytest.mark.parametrize(
    ("language", "label"), [("en", "Approve this change"), ("zh", "批准此变更")]
)
def test_the_form_sends_what_was_typed_to_its_own_address(
    browser: Browser, served: Served, language: Language, label: str, *, has_scripts: bool
) -> None:
    body = shown(asked(), language=language)
    with opened(browser, served, body, has_scripts=has_scripts) as page:
        page.locator("#function_name").fill(TARGET.function_name)
        page.locator("#name").fill("王小明 & Söhne")
        page.locator("#comment").fill("two\nlines")
        page.get_by_role("button", name=label).click()
        page.wait_for_url("**/approval/*?lang=*")
    (post,) = served.posts
    assert post.path == f"/approval/{'t' * 43}?lang={language}"
    assert post.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "referer" not in post.headers
    assert parse_qs(post.body, strict_parsing=True) == {
        "nonce": [FORM.nonce],
        "function_name": [TARGET.function_name],
        "name": ["王小明 & Söhne"],
        "comment": ["two\r\nlines"],
        "answer": ["approved"],
    }


def test_the_other_button_says_no(browser: Browser, served: Served) -> None:
    with opened(browser, served, shown(asked())) as page:
        page.locator("#function_name").fill(TARGET.function_name)
        page.locator("#name").fill("Ada")
        page.get_by_role("button", name="Reject this change").click()
        page.wait_for_url("**/approval/*?lang=*")
    assert parse_qs(served.posts[0].body)["answer"] == ["rejected"]


@pytest.mark.parametrize("left_out", ["function_name", "name"])
def test_the_browser_sends_no_form_that_is_not_filled_in(
    browser: Browser, served: Served, left_out: str
) -> None:
    with opened(browser, served, shown(asked())) as page:
        for name in {"function_name", "name"} - {left_out}:
            page.locator(f"#{name}").fill("x")
        page.get_by_role("button", name="Approve this change").click()
        assert page.evaluate("document.activeElement.id") == left_out
    assert served.posts == []


def test_tab_goes_through_the_page_in_the_order_it_is_read(
    browser: Browser, served: Served
) -> None:
    with opened(browser, served, shown(asked())) as page:
        assert tabbed(page, 7) == [
            "#answer", "?lang=zh", "function_name", "name", "comment", "approved", "rejected",
        ]  # fmt: skip


def test_enter_in_a_field_decides_nothing_and_on_a_button_it_does(
    browser: Browser, served: Served
) -> None:
    with opened(browser, served, shown(asked())) as page:
        page.locator("#name").fill("Ada")
        page.locator("#name").press("Enter")
        page.locator("#function_name").fill(TARGET.function_name)
        page.locator("#function_name").press("Enter")
        assert page.url == served.url
        assert served.posts == []
        page.locator("button[value=rejected]").press("Enter")
        page.wait_for_url("**/approval/*?lang=*")
    assert parse_qs(served.posts[0].body)["answer"] == ["rejected"]


@pytest.mark.parametrize(("notice", "name"), FIELD_OF.items())
def test_after_a_mistake_the_reader_stands_in_the_field_and_hears_what_is_wrong(
    browser: Browser, served: Served, notice: Notice, name: str
) -> None:
    with opened(browser, served, shown(asked(), notice=notice)) as page:
        field = page.locator(f"#{name}")
        assert page.evaluate("document.activeElement.id") == name
        told = field.evaluate(
            "e => e.getAttribute('aria-describedby').split(' ')"
            ".map(id => document.getElementById(id).textContent).join(' ')"
        )
        assert told.startswith("Error: ")
        assert page.get_by_role("alert").count() == 1


def test_the_two_buttons_are_large_apart_and_told_from_each_other_by_words(
    browser: Browser, served: Served
) -> None:
    with opened(browser, served, shown(asked())) as page:
        yes, no = (page.locator(f"button[value={one}]") for one in ("approved", "rejected"))
        above, below = yes.bounding_box(), no.bounding_box()
        assert above is not None
        assert below is not None
        assert min(above["height"], below["height"]) >= 44
        assert below["y"] - (above["y"] + above["height"]) >= 16
        assert "Approve" in yes.inner_text()
        assert "Reject" in no.inner_text()


def test_a_person_answers_by_the_page_and_sees_what_stands(
    browser: Browser, served: Served
) -> None:
    door = Door()

    def through(given: Asked) -> Any:  # noqa: ANN401 - the step's answer
        path, _, query = given.path.partition("?")
        members: dict[str, Any] = {"headers": given.headers, "body": given.body}
        if query:
            members["queryStringParameters"] = dict([query.split("=")])
        request = event(given.method, path.rsplit("/", 1)[1], **members)
        return approval_page(PageRequest.model_validate(request), door.world.ports)

    served.answer = through
    page = browser.new_page(locale="en-GB")
    page.goto(served.url.replace("t" * 43, door.token))
    page.get_by_label("Your name").fill("Anna Ops")
    page.get_by_label("Type the function's name to confirm").fill("another")
    page.get_by_role("button", name="Approve this change").click()
    page.get_by_role("alert").wait_for()
    assert door.has_decided_nothing()
    assert page.get_by_label("Your name").input_value() == "Anna Ops"
    page.get_by_label("Type the function's name to confirm").fill(NAME)
    page.get_by_role("button", name="Approve this change").click()
    page.get_by_role("status").wait_for()
    assert door.resumed == [("approved", BY)]
    assert f"approved by {BY}" in page.inner_text("main")
    with page.expect_navigation():
        page.get_by_role("link", name="Open this page again").click()
    assert [one.method for one in served.asked] == ["GET", "POST", "POST", "GET"]
    page.context.close()
