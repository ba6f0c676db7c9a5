"""How a byte stream becomes log events, also when it arrives in pieces or torn."""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING

import pytest

from autorepair_lab.runtime.emulator import find_emulator
from autorepair_lab.runtime.errors import EmulatorMissingError
from autorepair_lab.runtime.frames import Frame, FrameReader, LineReader, Report

if TYPE_CHECKING:
    from pathlib import Path

_TEXT_FRAME = 0xA55A0003


def frame(kind: int, body: bytes, at_us: int = 5) -> bytes:
    return struct.pack(">IIQ", kind, len(body), at_us) + body


def test_frames_are_cut_wherever_the_stream_was_split() -> None:
    stream = frame(_TEXT_FRAME, b"two\nlines", 1) + frame(Report.BEGIN, b"id", 2)
    expected = [Frame(None, 1, b"two\nlines"), Frame(Report.BEGIN, 2, b"id")]
    for cut in range(len(stream) + 1):
        reader = FrameReader()
        assert [*reader.feed(stream[:cut]), *reader.feed(stream[cut:])] == expected


def test_a_torn_frame_costs_no_frame_after_it() -> None:
    torn = frame(_TEXT_FRAME, b"x" * 40)[20:]
    whole = frame(Report.DONE, b"error")
    assert list(FrameReader().feed(torn + whole)) == [Frame(Report.DONE, 5, b"error")]


def test_bytes_that_are_no_text_do_not_break_a_line() -> None:
    (line,) = LineReader().feed(b"\xff ok\n", 1)
    assert line.text == "\ufffd ok"


def test_a_line_waits_for_its_end_and_a_rest_is_given_once() -> None:
    reader = LineReader()
    assert list(reader.feed(b"half", 1)) == []
    assert list(reader.feed(b" whole\nrest", 2)) == [Frame(None, 2, b"half whole")]
    assert list(reader.rest(3)) == [Frame(None, 3, b"rest")]
    assert list(reader.rest(4)) == []


def test_a_missing_emulator_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "bin" / "python"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmulatorMissingError, match="make setup"):
        find_emulator()
