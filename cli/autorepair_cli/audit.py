"""`autorepair audit`: whether the record is what was written."""

from __future__ import annotations

import sys

import click

from autorepair.domain.audit import first_break
from autorepair.domain.errors import IncidentUnknownError, RecordUnreadableError
from autorepair.views.story import OPERATORS_PREFIX
from autorepair_cli.service import Service, speaks_to_the_service
from autorepair_cli.span import since as moment_of


@click.group()
def audit() -> None:
    """Check the record itself."""


@audit.command()
@click.argument("incident", required=False)
@click.option(
    "--since",
    default="24h",
    show_default=True,
    metavar="SPAN|MOMENT",
    help="Without INCIDENT: every incident with a record since then (90m, 24h, 7d, or ISO 8601).",
)
@click.option(
    "--head",
    metavar="HASH",
    help="With INCIDENT: the head's hash as the IncidentClosed event on the bus gave it.",
)
@speaks_to_the_service
def verify(service: Service, incident: str | None, since: str, head: str | None) -> None:
    """Compute the hash chain of INCIDENT, or of all since a moment, anew.

    Ends with 1 if a record was altered, removed or slipped in, and says which.
    """
    if head is not None and incident is None:
        raise click.UsageError("--head goes with an INCIDENT")
    names = (incident,) if incident else _since(service, since)
    broken = {name: fault for name in names if (fault := _fault(service, name, head))}
    for fault in broken.values():
        click.echo(fault, err=True)
    acts = {name for name in names if name.startswith(OPERATORS_PREFIX)}
    if len(acts) < len(names) or not names:
        _count(set(names) - acts, broken, "incidents")
    if acts:
        _count(acts, broken, "months of operators' acts")
    if broken:
        sys.exit(1)


def _count(names: set[str], broken: dict[str, str], what: str) -> None:
    whole = len(names - broken.keys())
    click.echo(f"{whole} of {len(names)} {what}: chain whole")


def _since(service: Service, since: str) -> tuple[str, ...]:
    now = service.clock.now()
    records = service.audit.of_span(moment_of(since, now), now)
    return tuple(sorted({record.entry.incident_id for record in records}))


def _fault(service: Service, incident: str, head: str | None) -> str | None:
    try:
        records = service.audit.chain_of(incident)
    except RecordUnreadableError as error:
        return str(error)
    if not records:
        raise IncidentUnknownError(f"there is no record of an incident {incident}")
    broken = first_break(records)
    if broken is not None:
        return (
            f"incident {incident}: record {broken} does not follow from the one before it: it, or "
            "the one before, was altered, removed or slipped in"
        )
    if head is not None and head not in {record.hash for record in records}:
        return (
            f"incident {incident}: no record has the hash {head}: the end was cut off or rewritten"
        )
    return None
