"""Which functions carry the enrolment tag, asked of the tagging API: one call for 100 functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from autorepair.aws.clients import TaggingClient
from autorepair.aws.errors import aws_call
from autorepair.domain.configuration import ENROLMENT_TAG, ENROLMENT_VALUE


class TaggedFunctions:
    """Lambda's own API would take ListTags for each function of the account."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "function_arns": frozenset({"tag:GetResources"}),
    }

    def __init__(self, client: TaggingClient) -> None:
        self._tagging = client

    def function_arns(self) -> frozenset[str]:
        """Give the ARNs of all enrolled functions of this account and Region.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        found: set[str] = set()
        token = ""
        while True:
            with aws_call("tag:GetResources", "functions"):
                page = self._tagging.get_resources(
                    ResourceTypeFilters=["lambda:function"],
                    TagFilters=[{"Key": ENROLMENT_TAG, "Values": [ENROLMENT_VALUE]}],
                    PaginationToken=token,
                )
            found |= {one["ResourceARN"] for one in page["ResourceTagMappingList"]}
            token = page.get("PaginationToken") or ""
            if not token:
                return frozenset(found)
