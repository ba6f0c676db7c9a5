"""Finding functions by tag: GetResources for Lambda, which moto cannot see."""

from __future__ import annotations

from typing import Any

from autorepair_lab.account.call import Call, CallRefusedError, ErrorReply, Reply
from autorepair_lab.account.lambda_store import Function, FunctionStore

_PAGE = 100


class FunctionTags:
    """Interceptor for the tagging API where it asks for Lambda functions."""

    def __init__(self, store: FunctionStore) -> None:
        self._store = store

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer GetResources for functions; other kinds of resource are moto's."""
        if (call.service, call.operation) != ("resourcegroupstaggingapi", "GetResources"):
            return None
        kinds = call.parameters.get("ResourceTypeFilters") or []
        arns = call.parameters.get("ResourceARNList") or []
        are_functions = [kind in {"lambda", "lambda:function"} for kind in kinds]
        are_functions += [":function:" in arn for arn in arns]
        if not are_functions or not any(are_functions):
            return None
        if not all(are_functions):
            raise CallRefusedError(
                "NotImplementedInLab", "The lab lists functions and other kinds apart", 501
            )
        return self._found(call.parameters)

    def _found(self, parameters: dict[str, Any]) -> Reply:
        arns = parameters.get("ResourceARNList") or []
        with self._store.locked():
            found = [
                {
                    "ResourceARN": function.arn,
                    "Tags": [{"Key": k, "Value": v} for k, v in function.tags.items()],
                }
                for function in self._store.functions.values()
                if function.tags
                and (not arns or function.arn in arns)
                and _fits(function, parameters.get("TagFilters") or [])
            ]
        first = int(parameters.get("PaginationToken") or 0)
        last = first + int(parameters.get("ResourcesPerPage") or _PAGE)
        token = str(last) if last < len(found) else ""
        return Reply({"ResourceTagMappingList": found[first:last], "PaginationToken": token})


def _fits(function: Function, filters: list[dict[str, Any]]) -> bool:
    return all(
        one["Key"] in function.tags
        and (not one.get("Values") or function.tags[one["Key"]] in one["Values"])
        for one in filters
    )
