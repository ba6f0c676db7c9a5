"""`autorepair enrol` and `autorepair unenrol`: a function's tag, and the alarms that watch it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import click
from rich import box
from rich.table import Table
from rich.text import Text

from autorepair.domain.audit import RecordKind
from autorepair.domain.configuration import ENROLMENT_TAG, ENROLMENT_VALUE, SERVICE_PREFIX
from autorepair.domain.errors import TargetNotFoundError
from autorepair.domain.own_alarms import (
    Enrollable,
    Thresholds,
    alarm_name,
    alarms_for,
    filter_for,
    metric_of,
    namespace_of,
)
from autorepair.domain.policy import Mode
from autorepair_cli.function_name import checked, named
from autorepair_cli.incidents import console
from autorepair_cli.operators import record
from autorepair_cli.service import Service, speaks_to_the_service

MODE_TAG = "auto-repair-mode"
KINDS = ("errors", "timeouts", "duration")
_UNFINISHED = frozenset({"not ours", "no log group"})
_NOTHING = frozenset({"not there", "not ours"})
_ADVICE = {
    "not ours": "an alarm of this name is there and does not carry our tag: it is left as it is",
    "no log group": "the log group is not there yet: invoke the function once, then enrol it again",
}

function_argument = click.argument("function", metavar="FUNCTION", callback=checked)


@dataclass(frozen=True)
class _Done:
    """One thing that was done, or was found done."""

    what: str
    name: str
    result: str
    detail: str = ""


@click.command()
@function_argument
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in Mode]),
    help="Also set the tag auto-repair-mode, which caps every mode of the policy for this "
    "function; it never loosens. Without it the tag stays as it is.",
)
@click.option("--no-alarms", is_flag=True, help="Only tag it: you have alarms of your own.")
@speaks_to_the_service
def enrol(service: Service, function: str, mode: str | None, *, no_alarms: bool) -> None:
    """Have FUNCTION looked after: tag it, and make the alarms that start incidents.

    Makes three alarms (errors, time-outs, duration) with the deployment's thresholds, and the
    metric filter that counts time-outs in its log. Adds only, and may be run again: what is there
    is brought up to date. Ends with 1 if something is still missing.
    """
    found = _enrollable(service, function)
    # First the thresholds: where the service is not deployed nothing is tagged either.
    thresholds = None if no_alarms else service.own_alarms.thresholds()
    done = [_tagged(service, found, mode)]
    try:
        if thresholds is not None:
            for one in _watched(service, found, thresholds):
                done.append(one)  # noqa: PERF402 - what was done before an error is kept
    finally:
        _print(found.name, done)
        _record(service, RecordKind.FUNCTION_ENROLLED, found.name, done)
    _finish(done)


@click.command()
@function_argument
@speaks_to_the_service
def unenrol(service: Service, function: str) -> None:
    """Leave FUNCTION alone from now on: take the tag off, and away what `enrol` made.

    Of alarms only those that carry the tag managed-by=lambda-auto-repair are deleted. A function
    that is gone may be named too, for what is left of it.
    """
    try:
        found = service.enrolling.describe(function)
    except TargetNotFoundError as error:
        name = named(function).name
        done = _unwatched(service, name)
        if all(one.result in _NOTHING for one in done):
            raise click.ClickException(f"{error}; and nothing of ours watches it") from error
    else:
        name = found.name
        # First the tag: from then on nothing is written, whatever happens to the rest.
        done = [_untagged(service, found), *_unwatched(service, name)]
    _print(name, done)
    _record(service, RecordKind.FUNCTION_UNENROLLED, name, done)


def _enrollable(service: Service, function: str) -> Enrollable:
    """Read the function.

    Raises:
        click.ClickException: It is one of the service itself, which is never repaired.
        TargetNotFoundError: There is none of that name here.
    """
    found = service.enrolling.describe(function)
    if found.name.startswith(SERVICE_PREFIX):
        raise click.ClickException(
            f"{found.name} is a function of this service itself, which is never repaired"
        )
    return found


def _tagged(service: Service, found: Enrollable, mode: str | None) -> _Done:
    wanted = {ENROLMENT_TAG: ENROLMENT_VALUE} | ({MODE_TAG: mode} if mode else {})
    is_there = found.tags | wanted == found.tags
    if not is_there:
        service.enrolling.tag(found.arn, wanted)
    told = ", ".join(f"{key}={value}" for key, value in wanted.items())
    return _Done("tag", found.name, "as it was" if is_there else "made", told)


def _untagged(service: Service, found: Enrollable) -> _Done:
    names = [name for name in (ENROLMENT_TAG, MODE_TAG) if name in found.tags]
    if names:
        service.enrolling.untag(found.arn, names)
    result = "removed" if names else "not there"
    return _Done("tag", found.name, result, ", ".join(names))


def _watched(service: Service, found: Enrollable, thresholds: Thresholds) -> Iterator[_Done]:
    wanted = filter_for(service.environment, found)
    shared = "" if found.has_log_of_its_own else "; other functions may log there too"
    result = service.enrolling.put_filter(wanted)
    yield _Done("metric filter", wanted.name, result, f"in {wanted.log_group}{shared}")
    for alarm in alarms_for(service.environment, found, thresholds):
        result_of_alarm = service.own_alarms.put(alarm)
        at = f"{alarm.metric} {alarm.statistic} >= {alarm.threshold:g}"
        yield _Done("alarm", alarm.name, result_of_alarm, at)


def _unwatched(service: Service, name: str) -> list[_Done]:
    environment = service.environment
    names = [alarm_name(environment, name, kind) for kind in KINDS]
    done = [_Done("alarm", alarm, service.own_alarms.remove(alarm)) for alarm in names]
    of_filter = alarm_name(environment, name, "timeouts")
    groups = service.enrolling.remove_filters(
        name=of_filter, namespace=namespace_of(environment), metric=metric_of(name)
    )
    result = "removed" if groups else "not there"
    return [*done, _Done("metric filter", of_filter, result, ", ".join(groups))]


def _print(function_name: str, done: Iterable[_Done]) -> None:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1), title=function_name)
    for heading in ("what", "name", "done", ""):
        table.add_column(heading)
    for one in done:
        table.add_row(one.what, Text(one.name), one.result, Text(one.detail))
    console().print(table)


def _record(service: Service, kind: RecordKind, name: str, done: Iterable[_Done]) -> None:
    by = service.identity.arn()
    acts = [{"what": one.what, "name": one.name, "done": one.result} for one in done]
    did = "has enrolled" if kind is RecordKind.FUNCTION_ENROLLED else "no longer enrols"
    data = {"by": by, "function_name": name, "acts": acts}
    record(service, kind, f"{by} {did} {name}", data)


def _finish(done: Iterable[_Done]) -> None:
    unfinished = [one for one in done if one.result in _UNFINISHED]
    for one in unfinished:
        click.echo(f"{one.name}: {_ADVICE[one.result]}", err=True)
    if unfinished:
        sys.exit(1)
