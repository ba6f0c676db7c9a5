"""`autorepair`: the command line of Lambda Auto-Repair."""

from __future__ import annotations

import click

from autorepair_cli.demo import demo
from autorepair_cli.docs import docs
from autorepair_cli.invoke import invoke
from autorepair_cli.lab import lab


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lambda-auto-repair", prog_name="autorepair")
def main() -> None:
    """Diagnose and repair failing Lambda functions, with proof, limits and a record."""


main.add_command(demo)
main.add_command(docs)
main.add_command(invoke)
main.add_command(lab)
