"""`autorepair scorecard`: how good the plans have been, and what that says of the modes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import click
from rich import box
from rich.table import Table
from rich.text import Text

from autorepair.domain.audit import AuditRecord
from autorepair.domain.change import RepairKind
from autorepair.domain.errors import AutoRepairError, PolicyUnreadableError, TargetNotFoundError
from autorepair.domain.policy import Mode, Policy, parse_policy
from autorepair.domain.scorecard import (
    Advice,
    Trial,
    advice_of,
    mode_for,
    own_modes,
    rows_of,
    totals_of,
    trial_of,
)
from autorepair.views.scorecard import HEADINGS, advice_line, cells_of
from autorepair_cli.function_name import plain
from autorepair_cli.incidents import console, json_option
from autorepair_cli.service import Service, speaks_to_the_service

MOST_DAYS = 365

OwnModes = dict[tuple[str, RepairKind], Mode]


@click.command()
@click.option(
    "--days",
    type=click.IntRange(1, MOST_DAYS),
    default=30,
    show_default=True,
    help="How far to look back.",
)
@click.option(
    "--function", "function_name", metavar="NAME", callback=plain, help="Only this function's."
)
@json_option
@speaks_to_the_service
def scorecard(service: Service, days: int, function_name: str | None, *, as_json: bool) -> None:
    """Hold what was planned against what happened, and advise on the modes.

    Of repairs that were only observed, rejected or not answered: what became of the function an
    hour and a day later. Of repairs that were made: how they were verified, and whether they
    stayed. An advice to ask takes 5 plans that tell something and at least half of them good, one
    to auto 10 and at least 70% (the lower end of the 95% interval); recovered by itself, fixed
    otherwise, another value on the other side, rolled back and put back by a person count against
    a plan. The advice rests on the functions that go by the mode of the account; those with a mode
    of their own, by an override or the tag auto-repair-mode, are named, and --function advises on
    one of them.
    """
    now = service.clock.now()
    since = now - timedelta(days=days)
    records = (
        service.audit.of_span(since, now)
        if function_name is None
        else service.audit.of_function(function_name, since, now)
    )
    trials = _trials(records)
    policy, tags = _policy(service), _tags(service, trials)
    own = own_modes(trials, policy, tags)
    followers = trials
    if function_name is None:
        followers = tuple(one for one in trials if (one.function_name, one.kind) not in own)
    advice = tuple(
        advice_of(row, _mode(policy, tags, function_name, row.kind)) for row in totals_of(followers)
    )
    if as_json:
        click.echo(json.dumps(_document(trials, advice, own), indent=2, ensure_ascii=False))
    elif trials:
        _tell(trials, advice)
        for told in _told_of(own, is_left_out=function_name is None):
            console().print(Text(told, style="dim"), soft_wrap=True)
    else:
        click.echo(f"no incident with a plan has ended in the last {days} days")


def _trials(records: tuple[AuditRecord, ...]) -> tuple[Trial, ...]:
    chains: dict[str, list[AuditRecord]] = {}
    for record in records:
        chains.setdefault(record.entry.incident_id, []).append(record)
    found = (trial_of(chain) for chain in chains.values())
    return tuple(trial for trial in found if trial is not None)


def _policy(service: Service) -> Policy:
    """Give the policy in force: one that cannot be read lets everything be observed only."""
    try:
        return parse_policy(service.policy.read())
    except PolicyUnreadableError as error:
        click.echo(f"the policy cannot be read, so that all is observed: {error}", err=True)
        return Policy()


def _tags(service: Service, trials: tuple[Trial, ...]) -> dict[str, dict[str, str]]:
    """Read the tags of each function; of one that is gone none count."""
    found: dict[str, dict[str, str]] = {}
    for name, arn in sorted({(one.function_name, one.function_arn) for one in trials}):
        try:
            found[name] = service.enrolling.tags(arn)
        except TargetNotFoundError:
            continue
        except AutoRepairError as error:
            click.echo(f"whether {name} has a mode of its own is unknown: {error}", err=True)
    return found


def _mode(
    policy: Policy, tags: dict[str, dict[str, str]], function_name: str | None, kind: RepairKind
) -> Mode:
    if function_name is None:
        return policy.mode_of(kind)
    return mode_for(function_name, kind, policy, tags.get(function_name, {}))


def _document(
    trials: tuple[Trial, ...], advice: tuple[Advice, ...], own: OwnModes
) -> dict[str, object]:
    return {
        "rows": [row.as_json() for row in rows_of(trials)],
        "totals": [row.as_json() for row in totals_of(trials)],
        "advice": [one.as_json() for one in advice],
        "own_modes": [
            {"function_name": name, "kind": kind.value, "mode": mode.value}
            for (name, kind), mode in sorted(own.items())
        ],
        "incidents": [trial.as_json() for trial in trials],
    }


def _told_of(own: OwnModes, *, is_left_out: bool) -> Iterator[str]:
    left_out = ", and is left out of the advice" if is_left_out else ""
    for (name, kind), mode in sorted(own.items()):
        yield f"{name} goes by a mode of its own for {kind.value}: {mode.value}{left_out}"


def _tell(trials: tuple[Trial, ...], advice: tuple[Advice, ...]) -> None:
    rows = rows_of(trials)
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1))
    table.add_column("repair", no_wrap=True)
    for heading in ("function", *HEADINGS):
        table.add_column(heading)
    for total in totals_of(trials):
        own = [row for row in rows if row.kind is total.kind]
        for row in own:
            table.add_row(row.kind.value, Text(row.function_name or ""), *cells_of(row))
        if len(own) > 1:
            table.add_row(total.kind.value, Text("all", style="bold"), *cells_of(total))
    out = console()
    out.print(table)
    for one in advice:
        out.print(Text(advice_line(one)), soft_wrap=True)
