"""Recorded text made fit to be printed: it can neither steer a terminal nor pose as other lines.

Names, comments and log words are written by others. Records keep them as they were given, so it
is the printing that makes them harmless, those of older records too.
"""

from __future__ import annotations

import unicodedata

# They turn the direction of what is shown after them: a comment could read as another record.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Control characters, the separators of lines and paragraphs, and halves of a character.
_UNFIT = frozenset({"Cc", "Zl", "Zp", "Cs"})


def lines_shown(text: str) -> tuple[str, ...]:
    """Give the lines of a text, at least one; what a terminal would obey is told as its code.

    Runs of white space become one space: padded to a terminal's width, the rest of a line would
    look like a line of its own.
    """
    lines = (" ".join(line.split()) for line in text.splitlines())
    return tuple("".join(_shown(c) for c in line) for line in lines) or ("",)


def one_line(text: str, longest: int) -> str:
    """Give a text on one line of at most ``longest`` characters, without what steers a terminal."""
    flat = " ".join("".join(c for c in " ".join(text.split()) if not is_unfit(c)).split())
    return flat if len(flat) <= longest else f"{flat[: longest - 3]}..."


def is_unfit(letter: str) -> bool:
    """Whether a terminal obeys this character, or shows what follows it in another direction."""
    return letter in _TURNING or unicodedata.category(letter) in _UNFIT


def as_json_shown(document: str) -> str:
    """Escape what is unfit in a JSON document; its own line breaks stay, and so does its meaning.

    Outside its strings a document holds nothing that is unfit but line breaks.
    """
    return "".join(c if c == "\n" or not is_unfit(c) else f"\\u{ord(c):04x}" for c in document)


def _shown(letter: str) -> str:
    return f"<U+{ord(letter):04X}>" if is_unfit(letter) else letter
