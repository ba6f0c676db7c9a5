"""What `autorepair show --patch` prints: the repair as the lines of a template."""

from __future__ import annotations

import click

from autorepair.domain.audit import AuditRecord
from autorepair.domain.change import Change, DeclaredSource, EnvironmentSetting
from autorepair.domain.declared_reference import DeclaredReference
from autorepair.domain.errors import AutoRepairError, NothingKeptError
from autorepair.views.patch import HANDED_OVER, Owner, kept_change, owner_of, patch_of
from autorepair_cli.incidents import BECAME
from autorepair_cli.service import Service


def patch_text(service: Service, records: tuple[AuditRecord, ...]) -> str:
    """Give the resource as YAML.

    Where the function's tags or the declarations cannot be read, the patch is less exact and the
    error stream says so.

    Raises:
        NothingKeptError: The incident keeps no change in place.
    """
    incident = records[0].entry.incident_id
    try:
        kept = kept_change(records)
    except NothingKeptError as error:
        raise NothingKeptError(f"there is no patch of {incident}: {error}") from error
    change = kept.change
    text = patch_of(change, owner=_owner(service, change), references=_references(service, change))
    warning = f"{HANDED_OVER}\n" if kept.is_handed_over else ""
    later = "".join(f"# since then: {r.entry.summary}\n" for r in records if r.entry.kind in BECAME)
    return f"# {incident}\n{warning}{later}{text}"


def _owner(service: Service, change: Change) -> Owner | None:
    try:
        return owner_of(service.enrolling.tags(change.target.function_arn))
    except AutoRepairError as error:
        click.echo(f"which stack the function belongs to is unknown: {error}", err=True)
        return None


def _references(service: Service, change: Change) -> dict[str, DeclaredReference]:
    after = change.after
    if not isinstance(after, EnvironmentSetting):
        return {}
    if not any(isinstance(source, DeclaredSource) for source in after.variables.values()):
        return {}
    try:
        return service.known_config.references(change.target.function_name)
    except AutoRepairError as error:
        click.echo(f"where the declared values are kept is unknown: {error}", err=True)
        return {}
