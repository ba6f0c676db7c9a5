"""A page's request and response, in the shape of an HTTP API's payload version 2.0."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from autorepair.domain.value import Value

Language = Literal["en", "zh"]


class Http(Value):
    """The part of the request's context that says how it was made."""

    model_config = ConfigDict(extra="ignore")

    method: str = ""


class RequestContext(Value):
    """What the HTTP API says of the request."""

    model_config = ConfigDict(extra="ignore")

    http: Http = Http()


class PageRequest(Value):
    """One request; what holds the link's token or the form stays out of every ``repr``."""

    model_config = ConfigDict(extra="ignore")

    context: RequestContext = Field(RequestContext(), alias="requestContext")
    path_parameters: dict[str, str] | None = Field(None, alias="pathParameters", repr=False)
    query: dict[str, str] | None = Field(None, alias="queryStringParameters", repr=False)
    headers: dict[str, str] | None = Field(None, repr=False)
    body: str | None = Field(None, repr=False)
    is_base64: bool = Field(False, alias="isBase64Encoded")  # noqa: FBT003 - a field's default

    @property
    def method(self) -> str:
        """The HTTP method, empty if the event names none."""
        return self.context.http.method

    @property
    def token(self) -> str:
        """The token of the path, empty if it has none; nobody has looked at it yet."""
        return (self.path_parameters or {}).get("token", "")

    @property
    def language(self) -> Language:
        """The language asked for by ``?lang=``, else the browser's, else English."""
        asked = (self.query or {}).get("lang")
        if asked is not None:
            return "zh" if asked == "zh" else "en"
        return _preferred(self.header("accept-language"))

    def header(self, name: str) -> str:
        """Give a header by its name in small letters, empty if it was not sent."""
        found = (v for n, v in (self.headers or {}).items() if n.lower() == name)
        return next(found, "")


class PageResponse(Value):
    """What goes back to the browser."""

    status: int
    headers: dict[str, str]
    body: str
    failure: str | None = None
    """For the log and the metrics, not for the browser: what the service itself failed with."""

    def as_json(self) -> dict[str, Any]:
        """Give it as the HTTP API reads it."""
        return {"statusCode": self.status, "headers": self.headers, "body": self.body}


_MOST_RANGES = 20


def _preferred(accepted: str) -> Language:
    """Choose by an Accept-Language header (RFC 9110, 12.5.4); of two liked alike the first."""
    best: tuple[float, Language] = (0.0, "en")
    for one in accepted.split(",", _MOST_RANGES)[:_MOST_RANGES]:
        name, _, weight = one.strip().lower().partition(";")
        primary = name.strip().partition("-")[0]
        if primary not in {"en", "zh"}:
            continue
        liked = _weight(weight)
        if liked > best[0]:
            best = (liked, "zh" if primary == "zh" else "en")
    return best[1]


def _weight(told: str) -> float:
    """Read ``q=0.8``; one that is left out is 1, one that cannot be read 0."""
    name, _, value = told.strip().partition("=")
    if not name:
        return 1.0
    try:
        found = float(value)
    except ValueError:
        return 0.0
    return found if 0 <= found <= 1 else 0.0
