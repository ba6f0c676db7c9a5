"""Items of the state table that another version of the service, or a hand, may have written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from autorepair.domain.errors import RecordUnreadableError

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

T = TypeVar("T")


class ReadableItems(Generic[T]):
    """Reads one item after the other; what cannot be read does not keep back the rest."""

    def __init__(self, read: Callable[[Mapping[str, AttributeValueTypeDef]], T]) -> None:
        self._read = read
        self._unreadable: list[str] = []

    def read(self, item: Mapping[str, AttributeValueTypeDef]) -> Iterator[T]:
        """Give what the item says, or nothing."""
        try:
            said = self._read(item)
        except (ValueError, KeyError, TypeError):
            self._unreadable.append(item["pk"].get("S", "?"))
            return
        yield said

    def report(self) -> None:
        """Say which items could not be read; called last, so that the others have been dealt with.

        Raises:
            RecordUnreadableError: There are such items.
        """
        if self._unreadable:
            raise RecordUnreadableError(
                f"{len(self._unreadable)} items of the state table cannot be read, first "
                f"{self._unreadable[0]}: look at them, mend or delete them"
            )
