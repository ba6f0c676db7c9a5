"""Which port methods a step may come to call, read from the source of the steps."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

STEPS = Path(__file__).parents[2] / "layers" / "core" / "autorepair" / "steps"
PACKAGE = "autorepair.steps"

Place = tuple[str, str]  # a module of the steps and a name defined in it
PortCall = tuple[str, str]  # a port and its method


def port_calls(step: str) -> frozenset[PortCall]:
    """Every port method within reach of the functions of a step's module.

    Follows names from function to function, also into other modules of the steps. That may be
    more than ever runs, never less: a port is only ever reached as `ports.<name>.<method>`.
    """
    seen: set[Place] = set()
    found: set[PortCall] = set()
    open_ends = [(step, name) for name in _definitions(step)]
    while open_ends:
        place = open_ends.pop()
        if place in seen:
            continue
        seen.add(place)
        node = _definitions(place[0])[place[1]]
        found |= _calls_in(node)
        open_ends += _names_in(place[0], node)
    return frozenset(found)


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse((STEPS / f"{module}.py").read_text())


@cache
def _definitions(module: str) -> dict[str, ast.AST]:
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for node in _tree(module).body if isinstance(node, kinds)}


@cache
def _imported(module: str) -> dict[str, Place]:
    return {
        alias.asname or alias.name: (node.module.rpartition(".")[2], alias.name)
        for node in _tree(module).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}.")
        if node.module
        for alias in node.names
    }


def _names_in(module: str, node: ast.AST) -> list[Place]:
    places = []
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            target = _imported(module).get(part.id, (module, part.id))
            if target[1] in _definitions(target[0]):
                places.append(target)
    return places


def _calls_in(node: ast.AST) -> set[PortCall]:
    return {
        (part.value.attr, part.attr)
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute)
        and isinstance(part.value, ast.Attribute)
        and isinstance(part.value.value, ast.Name)
        and part.value.value.id == "ports"
    }
