"""`autorepair incidents` and `autorepair show`: what the record says."""

from __future__ import annotations

import json
from importlib import import_module

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autorepair.domain.audit import AuditRecord, RecordKind, first_break
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.errors import AutoRepairError, IncidentUnknownError
from autorepair.domain.evidence import EvidenceSummary
from autorepair.views.evidence_text import evidence_lines
from autorepair.views.plain_text import as_json_shown, lines_shown, one_line
from autorepair.views.story import (
    OPERATORS_PREFIX,
    IncidentLine,
    Passage,
    line_of,
    lines_of,
    story_of,
)
from autorepair_cli.function_name import plain
from autorepair_cli.recorded_values import first_of
from autorepair_cli.service import Service, speaks_to_the_service
from autorepair_cli.span import since as moment_of
from autorepair_cli.wide import widened

LONGEST_OPEN = "8d"
"""An execution ends after five days; what is open longer ago than this is not open any more."""

BECAME = {
    RecordKind.REPAIR_ADOPTED: "adopted",
    RecordKind.REPAIR_REVERTED: "put back",
    RecordKind.REPAIR_REPLACED: "replaced",
    RecordKind.REPAIR_GONE: "function gone",
}
"""What became of the setting since; whoever takes a repair over has to know it."""

FURTHER_LINE = "     | "
"""Before each further line of a recorded text: others wrote it, and a record begins otherwise."""
LONGEST_CELL = 300
LONGEST_PAUSE = 600
"""An item that was put by hand may give any reason."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.option(
    "--function",
    "function_name",
    metavar="NAME",
    callback=plain,
    help="Only those of this function.",
)
@click.option(
    "--since",
    metavar="SPAN|MOMENT",
    help=f"How far to look back: 90m, 24h, 7d, or a moment in ISO 8601. Without it 24h, for "
    f"--open {LONGEST_OPEN}.",
)
@click.option("--open", "only_open", is_flag=True, help="Only those that have not ended.")
@json_option
@speaks_to_the_service
def incidents(
    service: Service,
    function_name: str | None,
    since: str | None,
    *,
    only_open: bool,
    as_json: bool,
) -> None:
    """List incidents, latest first."""
    if only_open:
        _tell_of_a_pause(service)
    now = service.clock.now()
    began = moment_of(since or (LONGEST_OPEN if only_open else "24h"), now)
    search = service.audit
    records = (
        search.of_span(began, now)
        if function_name is None
        else search.of_function(function_name, began, now)
    )
    whole = _completed(service, records)
    lines = [line for line in lines_of(whole) if line.is_open or not only_open]
    became = _became(whole)
    if as_json:
        found = [_document(line, became) for line in lines]
        _echo_json(found)
    elif lines:
        console().print(_table(lines, became))
        _tell_how_to_answer(lines)
    else:
        click.echo(f"no incidents since {began:%Y-%m-%d %H:%M} UTC")


@click.command()
@click.argument("incident")
@json_option
@click.option(
    "--as-case",
    is_flag=True,
    help="Print a case for `autorepair evaluate` instead: the stored evidence, masked, and what "
    "was concluded then as the answer, for a person to review.",
)
@click.option(
    "--evidence",
    "with_evidence",
    is_flag=True,
    help="Tell also what lies in the evidence bucket: each kind of failure with its count, when it "
    "began, what climbs, and the words that the diagnosis cites. They are masked.",
)
@click.option(
    "--patch",
    "as_patch",
    is_flag=True,
    help="Print what makes the repair permanent instead: the function's resource in a SAM or "
    "CloudFormation template, and nothing else, so that it can be piped.",
)
@speaks_to_the_service
def show(  # noqa: PLR0913 - the options of the command
    service: Service,
    incident: str,
    *,
    as_json: bool,
    as_case: bool,
    with_evidence: bool,
    as_patch: bool,
) -> None:
    """Tell all that the record says of INCIDENT: evidence, diagnosis, decision, change, proof."""
    if as_json + as_case + with_evidence + as_patch > 1:
        raise click.UsageError("--json, --as-case, --evidence and --patch exclude each other")
    records = service.audit.chain_of(incident)
    if not records:
        raise IncidentUnknownError(f"there is no record of an incident {incident}")
    if as_case:
        click.echo(import_module("autorepair_cli.as_case").case_text(service, records))
        return
    if as_patch:
        click.echo(import_module("autorepair_cli.patching").patch_text(service, records), nl=False)
        return
    broken = first_break(records)
    if as_json:
        document = {
            "incident": _document(line_of(records), _became(records)),
            "records": [record.as_json() for record in records],
            "first_break": broken,
        }
        _echo_json(document)
        return
    _tell(records, broken)
    if with_evidence:
        _tell_evidence(service, records)


def _tell_of_a_pause(service: Service) -> None:
    """Say on the error stream that no yes would count now; who only reads may lack that right."""
    try:
        pause = service.pauses.in_force()
    except AutoRepairError as error:
        click.echo(f"whether repairs are paused cannot be read: {error}", err=True)
        return
    if pause is not None:
        told = one_line(pause.told(), LONGEST_PAUSE)
        click.echo(f"{told}; a yes is refused meanwhile, a no is taken", err=True)


def _echo_json(document: object) -> None:
    click.echo(as_json_shown(json.dumps(document, indent=2, ensure_ascii=False)))


def _say(out: Console, lead: str, recorded: str, *, style: str = "") -> None:
    """Print recorded text behind a lead of ours; no line of it can pose as one of ours."""
    first, *further = lines_shown(recorded)
    out.print(Text(f"{lead}{first}", style=style), soft_wrap=True)
    for line in further:
        out.print(Text(f"{FURTHER_LINE}{line}", style=style), soft_wrap=True)


def console() -> Console:
    """Give the console that tables go to."""
    return widened(Console(highlight=False))


def _completed(service: Service, records: tuple[AuditRecord, ...]) -> tuple[AuditRecord, ...]:
    """Read the incidents that began before the span whole: only their last records are in it."""
    first = {r.entry.incident_id for r in records if r.seq == 1}
    partial = {r.entry.incident_id for r in records} - first
    whole = [r for r in records if r.entry.incident_id not in partial]
    return (*whole, *(r for one in sorted(partial) for r in service.audit.chain_of(one)))


def _became(records: tuple[AuditRecord, ...]) -> dict[str, AuditRecord]:
    """Give the record of what became of the repair, by incident; the last of them counts."""
    ordered = sorted(records, key=lambda record: record.seq)
    return {r.entry.incident_id: r for r in ordered if r.entry.kind in BECAME}


def _document(line: IncidentLine, became: dict[str, AuditRecord]) -> dict[str, object]:
    later = became.get(line.incident_id)
    return {**line.as_json(), "became": BECAME[later.entry.kind] if later else None}


def _table(lines: list[IncidentLine], became: dict[str, AuditRecord]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1))
    table.add_column("incident", no_wrap=True)
    for heading in ("began (UTC)", "function", "root cause", "decision", "change", "outcome"):
        table.add_column(heading)
    for line in lines:
        table.add_row(
            line.incident_id,
            f"{line.began_at:%Y-%m-%d %H:%M:%S}",
            _cell(line.function_name),
            _cell(line.root_cause),
            _cell(line.decision),
            _cell(line.change),
            _outcome(line, became.get(line.incident_id)),
        )
    return table


def _cell(told: str | None) -> Text:
    return Text(one_line(told or "-", LONGEST_CELL))


def _tell_how_to_answer(lines: list[IncidentLine]) -> None:
    out = console()
    for line in lines:
        for told in _question(line):
            out.print(Text(told), soft_wrap=True)


def _question(line: IncidentLine) -> tuple[str, ...]:
    """Say what a waiting incident asks for, until when, and how it is answered."""
    if line.answer_command is None:
        return ()
    until = f" until {line.answer_until:%Y-%m-%d %H:%M:%S} UTC" if line.answer_until else ""
    plan = one_line(line.plan or "see its plan", LONGEST_CELL)
    return (
        f"{line.incident_id} asks{until}: {plan}",
        f"  {line.answer_command}    (or reject)",
    )


def _outcome(line: IncidentLine, later: AuditRecord | None) -> Text:
    if line.outcome is not None:
        since = f", {BECAME[later.entry.kind]} since" if later else ""
        return Text(f"{line.outcome.value}{since}")
    return Text("waits for an answer" if line.is_waiting else "open", style="yellow")


def _tell(records: tuple[AuditRecord, ...], broken: int | None) -> None:
    out = console()
    if records[0].entry.incident_id.startswith(OPERATORS_PREFIX):
        told = f"{records[0].entry.incident_id}  what operators did to the service"
        out.print(Text(told, style="bold"))
    else:
        _tell_in_short(out, records)
    for passage in story_of(records):
        _print(out, passage)
    out.print()
    out.print(_verdict(records, broken), soft_wrap=True)


def _tell_in_short(out: Console, records: tuple[AuditRecord, ...]) -> None:
    line, later = line_of(records), _became(records).get(records[0].entry.incident_id)
    _say(out, f"{line.incident_id}  ", line.function_name or "(no function)", style="bold")
    cause = "-" if line.root_cause is None else f"{line.root_cause} ({line.confidence or 0:.0%})"
    for label, told in (
        ("alarm", line.alarm or "-"),
        ("root cause", cause),
        ("decision", line.decision or "-"),
        ("change", line.change or f"none in place{' any more' if later else ''}"),
        ("outcome", _outcome(line, later).plain),
        *([("since then", later.entry.summary)] if later else []),
    ):
        _say(out, f"  {label:<11}", told)
    for told in _question(line):
        out.print(Text(told, style="yellow"), soft_wrap=True)


def _tell_evidence(service: Service, records: tuple[AuditRecord, ...]) -> None:
    evidence = service.evidence_of(
        first_of(records, RecordKind.EVIDENCE_COLLECTED, EvidenceSummary)
    )
    has_diagnosis = any(r.entry.kind is RecordKind.DIAGNOSIS_MADE for r in records)
    diagnosis = first_of(records, RecordKind.DIAGNOSIS_MADE, Diagnosis) if has_diagnosis else None
    out = console()
    out.print()
    out.print(Text("evidence", style="bold cyan"))
    for told in evidence_lines(evidence, diagnosis):
        _say(out, "     · ", told)


def _print(out: Console, passage: Passage) -> None:
    out.print()
    heading = Text(f"{passage.seq:>3}  {passage.at:%Y-%m-%d %H:%M:%S}  ", style="dim")
    out.print(heading + Text(passage.heading, style="bold cyan"))
    _say(out, "     ", passage.summary)
    for fact in passage.facts:
        _say(out, "     · ", fact, style="dim")


def _verdict(records: tuple[AuditRecord, ...], broken: int | None) -> Text:
    if broken is not None:
        return Text(
            f"THE CHAIN BREAKS at record {broken}: the record was altered", style="bold red"
        )
    return Text(f"chain of {len(records)} records whole, head {records[-1].hash}", style="green")
