"""Reads a page as a browser's parser would, as far as the tests have to know it."""

from __future__ import annotations

from html.parser import HTMLParser

from autorepair.domain.page import Language
from autorepair.views.approval_page import Form, Notice, question_page
from unit.question_records import PLAN, Records

LANGUAGES: tuple[Language, ...] = ("en", "zh")
FORM = Form(nonce="a-nonce")
VOID = {"meta", "input"}


class Read(HTMLParser):
    """The elements of a page with their attributes, and the text of each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[int] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")
        if tag not in VOID:
            self._open.append(len(self.texts) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]] += data

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.elements if name == tag]

    def by_id(self, name: str) -> dict[str, str | None]:
        (found,) = [found for _, found in self.elements if found.get("id") == name]
        return found


def shown(
    records: Records,
    *,
    form: Form | None = FORM,
    notice: Notice | None = None,
    detail: str = "",
    language: Language = "en",
) -> str:
    return question_page(records, PLAN, form=form, notice=notice, detail=detail, language=language)
