"""What a state machine definition says, as a graph: who follows whom, who writes and reads what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Definition = dict[str, Any]
State = dict[str, Any]

TERMINAL_TYPES = frozenset({"Succeed", "Fail"})
PATH_FIELDS = (
    "Variable",
    "InputPath",
    "OutputPath",
    "SecondsPath",
    "TimestampPath",
    "TimeoutSecondsPath",
    "HeartbeatSecondsPath",
    "ItemsPath",
    "ErrorPath",
    "CausePath",
)
_KEY = re.compile(r"(?<!\$)\$\.([A-Za-z_]\w*)")


def states_of(definition: Definition) -> dict[str, State]:
    states: dict[str, State] = definition["States"]
    return states


def tasks_of(definition: Definition) -> dict[str, State]:
    return {n: s for n, s in states_of(definition).items() if s["Type"] == "Task"}


def successors(state: State) -> Iterator[tuple[str, str | None]]:
    """Each state that may come next, with the key its Catch writes or None on a plain way."""
    for field in ("Next", "Default"):
        if field in state:
            yield state[field], None
    for choice in state.get("Choices", []):
        yield choice["Next"], None
    for catcher in state.get("Catch", []):
        yield catcher["Next"], _top_key(catcher["ResultPath"])


def dangling(definition: Definition) -> list[str]:
    states = states_of(definition)
    named = [("StartAt", definition["StartAt"])]
    named += [(name, to) for name, state in states.items() for to, _ in successors(state)]
    return [f"{name} leads to {to}, which does not exist" for name, to in named if to not in states]


def unreachable(definition: Definition) -> list[str]:
    seen = _reachable_from(definition["StartAt"], definition)
    return [f"{name} is never reached" for name in states_of(definition) if name not in seen]


def endless(definition: Definition) -> list[str]:
    states = states_of(definition)
    ends = {n for n, s in states.items() if s["Type"] in TERMINAL_TYPES or s.get("End")}
    return [
        f"{name} never comes to an end"
        for name in states
        if not ends & _reachable_from(name, definition)
    ]


def unwritten_reads(definition: Definition) -> list[str]:
    """Reads of a top-level key that some way to the state has not written."""
    known = keys_at_entry(definition)
    return sorted(
        f"{name} reads $.{key}, which not every way to it has written"
        for name, state in states_of(definition).items()
        if name in known
        for key in reads(state) - known[name]
    )


def keys_at_entry(definition: Definition) -> dict[str, frozenset[str]]:
    """The keys that are there whenever a state begins, by whatever way it was reached.

    A forward analysis: the sets only shrink as further ways are found, until nothing moves.
    """
    states = states_of(definition)
    known: dict[str, frozenset[str]] = {definition["StartAt"]: frozenset()}
    open_ends = [definition["StartAt"]]
    while open_ends:
        name = open_ends.pop()
        for to, caught in successors(states[name]):
            after = _keys_after(states[name], known[name], caught)
            merged = known[to] & after if to in known else after
            if to in states and known.get(to) != merged:
                known[to] = merged
                open_ends.append(to)
    return known


def reads(state: State) -> frozenset[str]:
    """The top-level keys of the state data that a state reads by name."""
    found = [value for field, value in _walk(state, skip=("Catch", "ResultSelector", "Result"))
             if field in PATH_FIELDS or field.endswith(".$")]  # fmt: skip
    return frozenset(key for path in found for key in _KEY.findall(path))


def written_keys(definition: Definition) -> dict[str, frozenset[str]]:
    """Which states write a key, their Catches included; "$" stands for the whole."""
    writers: dict[str, set[str]] = {}
    for name, state in states_of(definition).items():
        if state["Type"] in {"Task", "Pass"}:
            writers.setdefault(_top_key(state.get("ResultPath", "$")), set()).add(name)
        for catcher in state.get("Catch", []):
            writers.setdefault(_top_key(catcher["ResultPath"]), set()).add(f"{name}.Catch")
    return {key: frozenset(names) for key, names in writers.items()}


def error_names(state: State) -> frozenset[str]:
    clauses = [*state.get("Retry", []), *state.get("Catch", [])]
    return frozenset(error for clause in clauses for error in clause["ErrorEquals"])


def _keys_after(state: State, before: frozenset[str], caught: str | None) -> frozenset[str]:
    if caught is not None:
        # The error itself takes the place of the whole.
        return frozenset({"Error", "Cause"}) if caught == "$" else before | {caught}
    if state["Type"] not in {"Task", "Pass"}:
        return before
    key = _top_key(state.get("ResultPath", "$"))
    if key != "$":
        return before | {key}
    whole = state.get("ResultSelector") or state.get("Parameters") or {}
    return frozenset(name.removesuffix(".$") for name in whole)


def _reachable_from(start: str, definition: Definition) -> set[str]:
    states = states_of(definition)
    seen: set[str] = set()
    open_ends = [start]
    while open_ends:
        name = open_ends.pop()
        if name in seen or name not in states:
            continue
        seen.add(name)
        open_ends += [to for to, _ in successors(states[name])]
    return seen


def _top_key(path: str) -> str:
    return "$" if path == "$" else _KEY.findall(path)[0]


def _walk(node: object, *, skip: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for field, value in node.items():
            if field in skip:
                continue
            if isinstance(value, str):
                yield field, value
            yield from _walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value)
