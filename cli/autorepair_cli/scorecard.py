"""`autorepair scorecard`: how good the plans have been, and what that says of the modes."""

from __future__ import annotations

import json
from datetime import timedelta

import click
from rich import box
from rich.table import Table
from rich.text import Text

from autorepair.domain.audit import AuditRecord
from autorepair.domain.errors import PolicyUnreadableError
from autorepair.domain.policy import Policy, parse_policy
from autorepair.domain.scorecard import (
    Advice,
    Row,
    Trial,
    advice_of,
    rows_of,
    totals_of,
    trial_of,
)
from autorepair.views.scorecard import HEADINGS, advice_line, cells_of
from autorepair_cli.incidents import console, json_option
from autorepair_cli.service import Service, speaks_to_the_service

MOST_DAYS = 365


@click.command()
@click.option(
    "--days",
    type=click.IntRange(1, MOST_DAYS),
    default=30,
    show_default=True,
    help="How far to look back.",
)
@click.option("--function", "function_name", metavar="NAME", help="Only this function's.")
@json_option
@speaks_to_the_service
def scorecard(service: Service, days: int, function_name: str | None, *, as_json: bool) -> None:
    """Hold what was planned against what happened, and advise on the modes.

    Of repairs that were only observed, rejected or not answered: what became of the function an
    hour and a day later. Of repairs that were made: how they were verified, and whether they
    stayed. An advice to ask takes 5 plans that tell something and at least half of them good, one
    to auto 10 and at least 70% (the lower end of the 95% interval); recovered by itself, fixed
    otherwise, another value on the other side and rolled back count against a plan.
    """
    now = service.clock.now()
    since = now - timedelta(days=days)
    records = (
        service.audit.of_span(since, now)
        if function_name is None
        else service.audit.of_function(function_name, since, now)
    )
    trials = _trials(records)
    policy = _policy(service, function_name)
    totals = totals_of(trials)
    advice = tuple(advice_of(row, policy.mode_of(row.kind)) for row in totals)
    if as_json:
        click.echo(json.dumps(_document(trials, totals, advice), indent=2, ensure_ascii=False))
    elif trials:
        _tell(rows_of(trials), totals, advice)
    else:
        click.echo(f"no incident with a plan has ended in the last {days} days")


def _trials(records: tuple[AuditRecord, ...]) -> tuple[Trial, ...]:
    chains: dict[str, list[AuditRecord]] = {}
    for record in records:
        chains.setdefault(record.entry.incident_id, []).append(record)
    found = (trial_of(chain) for chain in chains.values())
    return tuple(trial for trial in found if trial is not None)


def _policy(service: Service, function_name: str | None) -> Policy:
    """Give the policy in force: one that cannot be read lets everything be observed only."""
    try:
        found = parse_policy(service.policy.read())
    except PolicyUnreadableError as error:
        click.echo(f"the policy cannot be read, so that all is observed: {error}", err=True)
        return Policy()
    return found if function_name is None else found.for_function(function_name)


def _document(
    trials: tuple[Trial, ...], totals: tuple[Row, ...], advice: tuple[Advice, ...]
) -> dict[str, object]:
    return {
        "rows": [row.as_json() for row in rows_of(trials)],
        "totals": [row.as_json() for row in totals],
        "advice": [one.as_json() for one in advice],
        "incidents": [trial.as_json() for trial in trials],
    }


def _tell(rows: tuple[Row, ...], totals: tuple[Row, ...], advice: tuple[Advice, ...]) -> None:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1))
    table.add_column("repair", no_wrap=True)
    for heading in ("function", *HEADINGS):
        table.add_column(heading)
    for total in totals:
        own = [row for row in rows if row.kind is total.kind]
        for row in own:
            table.add_row(row.kind.value, Text(row.function_name or ""), *cells_of(row))
        if len(own) > 1:
            table.add_row(total.kind.value, Text("all", style="bold"), *cells_of(total))
    out = console()
    out.print(table)
    for one in advice:
        out.print(Text(advice_line(one)), soft_wrap=True)
