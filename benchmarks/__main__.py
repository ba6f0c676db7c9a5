"""Simulates everything and writes the page: python -m benchmarks docs/measurements.md."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks import memory, timeouts, verdicts

_HEAD = """\
# Measurements

What the sizes and the verdicts come to, by simulation with the real rules, planners and judge.
Written by `make bench`; the same code gives the same figures, whatever the machine. The tables of
bars say what was asked for, and what does not hold is said as plainly as what does."""
_CHAPTERS = (memory.chapter, timeouts.chapter, verdicts.chapter)


def main(arguments: list[str]) -> int:
    """Write the page to the one file that is named; gives the exit code."""
    if len(arguments) != 1:
        sys.stderr.write(
            "give the one file to write to: python -m benchmarks docs/measurements.md\n"
        )
        return 2
    with ProcessPoolExecutor(max_workers=2) as pool:
        written = [pool.submit(chapter) for chapter in _CHAPTERS]
        page = "\n\n".join([_HEAD, *(chapter.result() for chapter in written)])
    Path(arguments[0]).write_text(f"{page}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
