"""The name of a function as people give it: plainly, or as an ARN, and with nothing behind it."""

from __future__ import annotations

import re
from typing import NamedTuple

import click

# After the pattern of FunctionName in Lambda's API reference.
_NAMED = re.compile(
    r"(?:arn:aws[a-z-]{0,20}:lambda:[a-z0-9-]{1,30}:)?(?:\d{12}:)?(?:function:)?"
    r"(?P<name>[A-Za-z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)
_LONGEST_SHOWN = 100


class Named(NamedTuple):
    """A function, and the alias or version that stood behind its name."""

    name: str
    qualifier: str | None


def named(given: str) -> Named:
    """Read what Lambda takes for the name of a function.

    Raises:
        click.ClickException: It is none.
    """
    found = _NAMED.fullmatch(given)
    if found is None:
        shown = given if len(given) <= _LONGEST_SHOWN else f"{given[:_LONGEST_SHOWN]}..."
        raise click.ClickException(
            f"{shown!r} is no function: give its name (at most 64 letters, digits, - and _) or ARN"
        )
    return Named(found["name"], found["qualifier"])


def checked(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    """Let an argument through as it was given if it names a whole function.

    Raises:
        click.ClickException: It names no function, or an alias or version of one.
    """
    name, qualifier = named(given)
    if qualifier is not None:
        raise click.ClickException(
            f"{given} names {qualifier} of the function {name}: enrolment, policy and records are "
            f"the function's, with all its aliases and versions; say {name}"
        )
    return given


def plain(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """Give the plain name of the function that an option names; None where it was left out.

    Raises:
        click.ClickException: It names no function, or an alias or version of one.
    """
    return None if given is None else named(checked(context, parameter, given)).name
