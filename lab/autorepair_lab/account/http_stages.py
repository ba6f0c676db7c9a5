"""Stages of HTTP APIs: changing one and its tags, which moto lacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.apigatewayv2.exceptions import ApiNotFound, StageNotFound
from moto.apigatewayv2.models import Stage, apigatewayv2_backends

from autorepair_lab.account.call import Call, CallRefusedError, ErrorReply, Reply

_NO_CONTENT, _NOT_FOUND = 204, 404


class HttpStages:
    """Interceptor for UpdateStage, and for the tagging calls that name a stage's ARN."""

    def __init__(self, account_id: str, region: str) -> None:
        self._account_id = account_id
        self._region = region
        self._operations: dict[str, Callable[[Call], Reply | None]] = {
            "UpdateStage": self._update,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "GetTags": self._tags,
        }

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer a call about a stage; those about APIs are moto's."""
        if call.service != "apigatewayv2" or call.operation not in self._operations:
            return None
        return self._operations[call.operation](call)

    def _update(self, call: Call) -> Reply:
        given = call.parameters
        stage = self._stage(given["ApiId"], given["StageName"])
        backend = apigatewayv2_backends[self._account_id][self._region]
        # The body is in the spelling that moto keeps a stage in.
        changed = Stage(backend.get_api(given["ApiId"]), {**stage.config, **json.loads(call.body)})
        changed.created, changed.tags = stage.created, stage.tags
        backend.get_api(given["ApiId"]).stages[stage.name] = changed
        return Reply({name: value for name, value in given.items() if name != "ApiId"})

    def _tag(self, call: Call) -> Reply | None:
        stage = self._named(call)
        if stage is None:
            return None
        stage.tags = {**stage.tags, **call.parameters.get("Tags", {})}
        return Reply({}, 201)

    def _untag(self, call: Call) -> Reply | None:
        stage = self._named(call)
        if stage is None:
            return None
        gone = call.parameters["TagKeys"]
        stage.tags = {key: value for key, value in stage.tags.items() if key not in gone}
        return Reply({}, _NO_CONTENT)

    def _tags(self, call: Call) -> Reply | None:
        stage = self._named(call)
        return None if stage is None else Reply({"Tags": stage.tags})

    def _named(self, call: Call) -> Any:  # noqa: ANN401 - moto is untyped
        arn = call.parameters["ResourceArn"]
        api, found, name = arn.partition("/stages/")
        return self._stage(api.rpartition("/")[2], name) if found else None

    def _stage(self, api: str, name: str) -> Any:  # noqa: ANN401 - moto is untyped
        backend = apigatewayv2_backends[self._account_id][self._region]
        try:
            return backend.get_stage(api, name)
        except (ApiNotFound, StageNotFound) as error:
            text = f"Invalid stage identifier specified: {api}/{name}"
            raise CallRefusedError("NotFoundException", text, _NOT_FOUND) from error
