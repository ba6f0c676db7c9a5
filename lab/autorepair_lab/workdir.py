"""The folder of one lab, and the removal of those whose lab was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

PREFIX = "autorepair-lab-"
PID_FILE = "lab.pid"


class Workdir:
    """A folder that is locked for as long as its lab lives, and removed with it.

    The lock is on the folder's pid file, and ends with the process however that ends; unlike the
    number in the file it cannot pass to another process.
    """

    def __init__(self) -> None:
        """Make the folder. Raises OSError if the folder for temporary files takes none."""
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._pid_file = _locked(self.path)

    def close(self) -> None:
        """Remove the folder; closing twice does no harm."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._pid_file.close()


def _locked(folder: Path) -> IO[str]:
    # Under its name only once it is locked: a lab that starts now must not take this one for dead.
    draft = folder / f"{PID_FILE}.part"
    file = draft.open("w", encoding="ascii")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(f"{os.getpid()}\n")
    file.flush()
    draft.rename(folder / PID_FILE)
    return file


def remove_dead() -> tuple[Path, ...]:
    """Remove the folders of labs of this user that were killed; gives those that were removed.

    A folder without a pid file is left alone: nothing tells whose it is.
    """
    mine = os.getuid()
    folders = sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{PID_FILE}"))
    dead = tuple(file.parent for file in folders if _is_of(file, mine) and _is_dead(file))
    for folder in dead:
        shutil.rmtree(folder, ignore_errors=True)
    return dead


def _is_of(file: Path, user: int) -> bool:
    try:
        return file.lstat().st_uid == user and file.parent.lstat().st_uid == user
    except FileNotFoundError:
        return False  # its lab has just ended


def _is_dead(file: Path) -> bool:
    try:
        with file.open("r", encoding="ascii") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False
    return True
