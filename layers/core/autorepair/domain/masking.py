"""Masks secrets and personal data in text, so that equal values stay recognisable as equal."""

from __future__ import annotations

import hashlib
import hmac
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from autorepair.domain.secret_formats import known_formats
from autorepair.domain.secret_patterns import PERSONAL, SECRETS, Pattern

_SHOWN = 8
_MASK = re.compile(r"\[masked-[a-z_]{1,30}-[0-9a-f]{8}\]")


class Masker:
    """Masks with a key, so that nobody can look a short value up by its digest."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def mask(self, text: str) -> str:
        """Give the text with every secret and all personal data replaced; never raises.

        ``[masked-<kind>-<8 hex digits>]`` stands for a value; the digits are an HMAC-SHA-256 of it,
        so the same value is recognised wherever it stands under the same key. Masking what is
        masked already changes nothing.
        """
        parts: list[str] = []
        end = 0
        for start, stop, kind in _merged(_unmasked(text)):
            parts.append(text[end:start])
            parts.append(f"[masked-{kind}-{self._digest(text[start:stop])}]")
            end = stop
        return "".join([*parts, text[end:]]) if parts else text

    def _digest(self, value: str) -> str:
        body = value.encode(errors="surrogatepass")
        return hmac.new(self._key, body, hashlib.sha256).hexdigest()[:_SHOWN]


_Span = tuple[int, int, str]


def _unmasked(text: str) -> list[_Span]:
    """Leave out what touches a mask: that has been dealt with."""
    masks = [match.span() for match in _MASK.finditer(text)]
    lowered = text.lower()
    secrets = _merged(_apart(_secrets(text, lowered), masks))
    taken = sorted([*masks, *((start, stop) for start, stop, _ in secrets)])
    return [*secrets, *_apart(_found(PERSONAL, text, lowered), taken)]


def _apart(spans: Iterable[_Span], taken: list[tuple[int, int]]) -> Iterator[_Span]:
    """Give the spans that touch none of those that are taken, which are in order."""
    starts = [start for start, _ in taken]
    for start, stop, kind in spans:
        place = bisect_left(starts, stop)
        if place == 0 or taken[place - 1][1] <= start:
            yield start, stop, kind


def _secrets(text: str, lowered: str) -> Iterator[_Span]:
    yield from _found(SECRETS, text, lowered)
    for kind, value in known_formats(text, lowered):
        start = text.find(value)
        while value and start >= 0:
            yield start, start + len(value), kind
            start = text.find(value, start + len(value))


def _found(patterns: tuple[Pattern, ...], text: str, lowered: str) -> Iterator[_Span]:
    for pattern in patterns:
        if not pattern.hints or any(hint in lowered for hint in pattern.hints):
            yield from _matches(pattern, text)


def _matches(pattern: Pattern, text: str) -> Iterator[_Span]:
    names = [name for name in ("s", "t") if name in pattern.regex.groupindex]
    for match in pattern.regex.finditer(text):
        group: str | int = next((name for name in names if match[name] is not None), 0)
        if pattern.is_one(match[group]):
            yield match.start(group), match.end(group), pattern.kind


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    """Join what overlaps, under the kind of the one that begins first (the longer one of two)."""
    merged: list[_Span] = []
    for start, stop, kind in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1][1]:
            first, last, named = merged[-1]
            merged[-1] = (first, max(last, stop), named)
        elif stop > start:
            merged.append((start, stop, kind))
    return merged
