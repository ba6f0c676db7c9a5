"""How the storm breaker stands, for whoever looks at the policy or lets repairs go on."""

from __future__ import annotations

import click

from autorepair.domain.errors import AutoRepairError, PolicyUnreadableError
from autorepair.domain.policy import Policy, parse_policy
from autorepair.views.storm import breaker_lines
from autorepair_cli.service import Service


def tell_of_the_breaker(
    service: Service, policy: Policy | None = None, *, only_tripped: bool = False
) -> None:
    """Say on the error stream whether it has tripped, and how a trip ends.

    ``policy`` holds the breaker's window; without it the one in force does. What cannot be read
    is said, and holds nothing up.
    """
    try:
        trip = service.ledger.of_account().trip
    except AutoRepairError as error:
        click.echo(f"how the storm breaker stands is unknown: {error}", err=True)
        return
    if trip is None and only_tripped:
        return
    rules = (policy or _in_force(service)).breaker
    for line in breaker_lines(trip, rules.window_s, service.clock.now()):
        click.echo(line, err=True)


def _in_force(service: Service) -> Policy:
    try:
        return parse_policy(service.policy.read())
    except PolicyUnreadableError:
        return Policy()
