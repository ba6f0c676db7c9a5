"""Patterns over text of any case, made for speed: log text is long, and may be hostile.

Python's expressions are several times slower where they have to fold case at each letter; so the
text is lowered once, and the patterns are lowered as they are made.
"""

from __future__ import annotations

import re

_LETTER = re.compile(r"\\.|[A-Z]", re.DOTALL)
# An error says what it is at its beginning, and what caused it at its end.
_HEAD, _TAIL = 2500, 1000


def wording(source: str) -> re.Pattern[str]:
    """Compile a pattern that finds its words, of whatever case, in a lowered text."""
    return re.compile(_LETTER.sub(_lower, source))


def lowered(text: str, most: int = _HEAD + _TAIL) -> str:
    """Lower a text; of a long one only so many characters, from its head and its tail."""
    if len(text) > most:
        head = most * _HEAD // (_HEAD + _TAIL)
        text = f"{text[:head]}\n{text[len(text) - (most - head) :]}"
    return text.lower()


def _lower(match: re.Match[str]) -> str:
    # What follows a backslash has a meaning of its own (\S, \W) and is left alone.
    return match[0] if match[0][0] == "\\" else match[0].lower()
