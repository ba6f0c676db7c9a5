"""Measures the memory of a Lambda process and its children.

The figure is resident memory with shared pages counted once: for one process its RSS; for several
the proportional share of anonymous and shared memory of each (a fork's copy-on-write pages are not
counted twice) plus the largest set of file pages. The emulator itself is not part of it.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

MB = 1 << 20
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_KB = 1024
# What /proc answers about a process that has just ended.
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


class MemoryGauge:
    """Keeps the high-water mark, in bytes, of one process tree."""

    def __init__(self, root: int) -> None:
        self._root = root
        self.peak_bytes = 0

    def sample(self) -> int:
        """Measure now; return the bytes in use, 0 once the process has ended."""
        pids = _tree(self._root)
        with suppress(*_GONE):
            used = _resident(pids[0]) if len(pids) == 1 else _shared_once(pids)
            self.peak_bytes = max(self.peak_bytes, used)
            return used
        return 0

    def read_high_water_mark(self) -> int:
        """Take in the kernel's own mark, which sees what fell between two samples."""
        self.sample()
        with suppress(*_GONE):
            self.peak_bytes = max(self.peak_bytes, _status_kb(self._root, "VmHWM") * _KB)
        return self.peak_bytes

    def stop_processes(self) -> None:
        """Freeze the tree where it stands (SIGSTOP)."""
        for pid in _tree(self._root):
            with suppress(*_GONE):
                os.kill(pid, signal.SIGSTOP)


def _tree(root: int) -> list[int]:
    """Return the process and its descendants."""
    pids = [root]
    for pid in pids:
        with suppress(*_GONE):
            for task in Path(f"/proc/{pid}/task").iterdir():
                pids.extend(map(int, (task / "children").read_bytes().split()))
    return pids


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE_BYTES


def _shared_once(pids: list[int]) -> int:
    own, file_pages = 0, 0
    for pid in pids:
        with suppress(*_GONE):
            own += _rollup_kb(pid)
            file_pages = max(file_pages, _status_kb(pid, "RssFile"))
    return (own + file_pages) * _KB


def _rollup_kb(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return _field_kb(text, "Pss_Anon") + _field_kb(text, "Pss_Shmem")


def _status_kb(pid: int, name: str) -> int:
    return _field_kb(Path(f"/proc/{pid}/status").read_text(), name)


def _field_kb(text: str, name: str) -> int:
    """Read ``Name:   123 kB``; a kernel that lacks the line counts as 0."""
    _, found, rest = text.partition(f"{name}:")
    return int(rest.split(maxsplit=1)[0]) if found else 0
