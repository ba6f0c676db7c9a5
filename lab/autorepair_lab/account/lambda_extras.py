"""Lambda's control plane for layers, event sources, URLs, asynchronous and provisioned settings."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from autorepair_lab.account.call import Call, CallRefusedError, ErrorReply, Reply
from autorepair_lab.account.lambda_code import sha256_text, zip_of
from autorepair_lab.account.lambda_functions import page
from autorepair_lab.account.lambda_rules import check_model
from autorepair_lab.account.lambda_store import Function, FunctionStore, LayerVersion, now_text

Parameters = dict[str, Any]

_DEFAULT_RETRIES, _DEFAULT_AGE_S = 2, 21_600


class LambdaExtras:
    """Interceptor for layers, event source mappings, function URLs and invocation settings."""

    def __init__(self, store: FunctionStore) -> None:
        self._store = store
        self._operations: dict[str, Callable[[Parameters], Reply]] = {
            "PublishLayerVersion": self._publish_layer,
            "GetLayerVersion": self._get_layer,
            "GetLayerVersionByArn": self._get_layer_by_arn,
            "ListLayerVersions": self._list_layer_versions,
            "ListLayers": self._list_layers,
            "DeleteLayerVersion": self._delete_layer,
            "CreateEventSourceMapping": self._create_mapping,
            "GetEventSourceMapping": self._get_mapping,
            "UpdateEventSourceMapping": self._update_mapping,
            "DeleteEventSourceMapping": self._delete_mapping,
            "ListEventSourceMappings": self._list_mappings,
            "CreateFunctionUrlConfig": self._put_url,
            "UpdateFunctionUrlConfig": self._put_url,
            "GetFunctionUrlConfig": self._get_url,
            "DeleteFunctionUrlConfig": self._delete_url,
            "ListFunctionUrlConfigs": self._list_urls,
            "PutFunctionEventInvokeConfig": self._put_event_invoke,
            "UpdateFunctionEventInvokeConfig": self._put_event_invoke,
            "GetFunctionEventInvokeConfig": self._get_event_invoke,
            "DeleteFunctionEventInvokeConfig": self._delete_event_invoke,
            "PutProvisionedConcurrencyConfig": self._put_provisioned,
            "GetProvisionedConcurrencyConfig": self._get_provisioned,
            "DeleteProvisionedConcurrencyConfig": self._delete_provisioned,
            "ListProvisionedConcurrencyConfigs": self._list_provisioned,
            "GetFunctionCodeSigningConfig": self._get_signing,
            "GetRuntimeManagementConfig": self._get_runtime_management,
        }

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer the calls of this module."""
        operation = self._operations.get(call.operation) if call.service == "lambda" else None
        if operation is None:
            return None
        check_model(call.operation, call.parameters)
        with self._store.locked():
            return operation(call.parameters)

    def _publish_layer(self, parameters: Parameters) -> Reply:
        name = parameters["LayerName"].rpartition(":layer:")[2]
        code = zip_of(parameters["Content"], self._store.account_id)
        versions = self._store.layers.setdefault(name, [])
        number = versions[-1].output["Version"] + 1 if versions else 1
        arn = f"arn:aws:lambda:{self._store.region}:{self._store.account_id}:layer:{name}"
        output = {
            "LayerArn": arn,
            "LayerVersionArn": f"{arn}:{number}",
            "Version": number,
            "Description": parameters.get("Description", ""),
            "CreatedDate": now_text(),
            "CompatibleRuntimes": parameters.get("CompatibleRuntimes", []),
            "CompatibleArchitectures": parameters.get("CompatibleArchitectures", []),
            "Content": {
                "CodeSha256": sha256_text(code),
                "CodeSize": len(code),
                "Location": f"https://awslambda-{self._store.region}-layers.s3.amazonaws.com/{name}",
            },
        }
        versions.append(LayerVersion(output, code))
        return Reply(dict(output), 201)

    def _layer(self, name: str, number: int) -> LayerVersion:
        for version in self._store.layers.get(name.rpartition(":layer:")[2], ()):
            if version.output["Version"] == int(number):
                return version
        raise _missing("The resource you requested does not exist.")

    def _get_layer(self, parameters: Parameters) -> Reply:
        return Reply(dict(self._layer(parameters["LayerName"], parameters["VersionNumber"]).output))

    def _get_layer_by_arn(self, parameters: Parameters) -> Reply:
        name, _, number = parameters["Arn"].rpartition(":layer:")[2].partition(":")
        return Reply(dict(self._layer(name, int(number)).output))

    def _list_layer_versions(self, parameters: Parameters) -> Reply:
        name = parameters["LayerName"].rpartition(":layer:")[2]
        newest_first = [dict(one.output) for one in reversed(self._store.layers.get(name, []))]
        return Reply(page("LayerVersions", newest_first, parameters))

    def _list_layers(self, parameters: Parameters) -> Reply:
        found = [
            {
                "LayerName": name,
                "LayerArn": versions[-1].output["LayerArn"],
                "LatestMatchingVersion": dict(versions[-1].output),
            }
            for name, versions in self._store.layers.items()
            if versions
        ]
        return Reply(page("Layers", found, parameters))

    def _delete_layer(self, parameters: Parameters) -> Reply:
        name = parameters["LayerName"].rpartition(":layer:")[2]
        kept = [
            one
            for one in self._store.layers.get(name, [])
            if one.output["Version"] != int(parameters["VersionNumber"])
        ]
        self._store.layers[name] = kept
        return Reply(status=204)

    def _create_mapping(self, parameters: Parameters) -> Reply:
        function = self._store.find(parameters["FunctionName"])
        _, qualifier = self._store.split(parameters["FunctionName"])
        identity = str(uuid.uuid4())
        is_enabled = parameters.get("Enabled", True)
        mapping = {
            **{k: v for k, v in parameters.items() if k not in {"FunctionName", "Enabled"}},
            "UUID": identity,
            "FunctionArn": function.qualified_arn(qualifier),
            "State": "Enabled" if is_enabled else "Disabled",
            "StateTransitionReason": "USER_INITIATED",
            "LastModified": datetime.now(UTC),
        }
        self._store.mappings[identity] = mapping
        return Reply(dict(mapping), 202)

    def _mapping(self, parameters: Parameters) -> Parameters:
        found = self._store.mappings.get(parameters["UUID"])
        if found is None:
            raise _missing("The resource you requested does not exist.")
        return found

    def _get_mapping(self, parameters: Parameters) -> Reply:
        return Reply(dict(self._mapping(parameters)))

    def _update_mapping(self, parameters: Parameters) -> Reply:
        mapping = self._mapping(parameters)
        if "FunctionName" in parameters:
            mapping["FunctionArn"] = self._store.find(parameters["FunctionName"]).arn
        if "Enabled" in parameters:
            mapping["State"] = "Enabled" if parameters["Enabled"] else "Disabled"
        names = parameters.keys() - {"UUID", "FunctionName", "Enabled"}
        mapping |= {name: parameters[name] for name in names}
        return Reply(dict(mapping), 202)

    def _delete_mapping(self, parameters: Parameters) -> Reply:
        mapping = self._mapping(parameters)
        del self._store.mappings[parameters["UUID"]]
        return Reply({**mapping, "State": "Deleting"}, 202)

    def _list_mappings(self, parameters: Parameters) -> Reply:
        source = parameters.get("EventSourceArn")
        arns = None
        if "FunctionName" in parameters:
            function = self._store.find(parameters["FunctionName"])
            _, qualifier = self._store.split(parameters["FunctionName"])
            arns = {function.qualified_arn(qualifier)}
        found = [
            dict(one)
            for one in self._store.mappings.values()
            if source in {None, one.get("EventSourceArn")}
            and (arns is None or one["FunctionArn"] in arns)
        ]
        return Reply(page("EventSourceMappings", found, parameters))

    def _qualified(self, parameters: Parameters) -> tuple[Function, str]:
        reference, qualifier = parameters["FunctionName"], parameters.get("Qualifier")
        function, _ = self._store.resolve(reference, qualifier)
        return function, self._store.split(reference, qualifier)[1]

    def _put_url(self, parameters: Parameters) -> Reply:
        function, qualifier = self._qualified(parameters)
        arn = function.qualified_arn(qualifier)
        label = hashlib.sha256(arn.encode()).hexdigest()[:32]
        kept = function.urls.get(qualifier, {"CreationTime": now_text(), "InvokeMode": "BUFFERED"})
        given = {k: v for k, v in parameters.items() if k not in {"FunctionName", "Qualifier"}}
        url = {
            **kept,
            **given,
            "FunctionUrl": f"https://{label}.lambda-url.{self._store.region}.on.aws/",
            "FunctionArn": arn,
            "LastModifiedTime": now_text(),
        }
        function.urls[qualifier] = url
        return Reply(dict(url))

    def _get_url(self, parameters: Parameters) -> Reply:
        function, qualifier = self._qualified(parameters)
        return Reply(dict(_hung(function.urls, qualifier)))

    def _delete_url(self, parameters: Parameters) -> Reply:
        function, qualifier = self._qualified(parameters)
        function.urls.pop(qualifier, None)
        return Reply(status=204)

    def _list_urls(self, parameters: Parameters) -> Reply:
        function = self._store.find(parameters["FunctionName"])
        return Reply(page("FunctionUrlConfigs", list(function.urls.values()), parameters))

    def _put_event_invoke(self, parameters: Parameters) -> Reply:
        function, qualifier = self._qualified(parameters)
        kept = function.event_invoke.get(
            qualifier,
            {
                "MaximumRetryAttempts": _DEFAULT_RETRIES,
                "MaximumEventAgeInSeconds": _DEFAULT_AGE_S,
            },
        )
        given = {k: v for k, v in parameters.items() if k not in {"FunctionName", "Qualifier"}}
        config = {**kept, **given, "FunctionArn": function.qualified_arn(qualifier or "$LATEST")}
        config["LastModified"] = datetime.now(UTC)
        function.event_invoke[qualifier] = config
        return Reply(dict(config))

    def _get_event_invoke(self, parameters: Parameters) -> Reply:
        function, qualifier = self._qualified(parameters)
        return Reply(dict(_hung(function.event_invoke, qualifier)))

    def _delete_event_invoke(self, parameters: Parameters) -> Reply:
        function, qualifier = self._qualified(parameters)
        function.event_invoke.pop(qualifier, None)
        return Reply(status=204)

    def _put_provisioned(self, parameters: Parameters) -> Reply:
        function, qualifier = self._qualified(parameters)
        if qualifier in {"", "$LATEST"}:
            raise CallRefusedError(
                "InvalidParameterValueException",
                "Provisioned Concurrency Configs cannot be applied to unpublished function "
                "versions.",
                Type="User",
            )
        wanted = parameters["ProvisionedConcurrentExecutions"]
        config = {
            "RequestedProvisionedConcurrentExecutions": wanted,
            "AvailableProvisionedConcurrentExecutions": wanted,
            "AllocatedProvisionedConcurrentExecutions": wanted,
            "Status": "READY",
            "LastModified": now_text(),
        }
        function.provisioned[qualifier] = config
        return Reply(dict(config), 202)

    def _get_provisioned(self, parameters: Parameters) -> Reply:
        function, qualifier = self._qualified(parameters)
        config = function.provisioned.get(qualifier)
        if config is None:
            raise CallRefusedError(
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
                404,
                Type="User",
            )
        return Reply(dict(config))

    def _delete_provisioned(self, parameters: Parameters) -> Reply:
        function, qualifier = self._qualified(parameters)
        function.provisioned.pop(qualifier, None)
        return Reply(status=204)

    def _list_provisioned(self, parameters: Parameters) -> Reply:
        function = self._store.find(parameters["FunctionName"])
        found = [
            {**config, "FunctionArn": function.qualified_arn(qualifier)}
            for qualifier, config in function.provisioned.items()
        ]
        return Reply(page("ProvisionedConcurrencyConfigs", found, parameters))

    def _get_signing(self, parameters: Parameters) -> Reply:
        return Reply({"FunctionName": self._store.find(parameters["FunctionName"]).name})

    def _get_runtime_management(self, parameters: Parameters) -> Reply:
        function = self._store.find(parameters["FunctionName"])
        return Reply({"UpdateRuntimeOn": "Auto", "FunctionArn": function.arn})


def _hung(by_qualifier: dict[str, Parameters], qualifier: str) -> Parameters:
    if qualifier not in by_qualifier:
        raise _missing("The resource you requested does not exist.")
    return by_qualifier[qualifier]


def _missing(message: str) -> CallRefusedError:
    return CallRefusedError("ResourceNotFoundException", message, 404, Type="User")
