"""Answers the service's questions in place of a person, as the command line does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from autorepair.domain.errors import AutoRepairError
from autorepair.ports import AnswerPorts
from autorepair.steps.answer_approval import AnswerInput, answer_approval
from autorepair_lab.trail import Record

Wish = Literal["approve", "reject", "none"]
"""What is answered; `none`: nobody answers."""

ApprovalMode = Literal["patients", "auto", "ask"]
"""`patients`: as each patient says, else nobody answers; `auto`: as it says, else yes;
`ask`: the lab never answers."""

BY = "lab"
_ANSWERS: dict[str, Literal["approved", "rejected"]] = {"approve": "approved", "reject": "rejected"}


class Approver:
    """Is told of every record; answers those that ask."""

    def __init__(
        self,
        ports: AnswerPorts,
        *,
        mode: ApprovalMode,
        wish_of: Callable[[str], Wish | None],
        tell: Callable[[str, str], None],
    ) -> None:
        self._ports = ports
        self._mode = mode
        self._wish_of = wish_of
        self._tell = tell
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="approver")

    def hear(self, record: Record) -> None:
        """Answer, in the background, if the record asks and the lab is to answer."""
        if record.kind == "approval_requested" and self._wish(record.function_name) != "none":
            self._pool.submit(self._answer, record)

    def close(self) -> None:
        """Answer no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _wish(self, function_name: str) -> Wish:
        if self._mode == "ask":
            return "none"
        return self._wish_of(function_name) or ("approve" if self._mode == "auto" else "none")

    def _answer(self, record: Record) -> None:
        given = AnswerInput(
            incident_id=record.incident_id,
            plan_hash=record.data["plan_hash"],
            answer=_ANSWERS[self._wish(record.function_name)],
            by=BY,
        )
        try:
            answer_approval(given, self._ports)
        except AutoRepairError as error:
            self._tell(record.function_name, f"the lab's answer did not get through: {error}")
