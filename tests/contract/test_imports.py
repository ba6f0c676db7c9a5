"""Imports run downwards only; the inner rooms know no AWS, no clock and no environment."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
CORE = PROJECT / "layers" / "core" / "autorepair"

# What each room may import of the others; `watch` and `wiring` are modules, the rest packages.
MAY_IMPORT = {
    "domain": {"domain"},
    "causes": {"causes", "domain"},
    "repairs": {"repairs", "domain"},
    "views": {"views", "domain"},
    "ports": {"ports", "watch", "domain"},
    "watch": {"domain"},
    "steps": {"steps", "causes", "repairs", "views", "ports", "watch", "domain"},
    "aws": {"aws", "ports", "watch", "domain"},
    "wiring": {"aws", "ports", "domain"},
}
# time, ids, randomness and the environment come into these as values
PURE = ("domain", "causes", "repairs", "views")
FORBIDDEN_IN_PURE = {
    "boto3", "botocore", "os", "time", "random", "secrets", "uuid", "subprocess", "socket",
    "requests", "urllib3", "aws_lambda_powertools",
}  # fmt: skip
CLOCK_CALLS = {"now", "utcnow", "today"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return names


def room_of(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return [path for path in sorted(CORE.rglob("*.py")) if path != CORE / "__init__.py"]


def test_every_room_of_the_house_has_its_rule() -> None:
    assert {room_of(path) for path in modules()} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_a_module_imports_only_from_rooms_below(path: Path) -> None:
    rooms = {
        name.split(".")[1]
        for name in imported(path)
        if name.startswith("autorepair.") and len(name.split(".")) > 1
    }
    assert rooms <= MAY_IMPORT[room_of(path)]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_boto3_is_known_to_the_adapters_and_the_wiring_only(path: Path) -> None:
    tops = {name.split(".")[0] for name in imported(path)}
    if room_of(path) not in {"aws", "wiring"}:
        assert not tops & {"boto3", "botocore", "aws_lambda_powertools"}


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if room_of(path) in PURE],
    ids=lambda path: str(path.relative_to(CORE)),
)
def test_a_pure_module_reads_no_clock_and_no_environment(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & FORBIDDEN_IN_PURE
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in CLOCK_CALLS, f"{path}:{node.lineno} reads a clock"


def test_functions_import_steps_and_wiring_only() -> None:
    for path in sorted((PROJECT / "functions").glob("*.py")):
        rooms = {n.split(".")[1] for n in imported(path) if n.startswith("autorepair.")}
        assert rooms <= {"steps", "wiring"}, path


def test_the_service_knows_neither_the_command_line_nor_the_lab() -> None:
    for path in [*modules(), *sorted((PROJECT / "functions").glob("*.py"))]:
        tops = {name.split(".")[0] for name in imported(path)}
        assert not tops & {"autorepair_cli", "autorepair_lab", "moto"}, path


def test_a_forbidden_import_would_be_seen(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("import boto3\nfrom autorepair.aws.functions import LambdaFunctions\n")
    assert {"boto3", "autorepair.aws.functions"} <= imported(module)
