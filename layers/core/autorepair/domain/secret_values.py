"""What tells a secret's value from a word, a name, a path or a reference in its place."""

from __future__ import annotations

import math
import re
from collections import Counter

_LONG_TOKEN = 24
_LONG_WORD = 15
_FEWEST_DIGITS, _MOST_DIGITS = 8, 15
_ENTROPY = 3.5
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WORD = re.compile(
    r"(?i:null|none|nil|undefined|true|false|missing|required|invalid|expired|empty|unset|not|and"
    r"|is|was|the|for|from|with|string|bytes|object|redacted|hidden|masked|yes|no|ok|set|error"
    r"|disabled|enabled|default|unknown|n/a|type|expected|unexpected|failed|bearer|basic|digest)"
    r"|\*+|x{3,}|\.{3,}|\d{1,3}(?:\.\d+)?"
)
# What points to a value, in a closed form: a dollar alone may begin a password.
_REFERENCE = re.compile(
    r"\$\{[^}]{1,100}\}|\$\w{1,60}\b(?<=[A-Z_])|\{\{[^}]{0,100}\}\}|\{[A-Za-z_]{0,40}\}|%\(\w{1,60}\)s"
    r"|%\w{1,60}%|<[A-Za-z_ -]{1,40}>|\(?none\)?|\[masked-[a-z_]{1,30}-[0-9a-f]{12}\]|arn:aws.*"
    r"|(?:https?|wss?)://.*"
    # A name of a variable that is named like a secret, and an expression of the code.
    r"|(?=[A-Z0-9_]*(?:SECRET|TOKEN|KEY|PASS|PWD|CRED|AUTH))[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"
    r"|(?:os|process|System|ENV|env|self|this|config|settings|event|request|args|options|ctx"
    r"|context)[.\[(].*|[A-Za-z_][\w.]{0,80}\(.*"
)
_PATH = re.compile(r"(?:\.{0,2}/)?[a-z0-9_.-]{1,60}(?:/[a-z0-9_.{}$-]{1,60}){1,12}/?")
_PROSE_SECRET = re.compile(r"(?=.{0,200}\d)(?=.{0,200}[A-Za-z])|.{0,200}[^\w\s.,:;'\"()-]")
_PORT = re.compile(r"\d{1,5}(?:/.*)?")


def entropy_of(text: str) -> float:
    """Give the Shannon entropy of a text's characters, in bits per character."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values())


def is_value(text: str) -> bool:
    """Whether this is a value, and no word, mask or reference in its place."""
    return _WORD.fullmatch(text) is None and _REFERENCE.fullmatch(text) is None


def is_quoted_value(text: str) -> bool:
    """Whether a text in quotes behind a telling name is a value; a path names a secret."""
    return is_value(text) and not (_PATH.fullmatch(text) and "/" in text.strip("/"))


def is_told_value(text: str) -> bool:
    """Whether the word behind a colon is a value, and not the next word of a sentence."""
    if not is_quoted_value(text):
        return False
    return _PROSE_SECRET.match(text) is not None or len(text) >= _LONG_WORD


def is_url_password(text: str) -> bool:
    """Whether this stands in a URL for a password, and not for a port with a path behind it."""
    return is_value(text) and _PORT.fullmatch(text) is None


def is_query_value(text: str) -> bool:
    """Whether a parameter of a URL holds more than a path or a word."""
    return is_quoted_value(text)


def is_random(text: str) -> bool:
    """Whether a token is of the kind that a machine makes up: mixed, long, without a word in it."""
    if _UUID.fullmatch(text) or not is_value(text):
        return False
    has_mix = any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
    return has_mix and entropy_of(text) >= _ENTROPY and "/" not in text.strip("/")[:12]


def is_key_row(text: str) -> bool:
    """Whether a line alone is a row of a key in base64: a hash in hex has no capitals."""
    row = text.strip()
    has_mix = any(c.isupper() for c in row) and any(c.islower() for c in row)
    return has_mix and any(c.isdigit() for c in row) and entropy_of(row) >= _ENTROPY


def is_bearer(text: str) -> bool:
    """Whether this follows the scheme of an authorization, and not the word in a sentence."""
    return is_value(text) and (any(c.isdigit() for c in text) or len(text) >= _LONG_TOKEN)


def is_card(text: str) -> bool:
    """Whether the digits pass the check of ISO/IEC 7812 (Luhn) and are not one repeated."""
    digits = _digits(text)
    doubled = [
        d if place % 2 == 0 else (2 * d - 9 if 2 * d > 9 else 2 * d)  # noqa: PLR2004 - one digit
        for place, d in enumerate(reversed(digits))
    ]
    return len(set(digits)) > 2 and sum(doubled) % 10 == 0  # noqa: PLR2004 - not one repeated


def is_phone(text: str) -> bool:
    """Whether there are as many digits as ITU-T E.164 allows, and as a subscriber has at least."""
    return _FEWEST_DIGITS <= len(_digits(text)) <= _MOST_DIGITS


def is_iban(text: str) -> bool:
    """Whether the check digits of ISO 13616 are right."""
    compact = text.replace(" ", "")
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _digits(text: str) -> list[int]:
    return [int(c) for c in text if c.isdigit()]
