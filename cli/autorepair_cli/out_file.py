"""The file that a command's result goes to, tried before the work begins."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import click


def require_writable(out: Path) -> None:
    """Try whether the result can be written at the end; makes the folders on the way.

    Raises:
        click.ClickException: It cannot be.
    """
    try:
        _try(out)
    except OSError as error:
        raise click.ClickException(
            f"--out {out}: the result could not be written there: {error.strerror}"
        ) from error


def draft_of(out: Path) -> Path:
    """Name the file that takes the place of ``out`` once it is whole."""
    return out.with_name(f"{out.name}.part")


def _try(out: Path) -> None:
    if not out.name or out.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), out)
    if out.exists() and not out.is_file():
        raise OSError(errno.EINVAL, "it is a device or a pipe and no file", out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), out.parent) from error
    draft = draft_of(out)
    draft.touch()
    draft.unlink()
    if out.exists():
        out.open("ab").close()
