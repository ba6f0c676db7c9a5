"""Lambda's control plane for functions and versions, as strict as AWS's."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from autorepair_lab.account.call import Call, CallRefusedError, ErrorReply, Reply
from autorepair_lab.account.lambda_code import sha256_text, zip_of
from autorepair_lab.account.lambda_rules import check_model, check_settings, check_writable
from autorepair_lab.account.lambda_store import (
    LATEST,
    Function,
    FunctionStore,
    Version,
    new_revision,
    now_text,
)

Parameters = dict[str, Any]

# Settings that are taken over from a request as they are.
_PLAIN = (
    "Role",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "Runtime",
    "KMSKeyArn",
    "TracingConfig",
    "EphemeralStorage",
)
_DEFAULTS: Parameters = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "PackageType": "Zip",
    "Architectures": ["x86_64"],
    "TracingConfig": {"Mode": "PassThrough"},
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
    "State": "Active",
    "LastUpdateStatus": "Successful",
}
_PAGE = 50


class LambdaFunctions:
    """Interceptor for functions, their configuration, code and versions."""

    def __init__(self, store: FunctionStore, on_retired: Callable[[str], None]) -> None:
        self._store = store
        self._on_retired = on_retired
        self._operations: dict[str, Callable[[Parameters], Reply]] = {
            "CreateFunction": self._create,
            "GetFunction": self._get,
            "GetFunctionConfiguration": self._get_configuration,
            "UpdateFunctionConfiguration": self._update_configuration,
            "UpdateFunctionCode": self._update_code,
            "DeleteFunction": self._delete,
            "ListFunctions": self._list,
            "PublishVersion": self._publish,
            "ListVersionsByFunction": self._list_versions,
        }

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer the calls of this module."""
        operation = self._operations.get(call.operation) if call.service == "lambda" else None
        if operation is None:
            return None
        check_model(call.operation, call.parameters)
        with self._store.locked():
            return operation(call.parameters)

    def _create(self, parameters: Parameters) -> Reply:
        store = self._store
        name, _ = store.split(parameters["FunctionName"])
        if name in store.functions:
            raise CallRefusedError(
                "ResourceConflictException", f"Function already exist: {name}", 409, Type="User"
            )
        if parameters.get("PackageType") == "Image":
            raise CallRefusedError(
                "NotImplementedInLab", "The lab runs zip packages only, no container images", 501
            )
        check_settings(parameters)
        code = zip_of(parameters["Code"], store.account_id)
        config = deepcopy(_DEFAULTS)
        config |= {
            "FunctionName": name,
            "FunctionArn": store.arn(name),
            "Version": LATEST,
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
            "LastModified": now_text(),
            "RevisionId": new_revision(),
        }
        config |= {key: parameters[key] for key in ("Architectures",) if key in parameters}
        self._apply_settings(config, parameters)
        _apply_code(config, code)
        function = Function(name, store.arn(name), Version(config, code))
        function.tags = dict(parameters.get("Tags") or {})
        store.functions[name] = function
        if parameters.get("Publish"):
            return Reply(self._publish_now(function, None), 201)
        return Reply(store.output(function, function.latest), 201)

    def _apply_settings(self, config: Parameters, parameters: Parameters) -> None:
        config |= {key: parameters[key] for key in _PLAIN if key in parameters}
        if "Environment" in parameters:
            variables = parameters["Environment"].get("Variables") or {}
            config.pop("Environment", None)
            if variables:
                config["Environment"] = {"Variables": dict(variables)}
        if "Layers" in parameters:
            config["Layers"] = [self._layer(arn) for arn in parameters["Layers"]]
        if "LoggingConfig" in parameters:
            merged = config["LoggingConfig"] | parameters["LoggingConfig"]
            is_json = merged["LogFormat"] == "JSON"
            levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"} if is_json else {}
            config["LoggingConfig"] = levels | merged
        if "VpcConfig" in parameters:
            config["VpcConfig"] = {"VpcId": ""} | parameters["VpcConfig"]
        if "SnapStart" in parameters:
            config["SnapStart"] = config["SnapStart"] | parameters["SnapStart"]
        for key in ("DeadLetterConfig", "FileSystemConfigs", "ImageConfig"):
            if key in parameters:
                config[key] = parameters[key]

    def _layer(self, arn: str) -> Parameters:
        name, _, number = arn.rpartition(":layer:")[2].partition(":")
        for version in self._store.layers.get(name, ()):
            if str(version.output["Version"]) == number:
                return {"Arn": arn, "CodeSize": len(version.code)}
        raise CallRefusedError(
            "InvalidParameterValueException",
            f"Layer version {arn} does not exist.",
            Type="User",
        )

    def _get_configuration(self, parameters: Parameters) -> Reply:
        return Reply(self._described(parameters))

    def _described(self, parameters: Parameters) -> Parameters:
        reference, qualifier = parameters["FunctionName"], parameters.get("Qualifier")
        function, version = self._store.resolve(reference, qualifier)
        _, asked = self._store.split(reference, qualifier)
        return self._store.output(function, version, asked)

    def _get(self, parameters: Parameters) -> Reply:
        function = self._store.find(parameters["FunctionName"])
        location = f"https://awslambda-{self._store.region}-tasks.s3.amazonaws.com/{function.name}"
        output = {
            "Configuration": self._described(parameters),
            "Code": {"RepositoryType": "S3", "Location": location},
        }
        if function.tags:
            output["Tags"] = dict(function.tags)
        if function.reserved_concurrency is not None:
            output["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
        return Reply(output)

    def _writable(self, parameters: Parameters) -> Function:
        """The function to write to; published versions never change."""
        _, qualifier = self._store.split(parameters["FunctionName"])
        if qualifier not in {"", LATEST}:
            raise CallRefusedError(
                "InvalidParameterValueException",
                "This operation is permitted on Lambda functions only. Aliases and versions do "
                "not support this operation. Please specify either a function name or an "
                "unqualified function ARN.",
                Type="User",
            )
        function = self._store.find(parameters["FunctionName"])
        check_writable(function, parameters.get("RevisionId"))
        return function

    def _update_configuration(self, parameters: Parameters) -> Reply:
        function = self._writable(parameters)
        check_settings(parameters)
        changed = deepcopy(function.latest.config)
        self._apply_settings(changed, parameters)
        function.latest.config = changed
        self._store.begin_update(function)
        return Reply(self._store.output(function, function.latest))

    def _update_code(self, parameters: Parameters) -> Reply:
        function = self._writable(parameters)
        code = zip_of(parameters, self._store.account_id)
        if parameters.get("DryRun"):
            return Reply(self._store.output(function, function.latest))
        _apply_code(function.latest.config, code)
        function.latest.config["Architectures"] = parameters.get(
            "Architectures", function.latest.config["Architectures"]
        )
        function.latest.code = code
        self._store.begin_update(function)
        if parameters.get("Publish"):
            return Reply(self._publish_now(function, None))
        return Reply(self._store.output(function, function.latest))

    def _publish(self, parameters: Parameters) -> Reply:
        function = self._writable(parameters)
        wanted = parameters.get("CodeSha256")
        if wanted is not None and wanted != function.latest.config["CodeSha256"]:
            raise CallRefusedError(
                "InvalidParameterValueException",
                f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST "
                f"({function.latest.config['CodeSha256']}). Please try again with the CodeSHA256 "
                "in $LATEST.",
                Type="User",
            )
        return Reply(self._publish_now(function, parameters.get("Description")), 201)

    def _publish_now(self, function: Function, description: str | None) -> Parameters:
        latest = function.latest
        last = function.versions[-1] if function.versions else None
        if last is not None and last.generation == latest.generation:
            # AWS publishes nothing when $LATEST has not changed since the last version.
            return self._store.output(function, last)
        config = deepcopy(latest.config)
        function.published += 1
        number = str(function.published)
        config |= {"Version": number, "RevisionId": new_revision(), "LastModified": now_text()}
        config |= {"FunctionArn": function.qualified_arn(number), "LastUpdateStatus": "Successful"}
        config["Description"] = config["Description"] if description is None else description
        version = Version(config, latest.code, latest.generation)
        function.versions.append(version)
        return self._store.output(function, version)

    def _delete(self, parameters: Parameters) -> Reply:
        reference, asked = parameters["FunctionName"], parameters.get("Qualifier")
        function = self._store.find(reference)
        _, qualifier = self._store.split(reference, asked)
        if qualifier:
            version = self._store.version(function, qualifier)
            function.versions = [one for one in function.versions if one is not version]
        else:
            del self._store.functions[function.name]
            self._on_retired(function.name)
        return Reply(status=204)

    def _list(self, parameters: Parameters) -> Reply:
        wants_all = parameters.get("FunctionVersion") == "ALL"
        described = []
        for function in self._store.functions.values():
            versions = [function.latest, *(function.versions if wants_all else [])]
            described += [
                self._store.output(function, one, one.number if wants_all else "")
                for one in versions
            ]
        return Reply(page("Functions", described, parameters))

    def _list_versions(self, parameters: Parameters) -> Reply:
        function = self._store.find(parameters["FunctionName"])
        described = [
            self._store.output(function, one, one.number)
            for one in (function.latest, *function.versions)
        ]
        return Reply(page("Versions", described, parameters))


def page(key: str, items: list[Parameters], parameters: Parameters) -> Parameters:
    """One page of a Lambda list; Marker is the index to go on from."""
    start = int(parameters.get("Marker") or 0)
    end = start + min(int(parameters.get("MaxItems") or _PAGE), _PAGE)
    output: Parameters = {key: items[start:end]}
    if end < len(items):
        output["NextMarker"] = str(end)
    return output


def _apply_code(config: Parameters, code: bytes) -> None:
    config |= {"CodeSha256": sha256_text(code), "CodeSize": len(code)}
