"""What the account knows of its Lambda functions: versions, aliases, policies, layers.

Moto's own Lambda forgets too much (revisions, logging, layers, states) to be strict on top of it,
so the lab keeps functions itself and answers every Lambda call.
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from autorepair_lab.account.call import CallRefusedError

LATEST = "$LATEST"
_NAME = re.compile(
    r"(?:(?:arn:[\w-]+:lambda:[\w-]+:)?(?:\d{12}:)?function:|\d{12}:)?"
    r"(?P<name>[\w-]+)(?::(?P<qualifier>\$LATEST|[\w-]+))?"
)


def now_text() -> str:
    """The time as Lambda writes it in LastModified."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def new_revision() -> str:
    """A fresh RevisionId."""
    return str(uuid.uuid4())


@dataclass
class Version:
    """One version of a function; ``config`` has the shape of FunctionConfiguration."""

    config: dict[str, Any]
    code: bytes
    generation: int = 1  # rises with each change of code or configuration
    settles_at: float | None = None

    @property
    def number(self) -> str:
        """``$LATEST`` or the published number."""
        return str(self.config["Version"])

    def settle(self, now: float) -> None:
        """Finish an update whose moment has passed: the revision moves once more."""
        if self.settles_at is not None and now >= self.settles_at:
            self.settles_at = None
            self.config |= {"LastUpdateStatus": "Successful", "RevisionId": new_revision()}
            self.config.pop("LastUpdateStatusReason", None)
            self.config.pop("LastUpdateStatusReasonCode", None)


@dataclass
class Function:
    """A function with everything that hangs on it."""

    name: str
    arn: str
    latest: Version
    versions: list[Version] = field(default_factory=list)
    published: int = 0  # the highest version number given out; numbers are never used twice
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    reserved_concurrency: int | None = None
    policies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    policy_revisions: dict[str, str] = field(default_factory=dict)
    urls: dict[str, dict[str, Any]] = field(default_factory=dict)
    event_invoke: dict[str, dict[str, Any]] = field(default_factory=dict)
    provisioned: dict[str, dict[str, Any]] = field(default_factory=dict)

    def qualified_arn(self, qualifier: str) -> str:
        """The function's ARN with a qualifier, or without if there is none."""
        return f"{self.arn}:{qualifier}" if qualifier else self.arn


@dataclass(frozen=True)
class LayerVersion:
    """One version of a layer and its zip file."""

    output: dict[str, Any]  # the shape of GetLayerVersionResponse
    code: bytes


class FunctionStore:
    """All Lambda functions and layers of one account and Region; safe across threads.

    Lookups raise CallRefusedError with the code that Lambda uses.
    """

    def __init__(self, *, region: str, account_id: str, settle_s: float) -> None:
        self.region = region
        self.account_id = account_id
        self.settle_s = settle_s
        self.functions: dict[str, Function] = {}
        self.layers: dict[str, list[LayerVersion]] = {}
        self.mappings: dict[str, dict[str, Any]] = {}
        self._lock = threading.RLock()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the store still; updates that are due settle first."""
        with self._lock:
            now = time.monotonic()
            for function in self.functions.values():
                function.latest.settle(now)
            yield

    def arn(self, name: str) -> str:
        """The unqualified ARN of a function."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{name}"

    def split(self, reference: str, qualifier: str | None = None) -> tuple[str, str]:
        """Name and qualifier ("" if none) of a name, partial ARN or ARN."""
        match = _NAME.fullmatch(reference)
        if match is None:
            raise CallRefusedError("InvalidParameterValueException", f"No function: {reference}")
        own = match["qualifier"] or ""
        if own and qualifier and own != qualifier:
            raise CallRefusedError(
                "InvalidParameterValueException",
                "The derived qualifier from the function name does not match the specified "
                "qualifier.",
            )
        return match["name"], own or qualifier or ""

    def find(self, reference: str) -> Function:
        """The function that a name or ARN means; a qualifier is ignored."""
        name, qualifier = self.split(reference)
        if name not in self.functions:
            raise self.not_found(name, qualifier)
        return self.functions[name]

    def role_name(self, name: str) -> str:
        """What the execution role of a function is called; for one that is gone, the function."""
        function = self.functions.get(name)
        role = "" if function is None else str(function.latest.config.get("Role", ""))
        return role.rpartition("/")[2] or name

    def not_found(self, name: str, qualifier: str = "") -> CallRefusedError:
        """The error for a function or version that does not exist."""
        arn = self.arn(name) + (f":{qualifier}" if qualifier else "")
        return CallRefusedError(
            "ResourceNotFoundException", f"Function not found: {arn}", 404, Type="User"
        )

    def resolve(self, reference: str, qualifier: str | None = None) -> tuple[Function, Version]:
        """The version that a name and qualifier mean; an alias leads to its main version."""
        name, wanted = self.split(reference, qualifier)
        if name not in self.functions:
            raise self.not_found(name, wanted)
        function = self.functions[name]
        number = function.aliases[wanted]["FunctionVersion"] if wanted in function.aliases else ""
        return function, self.version(function, number or wanted)

    def version(self, function: Function, number: str) -> Version:
        """A version by number; no number means ``$LATEST``."""
        if number in {"", LATEST}:
            return function.latest
        for version in function.versions:
            if version.number == number:
                return version
        raise self.not_found(function.name, number)

    def begin_update(self, function: Function) -> None:
        """Mark ``$LATEST`` as being updated: a new revision now, another when it settles."""
        latest = function.latest
        latest.generation += 1
        latest.settles_at = time.monotonic() + self.settle_s
        latest.config |= {
            "RevisionId": new_revision(),
            "LastModified": now_text(),
            "LastUpdateStatus": "InProgress",
            "LastUpdateStatusReason": "The function is being created.",
            "LastUpdateStatusReasonCode": "Creating",
        }

    def output(self, function: Function, version: Version, qualifier: str = "") -> dict[str, Any]:
        """FunctionConfiguration as a reader sees it who asked by this qualifier."""
        config = deepcopy(version.config)
        if qualifier:
            config["FunctionArn"] = function.qualified_arn(qualifier)
        elif version.number != LATEST:
            config["FunctionArn"] = function.qualified_arn(version.number)
        return config
