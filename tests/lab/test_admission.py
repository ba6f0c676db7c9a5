"""How what a patient declares is put into the account."""

from __future__ import annotations

import json
from pathlib import Path

from autorepair_lab.admission import Admission
from autorepair_lab.clients import Clients
from autorepair_lab.interpreter import runtime
from autorepair_lab.patient import read_patient
from lab.account_support import running_lab
from lab.test_patient import make_patient

LITERAL = {"type": "literal", "value": "x"}


def test_a_literal_is_a_string_unless_the_patient_says_that_it_is_a_secret(tmp_path: Path) -> None:
    declared = {"PLAIN": LITERAL, "SEALED": LITERAL | {"secure": True}, "GONE": {"type": "absent"}}
    patient = read_patient(make_patient(tmp_path / "one", known_config=declared))
    with running_lab(tmp_path, time_scale=50) as lab:
        admission = Admission(
            Clients(lab.account.endpoint, "us-east-1"),
            policy_parameter="/policy",
            known_config_prefix="/known",
            runtime=runtime(),
            set_at_memory_limit=lambda _name, _how: None,
        )
        admission.admit(patient)
        stored = lab.client("ssm").get_parameters_by_path(
            Path=f"/known/{patient.function_name}", WithDecryption=True
        )["Parameters"]
    kinds = {one["Name"].rpartition("/")[2]: one["Type"] for one in stored}
    assert kinds == {"PLAIN": "String", "SEALED": "SecureString", "GONE": "String"}
    values = {one["Name"].rpartition("/")[2]: json.loads(one["Value"]) for one in stored}
    assert values["SEALED"] == LITERAL
