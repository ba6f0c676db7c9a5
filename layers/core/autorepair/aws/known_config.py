"""The operator's declarations of environment variables, in SSM Parameter Store.

One parameter per variable, `{prefix}/{function}/{NAME}`; its value is a JSON object, one of

    {"type": "literal", "value": "..."}                    the variable must have this value
    {"type": "ssm", "name": "/path"}                       the value is that SSM parameter
    {"type": "secretsmanager", "name": "...", "key": "..."} the value is that secret, or a key of it
    {"type": "absent"}                                     the variable must not be set

A literal that is a secret itself goes into a SecureString parameter. What a SecureString holds is
only read when the value is needed, so until then it is taken for a literal; `absent` has to be a
plain String.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, TypeAdapter, ValidationError

from autorepair.aws.digests import Digester
from autorepair.aws.errors import AWS_FAILURES, aws_call, code_of, translated
from autorepair.domain.configuration import (
    ENROLMENT_TAG,
    ENROLMENT_VALUE,
    FunctionConfiguration,
)
from autorepair.domain.declared_reference import DeclaredReference
from autorepair.domain.errors import TransientServiceError, UndeclaredValueError
from autorepair.domain.evidence import DeclaredVariable
from autorepair.domain.value import Value

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_ssm import SSMClient


class _Literal(Value):
    type: Literal["literal"]
    value: str = Field(repr=False)


class _Parameter(Value):
    type: Literal["ssm"]
    name: str


class _Secret(Value):
    type: Literal["secretsmanager"]
    name: str
    key: str | None = None


class _Absent(Value):
    type: Literal["absent"]


_Entry = _Literal | _Parameter | _Secret | _Absent
_ENTRY: TypeAdapter[_Entry] = TypeAdapter(Annotated[_Entry, Field(discriminator="type")])


@dataclass(frozen=True, repr=False)
class _Stored:
    """A parameter as SSM holds it."""

    path: str
    text: str
    is_secure: bool

    @property
    def variable(self) -> str:
        return self.path.rpartition("/")[2]


class SsmKnownConfig:
    """Lists declarations, and looks values up for whoever writes them."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "declared": frozenset({"ssm:GetParametersByPath", "kms:GenerateMac"}),
        "references": frozenset({"ssm:GetParametersByPath"}),
        "resolve": frozenset(
            {"ssm:GetParameter", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"}
        ),
    }

    def __init__(
        self,
        ssm: SSMClient,
        secretsmanager: SecretsManagerClient,
        digester: Digester,
        *,
        prefix: str,
    ) -> None:
        self._ssm = ssm
        self._secretsmanager = secretsmanager
        self._digester = digester
        self._prefix = prefix.rstrip("/")

    def declared(self, configuration: FunctionConfiguration) -> tuple[DeclaredVariable, ...]:
        """List what is declared for the function: names and kinds, never values.

        A declaration that is not one of the four entries is left out: nothing may be written
        because of it.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        stored = sorted(self._stored(configuration.function_name), key=lambda s: s.path)
        found = (self._declaration(configuration, one) for one in stored)
        return tuple(declaration for declaration in found if declaration is not None)

    def references(self, function_name: str) -> dict[str, DeclaredReference]:
        """Say by variable which parameter or secret is declared as its source.

        A literal has none, and what a SecureString declares is not looked at.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        stored = self._stored(function_name)
        found = {one.variable: _reference(one) for one in stored if not one.is_secure}
        return {name: reference for name, reference in found.items() if reference is not None}

    def resolve(self, function_name: str, name: str) -> str:
        """Look up the value that is declared for a variable. Only for writing it.

        Raises:
            UndeclaredValueError: There is none, it is declared absent, or its source is missing,
                may not be read or is not enrolled.
            TransientServiceError: The source cannot be read just now.
        """
        path = f"{self._prefix}/{function_name}/{name}"
        entry = _entry(self._parameter(path, path), path)
        match entry:
            case _Literal():
                return entry.value
            case _Parameter():
                return self._parameter(entry.name, path)
            case _Secret():
                return self._secret(entry, path)
            case _Absent():
                raise UndeclaredValueError(f"{path} declares {name} absent, so it has no value")

    def _stored(self, function_name: str) -> list[_Stored]:
        path = f"{self._prefix}/{function_name}"
        with aws_call("ssm:GetParametersByPath", path):
            pages = self._ssm.get_paginator("get_parameters_by_path").paginate(
                Path=path, Recursive=False, WithDecryption=False
            )
            return [
                _Stored(p["Name"], p["Value"], is_secure=p["Type"] == "SecureString")
                for page in pages
                for p in page["Parameters"]
            ]

    def _declaration(
        self, configuration: FunctionConfiguration, stored: _Stored
    ) -> DeclaredVariable | None:
        name = stored.variable
        is_set = name in configuration.env_names
        if stored.is_secure:
            return DeclaredVariable(
                name=name, kind="literal", matches_current=_unknown_if(configuration, is_set=is_set)
            )
        try:
            entry = _entry(stored.text, stored.path)
        except UndeclaredValueError:
            return None
        match entry:
            case _Literal():
                matches = self._has_value(configuration, name, entry.value)
            case _Absent():
                matches = None if configuration.is_env_unreadable else not is_set
            case _Parameter() | _Secret():
                matches = _unknown_if(configuration, is_set=is_set)
        return DeclaredVariable(name=name, kind=entry.type, matches_current=matches)

    def _has_value(
        self, configuration: FunctionConfiguration, name: str, value: str
    ) -> bool | None:
        if configuration.is_env_unreadable:
            return None
        wanted = self._digester.of_value(configuration.function_arn, name, value)
        return any(d.name == name and d.digest == wanted for d in configuration.env_digests)

    def _parameter(self, name: str, declared_in: str) -> str:
        try:
            answer = self._ssm.get_parameter(Name=name, WithDecryption=True)
        except AWS_FAILURES as error:
            raise _unreadable(error, "ssm:GetParameter", name, declared_in) from error
        return answer["Parameter"]["Value"]

    def _secret(self, entry: _Secret, declared_in: str) -> str:
        self._require_enrolled(entry, declared_in)
        action = "secretsmanager:GetSecretValue"
        try:
            text = self._secretsmanager.get_secret_value(SecretId=entry.name).get("SecretString")
        except AWS_FAILURES as error:
            raise _unreadable(error, action, entry.name, declared_in) from error
        if text is None:
            raise UndeclaredValueError(
                f"secret {entry.name}, named by {declared_in}, is binary; a string is needed"
            )
        return text if entry.key is None else _key_of(text, entry, entry.key, declared_in)

    def _require_enrolled(self, entry: _Secret, declared_in: str) -> None:
        try:
            tags = self._secretsmanager.describe_secret(SecretId=entry.name).get("Tags", [])
        except AWS_FAILURES as error:
            action = "secretsmanager:DescribeSecret"
            raise _unreadable(error, action, entry.name, declared_in) from error
        if not any(
            t.get("Key") == ENROLMENT_TAG and t.get("Value") == ENROLMENT_VALUE for t in tags
        ):
            raise UndeclaredValueError(
                f"secret {entry.name}, named by {declared_in}, does not carry the tag "
                f"{ENROLMENT_TAG}={ENROLMENT_VALUE}; its owner has to add it"
            )


def _reference(stored: _Stored) -> DeclaredReference | None:
    try:
        entry = _entry(stored.text, stored.path)
    except UndeclaredValueError:
        return None
    match entry:
        case _Parameter():
            return DeclaredReference(kind="ssm", name=entry.name)
        case _Secret():
            return DeclaredReference(kind="secretsmanager", name=entry.name, key=entry.key)
        case _:
            return None


def _unknown_if(configuration: FunctionConfiguration, *, is_set: bool) -> bool | None:
    """Say what is known without the value: one that is not set does not match."""
    return None if is_set or configuration.is_env_unreadable else False


def _entry(text: str, path: str) -> _Entry:
    try:
        return _ENTRY.validate_json(text)
    except ValidationError:
        # Not chained: the validation error quotes its input, which may be a secret.
        raise UndeclaredValueError(
            f"{path} is not a declaration: it has to be a JSON object whose type is "
            "literal, ssm, secretsmanager or absent"
        ) from None


def _key_of(text: str, entry: _Secret, key: str, declared_in: str) -> str:
    where = f"secret {entry.name}, named by {declared_in},"
    try:
        content = json.loads(text)
    except ValueError:
        # Not chained: the decoding error carries the whole document.
        raise UndeclaredValueError(f"{where} is not JSON, so it has no key {key}") from None
    value = content.get(key) if isinstance(content, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UndeclaredValueError(f"{where} has no key {key} that is a string or a whole number")
    return str(value)


def _unreadable(
    error: Exception, action: str, source: str, declared_in: str
) -> TransientServiceError | UndeclaredValueError:
    failure = translated(error, action=action, on=source)
    if isinstance(failure, TransientServiceError):
        return failure
    return UndeclaredValueError(
        f"{action} on {source}, needed for {declared_in}, failed with {code_of(error)}: "
        "the source must exist and the role of this step must be allowed to read it"
    )
