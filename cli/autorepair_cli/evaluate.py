"""`autorepair evaluate`: the real steps on recorded cases, held against what was expected."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.progress import track

from autorepair.domain.diagnosis import RootCause
from autorepair.ports import Advisor
from autorepair_cli.out_file import require_writable
from autorepair_cli.recorded.advisors import AdvisorName, advisor_named
from autorepair_cli.recorded.answer import Line, line_of
from autorepair_cli.recorded.case import Case, CaseUnreadableError, read_case
from autorepair_cli.recorded.report import print_score, report_console
from autorepair_cli.recorded.run import run
from autorepair_cli.recorded.scoring import Score, verdict_of
from autorepair_cli.service import told_in_a_line

ADVISORS: tuple[AdvisorName, ...] = ("none", "bedrock")
PLAIN_PROGRESS_EVERY = 25
OUR_CASES = Path(__file__).resolve().parents[2] / "tests" / "cases"


class Concluded(NamedTuple):
    """One file: its case and line, and what went wrong with it, if anything."""

    case: Case | None
    line: Line | None
    trouble: str | None


@click.command()
@click.argument(
    "cases", metavar="[DIR]", type=click.Path(exists=True, path_type=Path), default=OUR_CASES
)
@click.option(
    "--advisor",
    type=click.Choice(ADVISORS),
    default="none",
    show_default=True,
    help="Who is asked where the rules leave the cause open: nobody, or the deployment's model.",
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where the conclusions go, one JSON line a case (folders on the way are made); without it "
    "to standard output, and the report to standard error.",
)
def evaluate(cases: Path, advisor: AdvisorName, out: Path | None) -> None:
    """Diagnose every case in DIR and hold the conclusions against what was expected.

    A case is a recording of AWS's answers around one alarm (one .json file; DIR may also be a
    single one). The service's own steps run on it: collect, diagnose, decide. Every case counts
    as enrolled, under a policy that lets every repair through up to Lambda's own limits; whatever
    would be applied or asked for is the repair. Cases without an expected answer are concluded and
    not scored. A line of a case that could not be run has a member `error`; one that could not be
    read has no line. Without DIR: the cases of this project, tests/cases.

    Ends with 1 if a file could not be read or run, or a forbidden action was proposed, and with 0
    otherwise, whatever the score.
    """
    files = case_files(cases)
    if not files:
        raise click.ClickException(f"{cases} holds no case: no file there ends in .json")
    if out is not None:
        require_writable(out)
    with told_in_a_line():
        asked = advisor_named(advisor)
    console = report_console(is_error_stream=out is None)
    concluded = [conclude(path, asked) for path in _told_on(console, files)]
    _write([one.line for one in concluded if one.line is not None], out)
    score = score_of(concluded)
    if score.verdicts:
        print_score(console, score)
    troubles = [one.trouble for one in concluded if one.trouble is not None]
    for trouble in troubles:
        click.echo(f"Error: {trouble}", err=True)
    if troubles or score.forbidden:
        sys.exit(1)


def case_files(cases: Path) -> tuple[Path, ...]:
    """Give the case files of a folder in the order of their names, or the one file."""
    return tuple(sorted(cases.glob("*.json"))) if cases.is_dir() else (cases,)


def conclude(path: Path, advisor: Advisor) -> Concluded:
    """Run the steps on one file; whatever goes wrong with it costs no other case its answer."""
    try:
        case = read_case(path)
    except CaseUnreadableError as error:
        return Concluded(None, None, str(error))
    try:
        return Concluded(case, line_of(case.id, run(case.recording, advisor)), None)
    except Exception as error:  # noqa: BLE001 - also a fault of a rule must not cost other cases
        trouble = f"{path} could not be run: {type(error).__name__}: {error}"
        return Concluded(case, _unanswered(case.id, trouble), trouble)


def score_of(concluded: list[Concluded]) -> Score:
    """Score the cases that have an answer."""
    return Score(
        tuple(
            verdict_of(one.line, one.case.expected)
            for one in concluded
            if one.line is not None and one.case is not None and one.case.expected is not None
        )
    )


def _unanswered(case_id: str, trouble: str) -> Line:
    """Give the line of a case that broke the run: ``error`` tells it from an abstention."""
    return {
        "id": case_id,
        "root_cause": RootCause.INSUFFICIENT_EVIDENCE,
        "confidence": 0.0,
        "source": "none",
        "repair": None,
        "why": "it could not be run",
        "cited": [],
        "error": trouble,
    }


def _told_on(console: Console, files: tuple[Path, ...]) -> Iterator[Path]:
    """Go through the files and tell how far: a bar on a terminal, lines elsewhere."""
    if console.is_terminal:
        yield from track(files, description="cases", console=console, transient=True)
        return
    for number, path in enumerate(files, 1):
        yield path
        if number % PLAIN_PROGRESS_EVERY == 0 or number == len(files):
            click.echo(f"{number} of {len(files)} cases", err=True)


def _write(lines: list[Line], out: Path | None) -> None:
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8", errors="replace")
