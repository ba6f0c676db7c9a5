"""Finds AWS's Runtime Interface Emulator, which aws-sam-cli carries."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from autorepair_lab.runtime.errors import EmulatorMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BINARIES = {
    "x86_64": "aws-lambda-rie-x86_64",
    "amd64": "aws-lambda-rie-x86_64",
    "aarch64": "aws-lambda-rie-arm64",
    "arm64": "aws-lambda-rie-arm64",
}


def find_emulator() -> Path:
    """Return the emulator binary of this machine's processor.

    Looked for in the environment of the ``sam`` beside the running interpreter, then of the
    ``sam`` on the PATH, then in ``.venv-sam`` beside the interpreter's own environment.

    Raises:
        EmulatorMissingError: no such environment carries it, or AWS makes none for this processor.
    """
    binary = _BINARIES.get(platform.machine().lower())
    if binary is None or not sys.platform.startswith("linux"):
        raise EmulatorMissingError(
            f"AWS has no Runtime Interface Emulator for {sys.platform} on {platform.machine()};"
            " the lab needs Linux on x86_64 or arm64."
        )
    looked_in = list(_environments())
    for environment in looked_in:
        pattern = f"lib/python3.*/site-packages/samcli/local/rapid/{binary}"
        for found in sorted(environment.glob(pattern)):
            if os.access(found, os.X_OK):
                return found
    places = ", ".join(str(place) for place in looked_in)
    raise EmulatorMissingError(
        f"{binary} (a part of aws-sam-cli) is in none of: {places}. Run `make setup`."
    )


def _environments() -> Iterator[Path]:
    """Yield the virtual environments that may hold aws-sam-cli, best first."""
    beside = Path(sys.executable).parent / "sam"
    if beside.exists():
        yield beside.resolve().parent.parent
    on_path = shutil.which("sam")
    if on_path is not None:
        yield Path(on_path).resolve().parent.parent
    yield Path(sys.prefix).parent / ".venv-sam"
