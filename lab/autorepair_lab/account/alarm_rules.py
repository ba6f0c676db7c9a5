"""The rule language of composite alarms: ALARM("a") OR (NOT OK("b") AND TRUE)."""

from __future__ import annotations

import re
from collections.abc import Callable

from autorepair_lab.account.call import CallRefusedError

_TOKEN = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]+)\"|(?P<bare>[^\s\")]+))"
    r"\s*\)|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<paren>[()]))"
)
StateOf = Callable[[str], str]
_Test = Callable[[StateOf], bool]


def children(rule: str) -> list[str]:
    """The names of the alarms that a rule speaks of, in its order."""
    names = [
        _name(match["quoted"] or match["bare"])
        for match in _TOKEN.finditer(rule)
        if match["state"] is not None
    ]
    return list(dict.fromkeys(names))


def compile_rule(rule: str) -> _Test:
    """A test of the rule, given the state of each alarm by name.

    Raises CallRefusedError (ValidationError) for bad syntax.
    """
    return _Rule(rule).parse()


def _name(reference: str) -> str:
    return reference.partition(":alarm:")[2] or reference


class _Rule:
    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._tokens: list[re.Match[str]] = []
        position = 0
        while rule[position:].strip():
            match = _TOKEN.match(rule, position)
            if match is None:
                raise self._invalid()
            self._tokens.append(match)
            position = match.end()
        self._at = 0

    def parse(self) -> _Test:
        test = self._any()
        if self._at != len(self._tokens):
            raise self._invalid()
        return test

    def _invalid(self) -> CallRefusedError:
        return CallRefusedError("ValidationError", f"AlarmRule is not valid: {self._rule}")

    def _next_is(self, group: str, text: str) -> bool:
        is_there = self._at < len(self._tokens) and self._tokens[self._at][group] == text
        self._at += is_there
        return is_there

    def _any(self) -> _Test:
        tests = [self._all()]
        while self._next_is("word", "OR"):
            tests.append(self._all())
        return lambda state_of: any(test(state_of) for test in tests)

    def _all(self) -> _Test:
        tests = [self._one()]
        while self._next_is("word", "AND"):
            tests.append(self._one())
        return lambda state_of: all(test(state_of) for test in tests)

    def _one(self) -> _Test:
        if self._next_is("word", "NOT"):
            inner = self._one()
            return lambda state_of: not inner(state_of)
        if self._next_is("word", "TRUE"):
            return lambda _state_of: True
        if self._next_is("word", "FALSE"):
            return lambda _state_of: False
        if self._next_is("paren", "("):
            inner = self._any()
            if not self._next_is("paren", ")"):
                raise self._invalid()
            return inner
        return self._state()

    def _state(self) -> _Test:
        if self._at >= len(self._tokens) or self._tokens[self._at]["state"] is None:
            raise self._invalid()
        token = self._tokens[self._at]
        self._at += 1
        state, name = token["state"], _name(token["quoted"] or token["bare"])
        return lambda state_of: state_of(name) == state
