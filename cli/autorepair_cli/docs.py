"""`autorepair docs`: writes the generated pages, or checks that they are up to date."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from autorepair_cli.pages import generated

PROJECT = Path(__file__).resolve().parents[2]


@click.command(hidden=True)
@click.option("--check", is_flag=True, help="Write nothing; end with 1 if a page is out of date.")
@click.pass_context
def docs(context: click.Context, *, check: bool) -> None:
    """Write the generated pages of the documentation."""
    root = context.find_root().command
    if not isinstance(root, click.Group):
        raise click.ClickException("the pages are made from the whole command line")
    stale = [
        (path, text)
        for path, text in generated(PROJECT, root).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        if check:
            click.echo(f"{path.relative_to(PROJECT)} is out of date: run `make docs`", err=True)
        else:
            path.write_text(text, encoding="utf-8")
            click.echo(f"wrote {path.relative_to(PROJECT)}")
    if check and stale:
        sys.exit(1)
