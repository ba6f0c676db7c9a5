"""Builds the folder that stands for /var/runtime: what AWS's Python runtime ships, no more."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path
from typing import TYPE_CHECKING

from autorepair_lab.runtime.errors import PackageMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SHIPPED_BY_AWS = ("awslambdaric", "boto3")
_REQUIREMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def link_runtime_packages(folder: Path) -> None:
    """Fill ``folder`` with links to awslambdaric, boto3 and what they require.

    Nothing else of the development environment is reachable through it.

    Raises:
        PackageMissingError: one of them is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for distribution in _closure(_SHIPPED_BY_AWS):
        for relative in _entries(distribution):
            target = folder / relative
            target.parent.mkdir(exist_ok=True)
            if not target.is_symlink():
                target.symlink_to(Path(str(distribution.locate_file(relative))).resolve())


def _closure(roots: Iterable[str]) -> Iterator[importlib.metadata.Distribution]:
    """Yield the named distributions and, once each, everything they require."""
    waiting = list(roots)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in seen:
            continue
        seen.add(key)
        distribution = _installed(name)
        yield distribution
        waiting.extend(_required_names(distribution.requires or []))


def _installed(name: str) -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise PackageMissingError(
            f"{name} is part of AWS's Python runtime but is not installed here."
            " Run `make setup` and use the interpreter in .venv."
        ) from error


def _required_names(requirements: Iterable[str]) -> Iterator[str]:
    """Yield the names of the unconditional requirements (none of AWS's has another kind)."""
    for requirement in requirements:
        match = _REQUIREMENT_NAME.match(requirement)
        if match is not None and ";" not in requirement:
            yield match.group()


def _entries(distribution: importlib.metadata.Distribution) -> set[str]:
    """Return what to link: top-level names, and single files of the shared bytecode folder."""
    entries: set[str] = set()
    for file in distribution.files or []:
        top = file.parts[0]
        if top == "__pycache__":
            entries.add(str(file))
        elif top != "..":
            entries.add(top)
    return entries
