"""Lambda's control plane for aliases, resource policies, tags and concurrency."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from autorepair_lab.account.call import Call, CallRefusedError, ErrorReply, Reply
from autorepair_lab.account.lambda_functions import page
from autorepair_lab.account.lambda_rules import check_model, stale_revision
from autorepair_lab.account.lambda_store import LATEST, Function, FunctionStore, new_revision

Parameters = dict[str, Any]

ACCOUNT_CONCURRENCY = 1000
UNRESERVED_MINIMUM = 100


class LambdaAliases:
    """Interceptor for what hangs on a function by name: aliases, permissions, tags, concurrency."""

    def __init__(self, store: FunctionStore) -> None:
        self._store = store
        self._operations: dict[str, Callable[[Parameters], Reply]] = {
            "CreateAlias": self._create_alias,
            "GetAlias": self._get_alias,
            "UpdateAlias": self._update_alias,
            "DeleteAlias": self._delete_alias,
            "ListAliases": self._list_aliases,
            "AddPermission": self._add_permission,
            "RemovePermission": self._remove_permission,
            "GetPolicy": self._get_policy,
            "ListTags": self._list_tags,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "PutFunctionConcurrency": self._put_concurrency,
            "GetFunctionConcurrency": self._get_concurrency,
            "DeleteFunctionConcurrency": self._delete_concurrency,
            "GetAccountSettings": self._account_settings,
        }

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer the calls of this module."""
        operation = self._operations.get(call.operation) if call.service == "lambda" else None
        if operation is None:
            return None
        check_model(call.operation, call.parameters)
        with self._store.locked():
            return operation(call.parameters)

    def _create_alias(self, parameters: Parameters) -> Reply:
        function = self._store.find(parameters["FunctionName"])
        name = parameters["Name"]
        if name in function.aliases:
            raise CallRefusedError(
                "ResourceConflictException",
                f"Alias already exists: {function.qualified_arn(name)}",
                409,
                Type="User",
            )
        self._check_versions(function, parameters)
        alias = {
            "AliasArn": function.qualified_arn(name),
            "Name": name,
            "FunctionVersion": parameters["FunctionVersion"],
            "Description": parameters.get("Description", ""),
            "RevisionId": new_revision(),
        }
        _route(alias, parameters)
        function.aliases[name] = alias
        return Reply(deepcopy(alias), 201)

    def _check_versions(self, function: Function, parameters: Parameters) -> None:
        if "FunctionVersion" in parameters:
            self._store.version(function, parameters["FunctionVersion"])
        for number in (parameters.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}:
            self._store.version(function, number)

    def _alias(self, parameters: Parameters) -> tuple[Function, Parameters]:
        function = self._store.find(parameters["FunctionName"])
        alias = function.aliases.get(parameters["Name"])
        if alias is None:
            raise CallRefusedError(
                "ResourceNotFoundException",
                f"Cannot find alias arn: {function.qualified_arn(parameters['Name'])}",
                404,
                Type="User",
            )
        return function, alias

    def _get_alias(self, parameters: Parameters) -> Reply:
        return Reply(deepcopy(self._alias(parameters)[1]))

    def _update_alias(self, parameters: Parameters) -> Reply:
        function, alias = self._alias(parameters)
        revision = parameters.get("RevisionId")
        if revision is not None and revision != alias["RevisionId"]:
            raise stale_revision()
        self._check_versions(function, parameters)
        alias |= {
            key: parameters[key] for key in ("FunctionVersion", "Description") if key in parameters
        }
        _route(alias, parameters)
        alias["RevisionId"] = new_revision()
        return Reply(deepcopy(alias))

    def _delete_alias(self, parameters: Parameters) -> Reply:
        function = self._store.find(parameters["FunctionName"])
        function.aliases.pop(parameters["Name"], None)
        return Reply(status=204)

    def _list_aliases(self, parameters: Parameters) -> Reply:
        function = self._store.find(parameters["FunctionName"])
        wanted = parameters.get("FunctionVersion")
        found = [
            deepcopy(alias)
            for _, alias in sorted(function.aliases.items())
            if wanted in {None, alias["FunctionVersion"]}
        ]
        return Reply(page("Aliases", found, parameters))

    def _qualified(self, parameters: Parameters) -> tuple[Function, str]:
        reference, qualifier = parameters["FunctionName"], parameters.get("Qualifier")
        function, _ = self._store.resolve(reference, qualifier)
        _, asked = self._store.split(reference, qualifier)
        return function, "" if asked == LATEST else asked

    def _add_permission(self, parameters: Parameters) -> Reply:
        function, qualifier = self._qualified(parameters)
        statements = function.policies.setdefault(qualifier, [])
        sid = parameters["StatementId"]
        if any(statement["Sid"] == sid for statement in statements):
            raise CallRefusedError(
                "ResourceConflictException",
                f"The statement id ({sid}) provided already exists. Please provide a new "
                "statement id, or remove the existing statement.",
                409,
                Type="User",
            )
        self._check_policy_revision(function, qualifier, parameters)
        statement = _statement(parameters, function.qualified_arn(qualifier))
        statements.append(statement)
        function.policy_revisions[qualifier] = new_revision()
        return Reply({"Statement": json.dumps(statement)}, 201)

    def _check_policy_revision(
        self, function: Function, qualifier: str, parameters: Parameters
    ) -> None:
        revision = parameters.get("RevisionId")
        if revision is not None and revision != function.policy_revisions.get(qualifier):
            raise stale_revision()

    def _remove_permission(self, parameters: Parameters) -> Reply:
        function, qualifier = self._qualified(parameters)
        self._check_policy_revision(function, qualifier, parameters)
        before = function.policies.get(qualifier, [])
        kept = [one for one in before if one["Sid"] != parameters["StatementId"]]
        if len(kept) == len(before):
            raise _no_policy()
        function.policies[qualifier] = kept
        function.policy_revisions[qualifier] = new_revision()
        return Reply(status=204)

    def _get_policy(self, parameters: Parameters) -> Reply:
        function, qualifier = self._qualified(parameters)
        statements = function.policies.get(qualifier)
        if not statements:
            raise _no_policy()
        policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
        revision = function.policy_revisions[qualifier]
        return Reply({"Policy": json.dumps(policy), "RevisionId": revision})

    def _list_tags(self, parameters: Parameters) -> Reply:
        return Reply({"Tags": dict(self._store.find(parameters["Resource"]).tags)})

    def _tag(self, parameters: Parameters) -> Reply:
        self._store.find(parameters["Resource"]).tags.update(parameters["Tags"])
        return Reply(status=204)

    def _untag(self, parameters: Parameters) -> Reply:
        tags = self._store.find(parameters["Resource"]).tags
        for key in parameters["TagKeys"]:
            tags.pop(key, None)
        return Reply(status=204)

    def _put_concurrency(self, parameters: Parameters) -> Reply:
        function = self._store.find(parameters["FunctionName"])
        wanted = int(parameters["ReservedConcurrentExecutions"])
        others = self._reserved() - (function.reserved_concurrency or 0)
        if ACCOUNT_CONCURRENCY - others - wanted < UNRESERVED_MINIMUM:
            raise CallRefusedError(
                "InvalidParameterValueException",
                "Specified ReservedConcurrentExecutions for function decreases account's "
                "UnreservedConcurrentExecution below its minimum value of "
                f"[{UNRESERVED_MINIMUM}].",
                Type="User",
            )
        function.reserved_concurrency = wanted
        return Reply({"ReservedConcurrentExecutions": wanted})

    def _reserved(self) -> int:
        return sum(one.reserved_concurrency or 0 for one in self._store.functions.values())

    def _get_concurrency(self, parameters: Parameters) -> Reply:
        reserved = self._store.find(parameters["FunctionName"]).reserved_concurrency
        return Reply({} if reserved is None else {"ReservedConcurrentExecutions": reserved})

    def _delete_concurrency(self, parameters: Parameters) -> Reply:
        self._store.find(parameters["FunctionName"]).reserved_concurrency = None
        return Reply(status=204)

    def _account_settings(self, _parameters: Parameters) -> Reply:
        functions = list(self._store.functions.values())
        size = sum(one.latest.config["CodeSize"] for one in functions)
        limit = {
            "TotalCodeSize": 80_530_636_800,
            "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
            "UnreservedConcurrentExecutions": ACCOUNT_CONCURRENCY - self._reserved(),
        }
        usage = {"TotalCodeSize": size, "FunctionCount": len(functions)}
        return Reply({"AccountLimit": limit, "AccountUsage": usage})


def _route(alias: Parameters, parameters: Parameters) -> None:
    if "RoutingConfig" not in parameters:
        return
    weights = (parameters["RoutingConfig"] or {}).get("AdditionalVersionWeights") or {}
    alias.pop("RoutingConfig", None)
    if weights:
        alias["RoutingConfig"] = {"AdditionalVersionWeights": dict(weights)}


def _statement(parameters: Parameters, resource: str) -> Parameters:
    principal = parameters["Principal"]
    is_service = "." in principal
    statement: Parameters = {
        "Sid": parameters["StatementId"],
        "Effect": "Allow",
        "Principal": {"Service": principal} if is_service else {"AWS": principal},
        "Action": parameters["Action"],
        "Resource": resource,
    }
    conditions: Parameters = {}
    if "SourceArn" in parameters:
        conditions["ArnLike"] = {"AWS:SourceArn": parameters["SourceArn"]}
    if "SourceAccount" in parameters:
        conditions["StringEquals"] = {"AWS:SourceAccount": parameters["SourceAccount"]}
    if conditions:
        statement["Condition"] = conditions
    return statement


def _no_policy() -> CallRefusedError:
    return CallRefusedError(
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
        404,
        Type="User",
    )
