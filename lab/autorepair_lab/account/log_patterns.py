"""CloudWatch Logs filter patterns: terms, quoted phrases, regular expressions, JSON conditions."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable
from typing import Any

from autorepair_lab.account.call import CallRefusedError

Matcher = Callable[[str], bool]
_JsonTest = Callable[[Any], bool]

_TERM = re.compile(
    r'(?P<sign>[?-]?)(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]+)%|(?P<word>\S+))'
)
_TOKEN = re.compile(
    r"\s*(?:(?P<paren>[()])|(?P<logic>&&|\|\|)|(?P<path>\$[\w.\-\[\]*@]*)"
    r"|(?P<op>>=|<=|!=|=|>|<)|(?P<word>IS|NOT|EXISTS|NULL|TRUE|FALSE)\b"
    r'|"(?P<quoted>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]+)%|(?P<bare>[^\s()&|]+))',
    re.IGNORECASE,
)


def compile_pattern(pattern: str) -> Matcher:
    """A test for messages. An empty pattern matches all.

    Raises CallRefusedError: InvalidParameterException for a pattern with bad syntax,
    NotImplementedInLab for space-delimited ones (``[a, b]``).
    """
    text = pattern.strip()
    if not text:
        return lambda _message: True
    if text.startswith("["):
        raise CallRefusedError(
            "NotImplementedInLab", "The lab has no space-delimited filter patterns yet", 501
        )
    if text.startswith("{"):
        if not text.endswith("}"):
            raise _invalid(pattern)
        return _json_matcher(_JsonPattern(text[1:-1], pattern).parse())
    return _terms(text)


def _terms(text: str) -> Matcher:
    wanted: list[Matcher] = []
    optional: list[Matcher] = []
    excluded: list[Matcher] = []
    for match in _TERM.finditer(text):
        sign = match["sign"]
        kind = {"?": optional, "-": excluded}.get(sign, wanted)
        kind.append(_term(match))

    def matches(message: str) -> bool:
        if any(test(message) for test in excluded):
            return False
        # Beside required terms CloudWatch ignores the optional ones.
        if wanted:
            return all(test(message) for test in wanted)
        return not optional or any(test(message) for test in optional)

    return matches


def _term(match: re.Match[str]) -> Matcher:
    if match["regex"] is not None:
        expression = re.compile(match["regex"])
        return lambda message: expression.search(message) is not None
    term = match["word"] if match["quoted"] is None else _unescaped(match["quoted"])
    return lambda message: term in message


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _json_matcher(test: _JsonTest) -> Matcher:
    def matches(message: str) -> bool:
        try:
            document = json.loads(message)
        except ValueError:
            return False
        return isinstance(document, dict | list) and test(document)

    return matches


class _JsonPattern:
    """A recursive descent over ``$.a = 1 && ($.b = "x*" || $.c NOT EXISTS)``."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise _invalid(source)
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        self._at = 0

    def parse(self) -> _JsonTest:
        test = self._any()
        if self._at != len(self._tokens):
            raise _invalid(self._source)
        return test

    def _take(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise _invalid(self._source)
        self._at += 1
        return self._tokens[self._at - 1]

    def _next_is(self, kind: str, text: str) -> bool:
        return self._tokens[self._at : self._at + 1] == [(kind, text)]

    def _any(self) -> _JsonTest:
        tests = [self._all()]
        while self._next_is("logic", "||"):
            self._take()
            tests.append(self._all())
        return lambda document: any(test(document) for test in tests)

    def _all(self) -> _JsonTest:
        tests = [self._one()]
        while self._next_is("logic", "&&"):
            self._take()
            tests.append(self._one())
        return lambda document: all(test(document) for test in tests)

    def _one(self) -> _JsonTest:
        kind, text = self._take()
        if (kind, text) == ("paren", "("):
            test = self._any()
            if self._take() != ("paren", ")"):
                raise _invalid(self._source)
            return test
        if kind != "path":
            raise _invalid(self._source)
        return self._condition(text)

    def _condition(self, path: str) -> _JsonTest:
        kind, text = self._take()
        if kind == "word":
            return self._word_condition(path, text.upper())
        if kind != "op":
            raise _invalid(self._source)
        value_kind, value = self._take()
        compare = _comparison(text, value_kind, value, self._source)
        is_negative = text == "!="

        def test(document: Any) -> bool:  # noqa: ANN401 - any JSON
            found = _select(document, path)
            results = [compare(one) for one in found]
            return all(results) if is_negative else any(results)

        return test

    def _word_condition(self, path: str, word: str) -> _JsonTest:
        what = self._take()[1].upper()
        if (word, what) == ("NOT", "EXISTS"):
            return lambda document: not _select(document, path)
        constants = {"NULL": None, "TRUE": True, "FALSE": False}
        if word == "IS" and what in constants:
            wanted = constants[what]
            return lambda document: any(one is wanted for one in _select(document, path))
        raise _invalid(self._source)


def _comparison(op: str, kind: str, value: str, source: str) -> _JsonTest:
    if kind == "regex":
        expression = re.compile(value)
        return lambda one: (expression.search(str(one)) is not None) == (op == "=")
    text = _unescaped(value) if kind == "quoted" else value
    number = _number(text) if kind != "quoted" else None
    if op in {"=", "!="}:
        wants_equal = op == "="
        return lambda one: _equals(one, text, number) == wants_equal
    if number is None:
        raise _invalid(source)
    tests: dict[str, Callable[[float], bool]] = {
        ">": lambda one: one > number,
        "<": lambda one: one < number,
        ">=": lambda one: one >= number,
        "<=": lambda one: one <= number,
    }
    return lambda one: isinstance(one, int | float) and tests[op](float(one))


def _equals(one: Any, text: str, number: float | None) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(one, bool):
        return str(one).lower() == text.lower()
    if isinstance(one, int | float):
        return number is not None and float(one) == number
    if not isinstance(one, str):
        return False
    if "*" in text:
        # Only the asterisk is special here; fnmatch's other signs are taken as they are.
        escaped = re.sub(r"([\[\]?])", r"[\1]", text)
        return fnmatch.fnmatchcase(one, escaped)
    return one == text


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _select(document: Any, path: str) -> list[Any]:  # noqa: ANN401 - any JSON
    found = [document]
    for name, index in re.findall(r"\.([\w\-@]+)|\[(\d+|\*)\]", path[1:]):
        found = [one for value in found for one in _step(value, name, index)]
    return found


def _step(value: Any, name: str, index: str) -> list[Any]:  # noqa: ANN401 - any JSON
    if name:
        return [value[name]] if isinstance(value, dict) and name in value else []
    if not isinstance(value, list):
        return []
    if index == "*":
        return value
    return value[int(index) : int(index) + 1]


def _invalid(pattern: str) -> CallRefusedError:
    return CallRefusedError("InvalidParameterException", f"Invalid filter pattern: {pattern}")
