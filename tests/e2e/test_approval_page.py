"""People who answer on the page: what they see, what decides, what never does.

One lab for all; what each test needs is a patient of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from autorepair_lab.lab import Lab
from autorepair_lab.patient import Patient
from e2e.at_the_page import FUNCTION, Overheard, Visitor, asked_about, checked, kept, logged
from e2e.denials import Gatekeeper
from e2e.scene import configuration, is_whole, kinds, last, operator, story, trail
from e2e.waiting import until

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Type": "text/html; charset=utf-8",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(approval="ask") as running:
        yield running


@pytest.fixture(scope="module")
def overheard(lab: Lab) -> Overheard:
    return Overheard(lab)


@pytest.fixture(scope="module")
def gate(lab: Lab) -> Gatekeeper:
    keeper = Gatekeeper(lab)
    lab.account.add_interceptor(keeper)
    return keeper


def outcome(lab: Lab, patient: Patient) -> str:
    """Wait for the end, and say how it ended."""
    until(lambda: "incident_closed" in kinds(lab, patient), f"the end of {patient.name}")
    return str(last(lab, patient, "incident_closed").data["outcome"])


def decided(lab: Lab, patient: Patient) -> list[str]:
    return [one for one in kinds(lab, patient) if one.startswith("approval_answered")]


@pytest.fixture(scope="module")
def approved(lab: Lab, overheard: Overheard) -> tuple[Patient, Visitor]:
    """A question that has been looked at, mistaken, held back, and then approved."""
    assert overheard.calls is not None
    return asked_about(lab, "page-yes")


def test_a_deployment_with_the_page_is_checked_for_it(lab: Lab) -> None:
    done = checked(lab)
    assert f"ok    approval page {lab.ready.approval_url}" in done.stdout, done.stdout
    assert done.returncode == 0, done.stdout


def test_to_look_decides_nothing_however_often(lab: Lab, approved: tuple[Patient, Visitor]) -> None:
    patient, person = approved
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda _: person.look(), range(20)))
    assert {page.status_code for page in pages} == {200}
    for name, value in HEADERS.items():
        assert pages[0].headers[name] == value
    for told in (patient.function_name, "2 s", "4 s", "timeout"):
        assert told in pages[0].text
    assert "<script" not in pages[0].text
    assert person.look(**{"Accept-Language": "zh-CN,zh;q=0.9"}).text.count('lang="zh') > 0
    assert [requests.request(m, person.url, timeout=30).status_code for m in ("HEAD", "PUT")] == [
        404,
        404,
    ]
    assert decided(lab, patient) == []
    assert configuration(lab, patient)["Timeout"] == 2


@pytest.mark.parametrize(
    "sent",
    [
        {"function_name": "patient-page-no"},
        {"function_name": ""},
        {"name": ""},
        {"comment": "x" * 1001},
        {"nonce": ""},
        {"nonce": "A" * 22},
    ],
    ids=str,
)
@pytest.mark.parametrize("answer", ["approved", "rejected"])
def test_what_is_not_filled_in_as_it_should_be_decides_nothing(
    lab: Lab, approved: tuple[Patient, Visitor], sent: dict[str, str], answer: str
) -> None:
    patient, person = approved
    page = person.send(answer, **sent)
    assert 400 <= page.status_code < 500
    assert 'name="nonce"' in page.text, "the form is there again, to be mended"
    assert decided(lab, patient) == []


@pytest.mark.parametrize("answer", ["maybe", ""])
def test_a_form_without_an_answer_decides_nothing(
    lab: Lab, approved: tuple[Patient, Visitor], answer: str
) -> None:
    patient, person = approved
    assert person.send(answer).status_code == 400
    assert decided(lab, patient) == []


def test_while_repairs_are_paused_a_yes_is_refused_and_not_used_up(
    lab: Lab, approved: tuple[Patient, Visitor]
) -> None:
    patient, person = approved
    assert operator(lab, "pause", "--reason", "migration, until Friday").returncode == 0
    refused = person.send("approved")
    assert operator(lab, "resume").returncode == 0
    assert refused.status_code == 409
    assert "migration, until Friday" in refused.text
    assert decided(lab, patient) == []


def test_a_yes_on_the_page_repairs_the_function(
    lab: Lab, approved: tuple[Patient, Visitor]
) -> None:
    patient, person = approved
    done = person.send("approved", comment="go <b>on</b>")
    assert done.status_code == 200, done.text
    assert outcome(lab, patient) == "repaired", story(trail(lab, patient))
    answer = last(lab, patient, "approval_answered")
    assert (answer.data["by"], answer.data["comment"]) == (
        "Zoë Müller, by the link",
        "go <b>on</b>",
    )
    assert decided(lab, patient) == ["approval_answered"]
    assert configuration(lab, patient)["Timeout"] == 4
    assert is_whole(lab, answer.incident)


def test_the_link_tells_afterwards_who_answered_how_it_ended_and_how_to_keep_it(
    lab: Lab, approved: tuple[Patient, Visitor]
) -> None:
    patient, person = approved
    assert outcome(lab, patient) == "repaired"
    page = person.look()
    assert page.status_code == 200
    for told in ("Zoë Müller, by the link", "go &lt;b&gt;on&lt;/b&gt;", "Timeout: 4"):
        assert told in page.text
    assert 'name="nonce"' not in page.text


def test_a_contrary_answer_is_told_who_was_first(
    lab: Lab, approved: tuple[Patient, Visitor]
) -> None:
    patient, person = approved
    assert outcome(lab, patient) == "repaired"
    contrary = person.send("rejected", name="Somebody Else", nonce="A" * 22)
    assert contrary.status_code == 409
    assert "Zoë Müller, by the link" in contrary.text
    again = person.send("approved", nonce="A" * 22)
    assert again.status_code == 200
    assert decided(lab, patient) == ["approval_answered"]


def test_the_token_is_in_the_message_and_nowhere_else(
    lab: Lab, approved: tuple[Patient, Visitor], overheard: Overheard
) -> None:
    patient, person = approved
    assert outcome(lab, patient) == "repaired"
    lines = list(logged(lab))
    told = trail(lab, patient)
    assert any("approval_page" in one for one in lines), "the page logs"
    assert any('"routeKey":"POST /approval/{token}"' in one for one in lines), "and so does the API"
    assert any("ApprovalRequested" in one for one in overheard.events)
    everything = {
        "a log": lines,
        "a record": [repr(told), repr(kept(lab, lab.ready.audit_table))],
        "the bus": overheard.events,
        "a call": overheard.calls,
        "the state table": [repr(kept(lab, lab.ready.state_table))],
        "the evidence": [repr(one) for one in evidence(lab)],
    }
    for where, texts in everything.items():
        assert not [one for one in texts if person.token in one], f"the token is in {where}"
    digest = hashlib.sha256(person.token.encode()).hexdigest()
    assert any(digest in one for one in everything["the state table"]), "only its hash is kept"


def evidence(lab: Lab) -> Iterator[bytes]:
    for page in lab.clients.s3.get_paginator("list_objects_v2").paginate(
        Bucket=lab.ready.evidence_bucket
    ):
        for one in page.get("Contents", []):
            found = lab.clients.s3.get_object(Bucket=lab.ready.evidence_bucket, Key=one["Key"])
            yield found["Body"].read()


def test_an_execution_tells_nothing_of_the_token(
    lab: Lab, approved: tuple[Patient, Visitor]
) -> None:
    _, person = approved
    machines = lab.clients.stepfunctions
    arn = lab.ready.state_machine_arn
    for page in machines.get_paginator("list_executions").paginate(stateMachineArn=arn):
        for one in page["executions"]:
            history = machines.get_execution_history(
                executionArn=one["executionArn"], maxResults=1000
            )
            assert person.token not in repr(history)


def test_of_two_who_answer_at_the_same_moment_one_is_told_that_it_was_decided(lab: Lab) -> None:
    patient, person = asked_about(lab, "page-two")
    forms = {answer: person.nonce() for answer in ("approved", "rejected")}
    with ThreadPoolExecutor(2) as pool:
        answers = dict(
            zip(forms, pool.map(lambda a: person.send(a, nonce=forms[a]), forms), strict=True)
        )
    by_status = {page.status_code: answer for answer, page in answers.items()}
    assert set(by_status) == {200, 409}, {a: p.status_code for a, p in answers.items()}
    assert last(lab, patient, "approval_answered").data["answer"] == by_status[200]
    assert outcome(lab, patient) == {"approved": "repaired", "rejected": "rejected"}[by_status[200]]
    assert decided(lab, patient) == ["approval_answered"]


def test_a_no_on_the_page_leaves_the_function_alone(lab: Lab) -> None:
    patient, person = asked_about(lab, "page-no")
    before = configuration(lab, patient)
    assert operator(lab, "pause", "--reason", "migration").returncode == 0
    done = person.send("rejected", comment="not today")
    assert operator(lab, "resume").returncode == 0
    assert done.status_code == 200, "a pause holds no no back"
    assert outcome(lab, patient) == "rejected"
    assert configuration(lab, patient) == before
    page = person.look()
    assert "Zoë Müller, by the link" in page.text
    assert "not today" in page.text
    assert "Timeout: 4" not in page.text


def test_nobody_answers_and_the_link_tells_so_and_decides_nothing(lab: Lab) -> None:
    brief = {"modes": {"set_timeout": "ask"}, "approval": {"timeout_s": 8}}
    patient, person = asked_about(lab, "page-late", policy=brief)
    assert outcome(lab, patient) == "expired"
    expired = person.look()
    never = requests.get(f"{lab.ready.approval_url}/{'A' * 43}", timeout=30)
    malformed = requests.get(f"{lab.ready.approval_url}/AAAA", timeout=30)
    assert expired.status_code == 410
    assert patient.function_name in expired.text
    assert 'name="nonce"' not in expired.text
    assert "Nobody answered in time" in expired.text
    late = person.send("approved", nonce="A" * 22)
    assert (late.status_code, late.text) == (410, expired.text)
    assert decided(lab, patient) == []
    assert never.status_code == 404
    assert (malformed.status_code, malformed.text) == (404, never.text)


def test_what_aws_refuses_the_page_is_said_plainly_and_decides_nothing_twice(
    lab: Lab, gate: Gatekeeper
) -> None:
    patient, person = asked_about(lab, "page-denied")
    nonce = person.nonce()
    for service, operation in (("dynamodb", "GetItem"), ("dynamodb", "Query")):
        gate.denied = frozenset({("approval-page", service, operation)})
        page = person.send("approved", nonce=nonce)
        assert (page.status_code, "denied" in page.text) == (503, False), operation
    assert decided(lab, patient) == []
    gate.denied = frozenset({("approval-page", "stepfunctions", "SendTaskSuccess")})
    page = person.send("approved", nonce=nonce)
    gate.denied = frozenset()
    assert page.status_code == 503, page.text
    # It is in the record, and was not handed over: the same answer once more does that.
    assert decided(lab, patient) == ["approval_answered"]
    assert person.send("approved").status_code == 200
    assert outcome(lab, patient) == "repaired"
    assert decided(lab, patient) == ["approval_answered"]
    failed = [json.loads(one) for one in logged(lab) if '"ApprovalPageFailed"' in one]
    assert failed, f"what {FUNCTION} could not do is counted"
