"""A lab's folder goes with it, and those of killed labs when the next one starts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autorepair_lab.workdir import PID_FILE, PREFIX, Workdir, remove_dead

_HOLD = (
    "from autorepair_lab.workdir import Workdir\n"
    "held = Workdir()\n"
    "(held.path / 'code').mkdir()\n"
    "print(held.path, flush=True)\n"
    "input()\n"
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def lab_in(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    ) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_folder_names_its_process_and_goes_when_it_is_closed() -> None:
    workdir = Workdir()
    assert (workdir.path / PID_FILE).read_text() == f"{os.getpid()}\n"
    workdir.close()
    workdir.close()
    assert not workdir.path.exists()


def test_the_folder_of_a_lab_that_lives_is_kept_and_that_of_a_killed_one_removed(
    temporary: Path,
) -> None:
    with lab_in(temporary) as (process, folder):
        assert folder.parent == temporary
        assert remove_dead() == ()
        assert folder.is_dir()
        process.kill()
        process.wait(timeout=60)
        assert (folder / "code").is_dir()
        assert remove_dead() == (folder,)
        assert not folder.exists()


def test_the_folder_of_this_very_process_is_kept() -> None:
    workdir = Workdir()
    assert remove_dead() == ()
    assert workdir.path.is_dir()
    workdir.close()


def test_a_folder_that_nobody_can_be_named_for_is_left_alone(temporary: Path) -> None:
    folder = temporary / f"{PREFIX}unknown"
    folder.mkdir()
    assert remove_dead() == ()
    assert folder.is_dir()
