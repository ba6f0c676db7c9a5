from __future__ import annotations

from collections.abc import Iterator

import pytest

from autorepair.aws.digests import Digester
from lab.account_support import Lab, running_lab
from lab.publish_support import Stage, staged


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("publish"), settle_s=0.01) as running:
        yield running


@pytest.fixture(scope="module")
def digester(account: Lab) -> Digester:
    kms = account.client("kms")
    key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    return Digester(kms, key["KeyMetadata"]["KeyId"])


@pytest.fixture
def stage(account: Lab, digester: Digester) -> Stage:
    return staged(account, digester)
