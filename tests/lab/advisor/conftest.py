"""One lab for the tests of the advisor, and an ear on what it asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autorepair.aws.advisor import BedrockAdvisor
from autorepair.aws.advisor_runbooks import PackagedRunbooks
from autorepair.aws.clients import Clients
from lab.account_support import Lab, running_lab
from lab.advisor_support import MODEL, Eavesdropper


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("advisor")) as running:
        yield running


@pytest.fixture(scope="module")
def ear(lab: Lab) -> Eavesdropper:
    made = Eavesdropper()
    lab.account.add_interceptor(made)
    return made


@pytest.fixture
def clients(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Clients:
    monkeypatch.setenv("AWS_ENDPOINT_URL", lab.account.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return Clients("us-east-1")


@pytest.fixture
def advisor(clients: Clients, ear: Eavesdropper) -> BedrockAdvisor:
    ear.asked.clear()
    ear.looked_up.clear()
    return BedrockAdvisor(clients.bedrock_runtime, PackagedRunbooks(), model_id=MODEL)
