"""What the approval page keeps out of a browser, and what its headers promise."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import autorepair
from autorepair.views.approval_page import Form, Notice, headers, notice_page, visible
from unit.page_reading import FORM, LANGUAGES, Read, shown
from unit.question_records import ASKED, SURE, answered, asked, repaired

HOSTILE = '"><script>x()</script><img src=x onerror="x()"><b>\u202egnp.exe'


def every_page() -> list[str]:
    return [
        *(notice_page(notice, language=one) for notice in Notice for one in LANGUAGES),
        *(
            shown(records, form=form, notice=notice, language=one)
            for records in ((), asked(), answered(asked()), repaired())
            for form in (FORM, None)
            for notice in (None, *Notice)
            for one in LANGUAGES
        ),
    ]


def test_whatever_others_have_written_stays_text() -> None:
    cause = SURE.model_copy(update={"why": HOSTILE, "quotes": (HOSTILE,)})
    plan = ASKED.model_copy(update={"reason": HOSTILE})
    records = answered(asked(cause, plan, reason=HOSTILE), by=HOSTILE, comment=HOSTILE)
    typed = Form(nonce=HOSTILE, name=HOSTILE, comment=HOSTILE)
    for language in LANGUAGES:
        text = shown(records, form=typed, notice=Notice.PAUSED, detail=HOSTILE, language=language)
        assert not {"script", "img", "b"} & {tag for tag, _ in Read(text).elements}
        assert "\u202e" not in text
        assert Read(text).text.count("<script>x()</script>") >= 7


@given(st.text(max_size=60))
def test_any_text_of_a_log_comes_out_as_it_was_but_for_what_nobody_sees(text: str) -> None:
    page = Read(shown(asked(SURE.model_copy(update={"why": text}))))
    assert visible(text) in page.texts


@given(st.text())
def test_nothing_invisible_is_left_and_nothing_visible_is_lost(text: str) -> None:
    done = visible(text)
    left = {unicodedata.category(c) for c in done if c not in "\n\t"}
    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert visible(done) == done
    if text.isprintable():
        assert done == text


def test_what_turns_the_direction_of_text_is_named() -> None:
    assert visible("a\u202eb\u2066c\x1b[2Kd\r\ne\rf") == (
        "a⟨U+202E⟩b⟨U+2066⟩c⟨U+001B⟩[2Kd\ne⟨U+000D⟩f"
    )


def test_no_page_holds_a_script_a_style_of_an_element_or_anything_to_fetch() -> None:
    for text in every_page():
        page = Read(text)
        tags = {tag for tag, _ in page.elements}
        assert not tags & {"script", "img", "iframe", "link", "object", "base", "svg"}
        for _, found in page.elements:
            assert not {name for name in found if name.startswith("on")} | {"style"} & set(found)
            assert (found.get("href") or "#")[0] in "#?"
        assert len(page.all("style")) == len(page.all("h1")) == len(page.all("main")) == 1


def test_the_policy_lets_the_one_style_through_and_nothing_else() -> None:
    for text in every_page():
        (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert headers()["Content-Security-Policy"] == (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )


def test_the_headers_keep_the_page_out_of_caches_frames_indexes_and_referrers() -> None:
    rest = {k: v for k, v in headers().items() if k != "Content-Security-Policy"}
    assert rest == {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
        "Strict-Transport-Security": "max-age=31536000",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def test_who_changes_the_headers_of_one_answer_changes_no_other() -> None:
    headers().clear()
    assert headers()["Cache-Control"] == "no-store"


def test_only_the_page_knows_the_template_engine() -> None:
    using = re.compile(r"^\s*(?:from|import) (?:jinja2|markupsafe)\b", re.MULTILINE)
    modules = Path(autorepair.__file__).parent.rglob("*.py")
    knowing = {path.name for path in modules if using.search(path.read_text(encoding="utf-8"))}
    assert knowing == {"approval_page.py"}


def test_a_step_that_sends_messages_starts_without_the_template_engine() -> None:
    code = "import sys, autorepair.steps.request_approval; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
