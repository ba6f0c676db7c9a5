"""`autorepair replay`: the diagnosis of a past incident, made anew from its stored evidence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from autorepair.views.evidence_text import shares_between
from autorepair_cli.recorded.advisors import advisor_named
from autorepair_cli.recorded.answer import line_of
from autorepair_cli.recorded.case import Expected
from autorepair_cli.recorded.evidence import Past, rerun
from autorepair_cli.recorded.report import (
    report_console,
    told_expected,
    told_repair,
)
from autorepair_cli.recorded.run import Run
from autorepair_cli.recorded.scoring import verdict_of
from autorepair_cli.service import told_in_a_line


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def replay(file: Path, *, as_json: bool) -> None:
    """Diagnose again what FILE holds, and plan the repair.

    FILE is evidence as the service keeps it in its bucket, or a case. Rules alone, with nothing in
    the way of a repair but the hard limits. Ends with 1 if FILE says what was to be concluded, and
    that differs.
    """
    with told_in_a_line():
        past = rerun(file, advisor_named("none"))
    verdict = verdict_of(line_of(past.id, past.run), past.expected) if past.expected else None
    if as_json:
        click.echo(json.dumps(_document(past), indent=2, ensure_ascii=False))
    else:
        _tell(report_console(is_error_stream=False), past)
    if verdict is not None and not verdict.is_right:
        sys.exit(1)


def _document(past: Past) -> dict[str, Any]:
    return {
        "id": past.id,
        "diagnosis": past.run.diagnosis.as_json(),
        "decision": past.run.decision.as_json(),
        "expected": past.expected.model_dump(mode="json", by_alias=True) if past.expected else None,
    }


def _tell(out: Console, past: Past) -> None:
    line = line_of(past.id, past.run)
    out.print(Text(f"{past.id}  {past.run.evidence.configuration.function_name}", style="bold"))
    for label, text in _facts(past.run):
        out.print(Text(f"  {label:<11}{text}"), soft_wrap=True)
    out.print(Text(f"  {'repair':<11}{told_repair(line['repair'])}"), soft_wrap=True)
    if past.expected is not None:
        _compare(out, past.run, past.id, past.expected)


def _facts(run: Run) -> list[tuple[str, str]]:
    evidence, diagnosis, decision = run
    source = diagnosis.source
    cause = f"{diagnosis.root_cause.value} ({diagnosis.confidence:.0%}, {source})"
    if diagnosis.confidence_interval is not None:
        cause += f"; of diagnoses this sure, right: {shares_between(diagnosis.confidence_interval)}"
    found = f"{len(evidence.invocations)} invocations, {len(evidence.failures)} failed, "
    found += f"{len(evidence.log_lines)} log lines, {len(evidence.changes)} recent changes, "
    return [
        ("evidence", f"{found}{len(evidence.gaps)} gaps"),
        ("root cause", cause),
        ("because", diagnosis.why),
        *(("cites", quote) for quote in diagnosis.quotes or ("-",)),
        ("decision", f"{decision.action}: {decision.reason}"),
    ]


def _compare(out: Console, run: Run, name: str, expected: Expected) -> None:
    verdict = verdict_of(line_of(name, run), expected)
    told = f"{expected.root_cause}, {told_expected(expected.repair)}"
    if verdict.is_right:
        out.print(Text(f"as recorded: {told}", style="green"), soft_wrap=True)
    else:
        out.print(Text(f"DIFFERS from what is recorded: {told}", style="bold red"), soft_wrap=True)
