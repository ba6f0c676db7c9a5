"""`autorepair approve` and `autorepair reject`: a person's answer to a plan."""

from __future__ import annotations

from typing import Literal

import click

from autorepair.domain.errors import (
    AutoRepairError,
    IncidentUnknownError,
    NotWaitingError,
    PlanChangedError,
)
from autorepair.steps.answer_approval import (
    LONGEST_COMMENT,
    Answered,
    AnswerInput,
    Records,
    answer_approval,
    open_question,
)
from autorepair.views.message import PLAN_HASH_SHOWN
from autorepair.views.plain_text import is_unfit
from autorepair.views.story import arrow, planned_change
from autorepair_cli.service import Service, speaks_to_the_service

SHORTEST_HASH = 8
_OF_A_TEXT = frozenset("\n\r\t")


class RepairsPausedError(AutoRepairError):
    """While repairs are paused a yes would be used up without a write."""


def _comment(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and len(value) > LONGEST_COMMENT:
        raise click.BadParameter(f"at most {LONGEST_COMMENT} characters")
    if any(is_unfit(letter) for letter in value or "" if letter not in _OF_A_TEXT):
        raise click.BadParameter("control and direction characters are not taken; leave them out")
    return value


comment_option = click.option(
    "--comment", callback=_comment, help="Why; kept in the record and told."
)
plan_option = click.option(
    "--plan",
    metavar="HASH",
    help=f"The plan's hash as the message gave it (at least {SHORTEST_HASH} characters): another "
    "plan is then not answered.",
)


@click.command()
@click.argument("incident")
@comment_option
@plan_option
@speaks_to_the_service
def approve(service: Service, incident: str, comment: str | None, plan: str | None) -> None:
    """Agree to the change that INCIDENT asks for.

    Refused while repairs are paused, for then nothing would be written.
    """
    _answer(service, incident, "approved", comment, plan)


@click.command()
@click.argument("incident")
@comment_option
@plan_option
@speaks_to_the_service
def reject(service: Service, incident: str, comment: str | None, plan: str | None) -> None:
    """Refuse the change that INCIDENT asks for; nothing is changed then."""
    _answer(service, incident, "rejected", comment, plan)


def _answer(
    service: Service,
    incident: str,
    answer: Literal["approved", "rejected"],
    comment: str | None,
    plan: str | None,
) -> None:
    records = service.audit.chain_of(incident)
    plan_hash = _seen(incident, records, plan)
    change = planned_change(records, plan_hash)
    if change is not None:
        click.echo(
            f"{change.target.function_name}: {arrow(change)}  (plan {plan_hash[:PLAN_HASH_SHOWN]})"
        )
    if answer == "approved":
        _refuse_while_paused(service)
    given = AnswerInput(
        incident_id=incident,
        plan_hash=plan_hash,
        answer=answer,
        by=service.identity.arn(),
        comment=comment,
    )
    done = answer_approval(given, service.answering)
    click.echo(f"{incident}: {done.approval.answer} by {done.approval.by}{_became(done)}")


def _became(done: Answered) -> str:
    if done.is_repeated:
        return " before; nothing new is recorded"
    if done.is_received:
        return ""
    return (
        "; recorded, but the execution does not wait for it: it has gone on with it already, or "
        "has ended; see `autorepair show`"
    )


def _refuse_while_paused(service: Service) -> None:
    """An answer counts once: given now, it would be used up and nothing written.

    Raises:
        RepairsPausedError: A pause is in force.
    """
    pause = service.pauses.in_force()
    if pause is not None:
        raise RepairsPausedError(
            f"{pause.told()}: resume first (`autorepair resume`), or reject; nothing is answered"
        )


def _seen(incident: str, records: Records, plan: str | None) -> str:
    """Give the whole hash of the plan that the person means: the named one, or the one shown."""
    if not records:
        raise IncidentUnknownError(f"there is no record of an incident {incident}")
    asked = open_question(records)
    if asked is None:
        raise NotWaitingError(f"incident {incident} has asked for no approval")
    waiting = str(asked.entry.data["plan_hash"])
    if plan is None:
        return waiting
    if len(plan) < SHORTEST_HASH:
        raise PlanChangedError(
            f"--plan {plan} is too short: give at least {SHORTEST_HASH} characters of the hash; "
            f"incident {incident} asks for plan {waiting[:PLAN_HASH_SHOWN]}"
        )
    known = {str(r.entry.data.get("plan_hash")) for r in records}
    found = [one for one in known if one.startswith(plan)]
    if len(found) != 1:
        raise PlanChangedError(
            f"incident {incident} has no plan {plan}: it asks for plan "
            f"{waiting[:PLAN_HASH_SHOWN]}; look at it (`autorepair show {incident}`) and answer "
            "that one"
        )
    return found[0]
