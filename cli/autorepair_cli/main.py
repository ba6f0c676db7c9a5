"""`autorepair`: the command line of Lambda Auto-Repair."""

from __future__ import annotations

import os
from importlib import import_module

import click

from autorepair_cli.answering import approve, reject
from autorepair_cli.audit import audit
from autorepair_cli.docs import docs
from autorepair_cli.enrol import enrol, unenrol
from autorepair_cli.incidents import incidents, show
from autorepair_cli.pausing import pause, resume
from autorepair_cli.policy import policy
from autorepair_cli.scorecard import scorecard

IN_THE_LAB = {name: f"autorepair_cli.{name}" for name in ("demo", "invoke", "lab")}
"""Commands that need the emulated account: seconds to import, and not there for operators who
installed the command line alone."""
ON_RECORDINGS = {name: f"autorepair_cli.{name}" for name in ("evaluate", "replay")}
"""Commands that run the steps themselves, and so import all of the service."""


class _Commands(click.Group):
    """Imports what takes long to import when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands."""
        return sorted({*super().list_commands(ctx), *IN_THE_LAB, *ON_RECORDINGS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give a command, imported if need be."""
        module = (IN_THE_LAB | ON_RECORDINGS).get(cmd_name)
        if module is not None and cmd_name not in self.commands:
            if cmd_name in IN_THE_LAB:
                _leave_the_developers_account()
            self.add_command(getattr(import_module(module), cmd_name))
        return super().get_command(ctx, cmd_name)


def _leave_the_developers_account() -> None:
    """Keep a profile and a proxy out of the lab: all it speaks to is on this machine."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(name, None)
    for name in ("NO_PROXY", "no_proxy"):
        before = os.environ.get(name)
        os.environ[name] = ",".join([*([before] if before else []), "127.0.0.1", "localhost"])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lambda-auto-repair", prog_name="autorepair")
def main() -> None:
    """Diagnose and repair failing Lambda functions, with proof, limits and a record."""


for command in (
    approve,
    audit,
    docs,
    enrol,
    incidents,
    pause,
    policy,
    reject,
    resume,
    scorecard,
    show,
    unenrol,
):
    main.add_command(command)
