"""Masks secrets and personal data in text, so that equal values stay recognisable as equal."""

from __future__ import annotations

import hashlib
import hmac
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from autorepair.domain.secret_formats import known_formats
from autorepair.domain.secret_patterns import PERSONAL, SECRETS, Pattern

_SHOWN, _CHECK = 8, 4
_MASK = re.compile(r"\[masked-[a-z_]{1,30}-([0-9a-f]{8})([0-9a-f]{4})\]")
_ESCAPED = re.compile(r"(?<!\\)((?:\\\\){0,8})\\u00(2[0-9a-f]|3[0-9a-f]|40)", re.IGNORECASE)
# A second look finds what only stood out once its neighbour was gone; a third never found more.
_MOST_LOOKS = 3
_LEAST_LEFT = 3
_Span = tuple[int, int, str]


class Masker:
    """Masks with a key, so that nobody can look a short value up by its digest."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def mask(self, text: str) -> str:
        """Give the text with every secret and all personal data replaced; never raises.

        ``[masked-<kind>-<12 hex digits>]`` stands for a value: eight digits are an HMAC-SHA-256 of
        it, so the same value is recognised wherever it stands under the same key; four are a check
        of the mask itself, so that a mask which a stranger wrote into a log shields nothing.
        """
        text = _unescaped(text)
        for _ in range(_MOST_LOOKS):
            masked = self._masked_once(text)
            if masked == text:
                break
            text = masked
        return text

    def _masked_once(self, text: str) -> str:
        parts: list[str] = []
        end = 0
        for start, stop, kind in _merged(self._unmasked(text)):
            parts.append(text[end:start])
            parts.append(self._mask_of(kind, text[start:stop]))
            end = stop
        return "".join([*parts, text[end:]]) if parts else text

    def _unmasked(self, text: str) -> list[_Span]:
        """Give what is to be masked, leaving out the masks of this key."""
        masks = [m.span() for m in _MASK.finditer(text) if self._check_of(m[1]) == m[2]]
        lowered = text.lower()
        secrets = _merged(_around(_secrets(text, lowered), masks))
        taken = sorted([*masks, *((start, stop) for start, stop, _ in secrets)])
        return [*secrets, *_apart(_found(PERSONAL, text, lowered), taken)]

    def _mask_of(self, kind: str, value: str) -> str:
        shown = self._digest(value)[:_SHOWN]
        return f"[masked-{kind}-{shown}{self._check_of(shown)}]"

    def _check_of(self, shown: str) -> str:
        return self._digest(f"mask {shown}")[:_CHECK]

    def _digest(self, value: str) -> str:
        body = value.encode(errors="surrogatepass")
        return hmac.new(self._key, body, hashlib.sha256).hexdigest()


_NOBODYS_KEY = b"replaced at once"
_BLANK = "<secret>"


def blanked(text: str) -> str:
    """Give the text with one word for every secret, whether it is masked already or not.

    So what was stored compares with what was just read. Never raises.
    """
    bare = _MASK.sub(_BLANK, text)
    return _MASK.sub(_BLANK, Masker(_NOBODYS_KEY).mask(bare))


def _unescaped(text: str) -> str:
    """Write out what JSON spells as escapes (.NET does so for quotes): a secret may hide in them.

    The text stays the JSON that it was.
    """
    return _ESCAPED.sub(_written_out, text) if "\\u00" in text else text


def _written_out(match: re.Match[str]) -> str:
    character = chr(int(match[2], 16))
    return f'{match[1]}\\"' if character == '"' else f"{match[1]}{character}"


def _apart(spans: Iterable[_Span], taken: list[tuple[int, int]]) -> Iterator[_Span]:
    """Give the spans that touch none of those that are taken, which are in order."""
    starts = [start for start, _ in taken]
    for start, stop, kind in spans:
        place = bisect_left(starts, stop)
        if place == 0 or taken[place - 1][1] <= start:
            yield start, stop, kind


def _around(spans: Iterable[_Span], taken: list[tuple[int, int]]) -> Iterator[_Span]:
    """Give the spans without what is taken: what is left of them before, between and behind."""
    starts = [start for start, _ in taken]
    for start, stop, kind in spans:
        at = start
        place = max(0, bisect_left(starts, start) - 1)
        is_cut = False
        while place < len(taken) and taken[place][0] < stop:
            first, last = taken[place]
            if last > start:
                is_cut = True
                if first - at >= _LEAST_LEFT:
                    yield at, first, kind
                at = max(at, last)
            place += 1
        if stop - at >= (_LEAST_LEFT if is_cut else 1):
            yield at, stop, kind


def _secrets(text: str, lowered: str) -> Iterator[_Span]:
    yield from _found(SECRETS, text, lowered)
    # Each value once, however often it stands there: a stranger may repeat it.
    for value, kind in {value: kind for kind, value in known_formats(text, lowered)}.items():
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
