"""The form of the approval page as it was sent, and what is to be mended in it."""

from __future__ import annotations

import base64
import unicodedata
from typing import Literal
from urllib.parse import parse_qsl

from pydantic import Field, ValidationError

from autorepair.domain.approval_link import BY_THE_LINK
from autorepair.domain.errors import MalformedEventError
from autorepair.domain.page import PageRequest
from autorepair.domain.value import Value
from autorepair.views.approval_page import LONGEST_COMMENT, LONGEST_NAME, Notice
from autorepair.views.plain_text import is_unfit

LARGEST_BODY = 16 * 1024
"""Bytes. The longest name and comment in Chinese, nine bytes a character as a form is sent, fit."""
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 10
# Letters, marks and signs to Unicode, and blank on a screen: a name of them would be nobody's.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


class PageForm(Value):
    """What a person has sent; nothing of it has been judged."""

    answer: Literal["approved", "rejected"]
    nonce: str = Field("", repr=False)
    function_name: str = ""
    name: str = ""
    comment: str = ""

    @property
    def by(self) -> str:
        """Who answers, as the record tells it: nobody has proved the name."""
        return f"{' '.join(self.name.split())}{BY_THE_LINK}"

    @property
    def told(self) -> str | None:
        """The comment as the record keeps it, None if there is none.

        A form sends line breaks as CR and LF. What a terminal would obey, and what turns the
        direction of a text, is left out: the comment is shown to others.
        """
        lines = self.comment.replace("\r\n", "\n").replace("\r", "\n")
        return "".join(c for c in lines if c in "\n\t" or not is_unfit(c)).strip() or None

    def complaint(self, function_name: str) -> Notice | None:
        """Say what the person has to mend; None: nothing."""
        if self.function_name.strip() != function_name:
            is_missing = not self.function_name.strip()
            return Notice.FUNCTION_MISSING if is_missing else Notice.WRONG_FUNCTION
        # Before white space is collapsed: some control characters count as such.
        if any(unicodedata.category(c) == "Cc" for c in self.name):
            return Notice.NAME_UNFIT
        name = " ".join(self.name.split())
        if not name:
            return Notice.NAME_MISSING
        if len(name) > LONGEST_NAME or not name.isprintable() or not _is_seen(name):
            return Notice.NAME_UNFIT
        return Notice.COMMENT_TOO_LONG if len(self.told or "") > LONGEST_COMMENT else None


def _is_seen(name: str) -> bool:
    """Whether there is something that marks are put on, and nothing that only looks so."""
    return _BLANKS.isdisjoint(name) and any(unicodedata.category(c)[0] in "LNPS" for c in name)


def form_of(request: PageRequest) -> PageForm:
    """Read the form.

    Raises:
        MalformedEventError: It is not a form of the page; the message quotes nothing of it.
    """
    if request.header("content-type").partition(";")[0].strip().lower() != _FORM:
        raise MalformedEventError(f"the body is not {_FORM}")
    fields = _fields(_body(request))
    known = {name: value for name, value in fields if name in PageForm.model_fields}
    if len({name for name, _ in fields}) != len(fields):
        raise MalformedEventError("a field of the form was sent twice")
    try:
        return PageForm.model_validate(known)
    except ValidationError:
        # Not chained: the validation error quotes its input.
        raise MalformedEventError("the form names no answer") from None


def _body(request: PageRequest) -> bytes:
    sent = request.body or ""
    # In base64 three bytes are sent as four.
    if len(sent) > LARGEST_BODY * 4 // 3 + 4:
        raise MalformedEventError("the body is too large")
    try:
        body = base64.b64decode(sent, validate=True) if request.is_base64 else sent.encode("ascii")
    except ValueError:
        raise MalformedEventError("the body is not in ASCII, or not in base64") from None
    if len(body) > LARGEST_BODY:
        raise MalformedEventError("the body is too large")
    return body


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=_MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise MalformedEventError("the body cannot be read as a form") from None
