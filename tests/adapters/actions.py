"""Which actions the adapters call for, as IAM names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, get_args

from adapters.account import Account
from autorepair.aws.clients import ServiceName

# Where IAM names a service otherwise than boto3.
IAM_PREFIXES = {"stepfunctions": "states", "resourcegroupstaggingapi": "tag"}


@contextmanager
def actions_called(account: Account) -> Iterator[set[str]]:
    """Note, as IAM actions, what the shared clients are called for."""
    noted: set[str] = set()
    with ExitStack() as stack:
        for service in get_args(ServiceName):
            client: Any = account.clients._client(service).made

            prefix_now = IAM_PREFIXES.get(service, service)

            def note(model: Any, prefix: str = prefix_now, **_: object) -> None:  # noqa: ANN401
                noted.add(f"{prefix}:{model.name}")

            client.meta.events.register("before-call", note)
            stack.callback(client.meta.events.unregister, "before-call", note)
        yield noted
