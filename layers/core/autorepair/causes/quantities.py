"""Quantities that log lines tell: sizes in megabytes, durations in milliseconds."""

from __future__ import annotations

import re

# How far into a line a quantity is looked for.
_LOOKED_AT = 4000
_NUMBER = r"(\d{1,15}(?:[.,]\d{1,6})?)"
_SIZE_UNITS = {
    "b": 1 / 1024**2, "byte": 1 / 1024**2, "bytes": 1 / 1024**2,
    "k": 1 / 1024, "kb": 1 / 1024, "kib": 1 / 1024,
    "m": 1.0, "mb": 1.0, "mib": 1.0,
    "g": 1024.0, "gb": 1024.0, "gib": 1024.0,
}  # fmt: skip
# "unpacked_mb=1282", '"sizeBytes": 1340620' and the like: the unit is in the name.
_NAMED_SIZE = re.compile(
    rf"\b([A-Za-z][\w.-]{{0,40}}?)[_.-]?(mi?b|gi?b|ki?b|bytes)\"?\s?[=:]\s?\"?{_NUMBER}\b",
    re.IGNORECASE,
)
# "needs 640 MB", "1.2GB": the unit is behind the number.
_PLAIN_SIZE = re.compile(
    rf"([A-Za-z][\w -]{{0,40}}?)?[\s=:(\"]{{0,3}}(?<![\w.]){_NUMBER} ?(gi?b|mi?b|ki?b|bytes)\b",
    re.IGNORECASE,
)


def sizes_mb(text: str) -> list[tuple[str, float]]:
    """Give each size that a text tells, in MB, with the words that name it, in lower case."""
    head = text[:_LOOKED_AT]
    named = [
        (match[1].lower(), _number(match[3]) * _SIZE_UNITS[match[2].lower()])
        for match in _NAMED_SIZE.finditer(head)
    ]
    plain = [
        ((match[1] or "").lower(), _number(match[2]) * _SIZE_UNITS[match[3].lower()])
        for match in _PLAIN_SIZE.finditer(head)
    ]
    return named + plain


def _number(text: str) -> float:
    # A comma parts thousands where three digits follow it, and decimals elsewhere.
    whole, comma, rest = text.partition(",")
    if comma:
        text = f"{whole}{rest}" if len(rest) == 3 else f"{whole}.{rest}"  # noqa: PLR2004 (thousands)
    return float(text)
