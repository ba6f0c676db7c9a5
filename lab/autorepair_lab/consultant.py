"""Gives each patient its own scripted answers of the model, though all are asked at once."""

from __future__ import annotations

import json
import threading

from autorepair_lab.account.bedrock import BedrockScript
from autorepair_lab.account.call import Call, ErrorReply, RawReply, Reply
from autorepair_lab.patient import Patient

_MODEL_SERVICES = frozenset({"bedrock-runtime", "bedrock-agent-runtime"})


class Consultant:
    """Interceptor before the account's own script.

    A call belongs to the patient whose function it names (the longest name, where one is part of
    another). A call that names none, or a patient without answers, is left to the
    account's own script.
    """

    def __init__(self) -> None:
        self._scripts: dict[str, BedrockScript | None] = {}
        self._lock = threading.Lock()

    def expect(self, patient: Patient) -> None:
        """Keep the patient's answers. Raises ValueError that says which is of no known kind."""
        script = None
        if patient.bedrock:
            script = BedrockScript()
            script.set(patient.bedrock)
        with self._lock:
            self._scripts[patient.function_name] = script

    def handle(self, call: Call) -> Reply | ErrorReply | RawReply | None:
        """Answer from the script of the patient that the call is about."""
        if call.service not in _MODEL_SERVICES:
            return None
        asked = json.dumps(call.parameters, default=str)
        with self._lock:
            named = [name for name in self._scripts if name in asked]
            script = self._scripts[max(named, key=len)] if named else None
        return script.handle(call) if script else None
