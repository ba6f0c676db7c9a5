"""Where a declared value is kept, for those who refer to it; never the value."""

from __future__ import annotations

from typing import Literal

from autorepair.domain.value import Value


class DeclaredReference(Value):
    """The parameter or the secret that an operator declared as a variable's source."""

    kind: Literal["ssm", "secretsmanager"]
    name: str
    key: str | None = None
    """Of the secret, where its value is one of several."""
