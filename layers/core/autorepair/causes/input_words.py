"""Which words of an error are about a call's input, or quoted from it, and not about a setting."""

from __future__ import annotations

import re
from functools import lru_cache

# A name of the program's own that it does not know.
_IDENTIFIER = re.compile(
    r"ReferenceError\b|NameError\b|UnboundLocalError\b|undefined local variable"
    r"|uninitialized constant|NameResolution"
)
# What was handed over with blanks in it is a stranger's, not the name of a thing.
_QUOTED = re.compile(
    r"\"(?!: )[^\"\n]{0,300} [^\"\n]{0,300}\"|(?<!\w)'[^'\n]{0,300} [^'\n]{0,300}'(?!\w)"
    r"|`[^`\n]{0,300} [^`\n]{0,300}`"
)
_OF_INPUT = (
    r"(?: is| was)?(?: a)?(?: (?:required|missing|not (?:found|set|present|provided|defined)|unset"
    r"|empty|null|undefined))?,? (?:in|from|of|on) (?:the |its |your |this )?(?:\w{1,20} ){0,2}"
    r"(?:payload|body|request|headers?|event|message|row|record|column|quer(?:y|ies)|params"
    r"|parameters|json|input|document|csv|sheet|form|schema|response|item|token|claims?)\b"
)
_FIELD = (
    r"(?:unknown|unexpected|invalid|missing|required|no) (?:form |http |request |query |csv )?"
    r"(?:field|column|header|property|attribute|element|tag|claim|cookie)s?:? [\"'`]?"
)
_INPUTS = (
    re.compile(rf"(?i)(?<!\w)(\w{{1,200}})[\"'`]?{_OF_INPUT}"),
    re.compile(rf"(?i){_FIELD}(\w{{1,200}})"),
)
_READ = re.compile(r"([\w.]{1,60}|\]|\)) ?\[[\"'](\w{1,200})[\"'](?=\])")
_LONGEST = 8000
_SETTINGS = re.compile(r"(?i)env|config|settings|conf\b|options|os$|secrets|defaults")


def without_quotes(text: str) -> str:
    """Leave out of a text what it quotes with blanks in it."""
    return _QUOTED.sub("''", text)


def is_identifier(text: str) -> bool:
    """Whether a text is about a name that the program itself does not know."""
    return _IDENTIFIER.search(text[:2000]) is not None


def is_of_input(text: str, name: str) -> bool:
    """Whether a text tells of a name as of a part of the input, by its words or its source line."""
    of_input, read = _told_in(text[:_LONGEST])
    if name.lower() in of_input:
        return True
    bases = read.get(name, ())
    return bool(bases) and not any(_SETTINGS.search(base) for base in bases)


@lru_cache(maxsize=256)
def _told_in(text: str) -> tuple[frozenset[str], dict[str, tuple[str, ...]]]:
    """Give the words that a text calls a part of the input, and what each key is read from."""
    told = text[: _LONGEST // 2]
    of_input = {word.lower() for pattern in _INPUTS for word in pattern.findall(told)}
    read: dict[str, tuple[str, ...]] = {}
    for base, key in _READ.findall(text):
        read[key] = (*read.get(key, ()), base)
    return frozenset(of_input), read
