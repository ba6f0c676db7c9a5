"""Templates: read from YAML or JSON, expanded by SAM, their parameters bound."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
import yaml
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from autorepair_lab.deploy.aws import text
from autorepair_lab.deploy.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SAM_TRANSFORM = "AWS::Serverless-2016-10-31"
_SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Globals",
        "Hooks",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
        "Transform",
    }
)
_RESOURCE_ATTRIBUTES = frozenset(
    {
        "Condition",
        "CreationPolicy",
        "DeletionPolicy",
        "DependsOn",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
    }
)
# The translator keeps its Region and metrics in class attributes.
_TRANSLATOR = Lock()


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms; dates stay the strings they were written as."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, object]:
    if isinstance(node, yaml.ScalarNode):
        value: object = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        raise TemplateError(f"Template format error: !{suffix} cannot be read")
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    return {name: value}


_Loader.add_multi_constructor("!", _short_form)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Template:
    """One template; ``expanded`` tells whether SAM resources were already translated."""

    body: str
    document: dict[str, Any] = field(repr=False)

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The Resources section."""
        section: dict[str, dict[str, Any]] = self.document["Resources"]
        return section

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """The Parameters section, empty if there is none."""
        return self.document.get("Parameters") or {}

    @property
    def conditions(self) -> dict[str, Any]:
        """The Conditions section, empty if there is none."""
        return self.document.get("Conditions") or {}

    @property
    def mappings(self) -> dict[str, Any]:
        """The Mappings section, empty if there is none."""
        return self.document.get("Mappings") or {}

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        """The Outputs section, empty if there is none."""
        return self.document.get("Outputs") or {}

    @property
    def description(self) -> str:
        """The template's own description."""
        return str(self.document.get("Description", ""))

    @property
    def transforms(self) -> list[str]:
        """The macros the template declares."""
        declared = self.document.get("Transform", [])
        return [declared] if isinstance(declared, str) else list(declared)

    def expand(self, parameters: Mapping[str, object], region: str) -> Template:
        """Translate SAM resources. Raises TemplateError in the transform's own words."""
        unknown = set(self.transforms) - {SAM_TRANSFORM}
        if unknown:
            raise TemplateError(f"No transform named {', '.join(sorted(unknown))} found.")
        if not self.transforms:
            return self
        return Template(self.body, _translate(self.document, parameters, region))


def read(body: str) -> Template:
    """Parse a template. Raises TemplateError if it is no well-formed template."""
    try:
        document = json.loads(body) if body.lstrip().startswith("{") else _yaml(body)
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise TemplateError(f"Template format error: {error}") from error
    if not isinstance(document, dict):
        raise TemplateError("Template format error: unsupported structure.")
    unknown = set(document) - _SECTIONS
    if unknown:
        raise TemplateError(
            f"Invalid template property or properties [{', '.join(sorted(map(str, unknown)))}]"
        )
    resources = document.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise TemplateError("Template format error: At least one Resources member must be defined.")
    for logical_id, resource in resources.items():
        _check_resource(str(logical_id), resource)
    return Template(body, document)


def _yaml(body: str) -> object:
    return yaml.load(body, Loader=_Loader)  # noqa: S506 - a safe loader, with short forms added


def _check_resource(logical_id: str, resource: object) -> None:
    if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
        raise TemplateError(
            f"Template format error: [/Resources/{logical_id}] Every resource must have a Type."
        )
    # Connectors and IgnoreGlobals are SAM's own.
    unknown = set(resource) - _RESOURCE_ATTRIBUTES - {"Connectors", "IgnoreGlobals"}
    if unknown:
        raise TemplateError(f"Invalid template resource property '{min(unknown)}' in {logical_id}")


def _translate(
    document: dict[str, Any], parameters: Mapping[str, object], region: str
) -> dict[str, Any]:
    session = boto3.Session(
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106 - a dummy for an emulated account
    )
    with _TRANSLATOR:
        translator = Translator({}, Parser(), boto_session=session)
        try:
            translated: dict[str, Any] = translator.translate(
                copy.deepcopy(document),
                parameter_values=dict(parameters),
                get_managed_policy_map=dict,
            )
        except InvalidDocumentException as error:
            reasons = " ".join(cause.message for cause in error.causes)
            raise TemplateError(
                f"Transform {SAM_TRANSFORM} failed with: {error.message} {reasons}"
            ) from error
        finally:
            translator.metrics.publish()  # or it complains on standard error when it is dropped
    # Through JSON, so that no two places share one object.
    plain: dict[str, Any] = json.loads(json.dumps(translated))
    plain.pop("Globals", None)
    return plain


@dataclass(frozen=True)
class Bound:
    """A parameter's given text and the value a Ref to it has."""

    given: str
    value: object
    is_secret: bool


def bind(
    declared: Mapping[str, dict[str, Any]],
    given: Mapping[str, str],
    read_ssm: Callable[[str], str],
) -> dict[str, Bound]:
    """Bind parameters to their declarations.

    Raises TemplateError for missing, unknown and forbidden values, worded as CloudFormation does.
    """
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise TemplateError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = sorted(
        name for name, spec in declared.items() if name not in given and "Default" not in spec
    )
    if missing:
        raise TemplateError(f"Parameters: [{', '.join(missing)}] must have values")
    bound = {}
    for name, spec in declared.items():
        value = given[name] if name in given else text(spec["Default"])
        _check_value(name, spec, value)
        bound[name] = Bound(
            value, _typed(spec, value, read_ssm), text(spec.get("NoEcho")) == "true"
        )
    return bound


def _typed(spec: dict[str, Any], value: str, read_ssm: Callable[[str], str]) -> object:
    kind = str(spec.get("Type", "String"))
    if kind.startswith("AWS::SSM::Parameter::Value<"):
        value = read_ssm(value)
    if "List<" in kind or kind == "CommaDelimitedList":
        return [item.strip() for item in value.split(",")] if value else []
    return value


def _check_value(name: str, spec: dict[str, Any], value: str) -> None:
    allowed = spec.get("AllowedValues")
    if allowed is not None and value not in [text(item) for item in allowed]:
        choices = ", ".join(text(item) for item in allowed)
        raise TemplateError(f"Parameter '{name}' must be one of AllowedValues [{choices}]")
    pattern = spec.get("AllowedPattern")
    if pattern is not None and re.fullmatch(str(pattern), value) is None:
        hint = spec.get("ConstraintDescription", f"must match pattern {pattern}")
        raise TemplateError(f"Parameter '{name}' failed to satisfy constraint: {hint}")
    length_low, length_high = spec.get("MinLength"), spec.get("MaxLength")
    if (length_low is not None and len(value) < int(length_low)) or (
        length_high is not None and len(value) > int(length_high)
    ):
        raise TemplateError(
            f"Parameter '{name}' must be between {length_low} and {length_high} long"
        )
    if spec.get("Type") == "Number":
        _check_number(name, spec, value)


def _check_number(name: str, spec: dict[str, Any], value: str) -> None:
    try:
        number = float(value)
    except ValueError as error:
        raise TemplateError(f"Parameter '{name}' must be a number, not {value!r}") from error
    if "MinValue" in spec and number < float(spec["MinValue"]):
        raise TemplateError(f"Parameter '{name}' must be a number not less than {spec['MinValue']}")
    if "MaxValue" in spec and number > float(spec["MaxValue"]):
        raise TemplateError(
            f"Parameter '{name}' must be a number not greater than {spec['MaxValue']}"
        )
