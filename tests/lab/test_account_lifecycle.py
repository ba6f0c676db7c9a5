"""An account begins empty, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from autorepair_lab.account.server import Account
from lab.account_support import create_function, running_lab


def test_a_new_account_knows_nothing_of_the_one_before(tmp_path: Path) -> None:
    with running_lab(tmp_path / "one") as first:
        first.client("sqs").create_queue(QueueName="q")
        create_function(first.client("lambda"), "f")
    with running_lab(tmp_path / "two") as second:
        assert second.client("sqs").list_queues().get("QueueUrls", []) == []
        assert second.client("lambda").list_functions()["Functions"] == []


def test_close_frees_the_port_and_stops_the_runtime(tmp_path: Path) -> None:
    with running_lab(tmp_path) as lab:
        port = int(lab.account.endpoint.rpartition(":")[2])
        assert os.environ["MOTO_PORT"] == str(port)
        runtime = lab.runtime

    assert runtime.is_closed
    assert "MOTO_PORT" not in os.environ
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    with running_lab(tmp_path, port=port) as again:
        assert again.account.endpoint == f"http://127.0.0.1:{port}"


def test_a_runtime_that_cannot_start_leaves_no_account_behind(tmp_path: Path) -> None:
    class NoRuntimeError(Exception):
        pass

    def refuse(**_settings: object) -> None:
        raise NoRuntimeError

    broken = Account(workdir=tmp_path, runtime_factory=refuse)  # type: ignore[arg-type]
    with pytest.raises(NoRuntimeError):
        broken.start()
    with running_lab(tmp_path) as lab:
        assert lab.account.calls() == []


def test_nothing_can_be_asked_of_an_account_that_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="start"):
        Account(workdir=tmp_path).inbox()
    with pytest.raises(ValueError, match="time_scale"):
        Account(workdir=tmp_path, time_scale=0)
