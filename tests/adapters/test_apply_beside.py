"""Reserved concurrency, aliases and /tmp, against the shapes that AWS answers in."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.account import ARN, TARGET, Account, ScriptedLambda, raw
from autorepair.aws.latest import ATTEMPTS
from autorepair.aws.reading import Reading
from autorepair.domain.change import (
    AliasSetting,
    Change,
    EphemeralStorageSetting,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import (
    AccessDeniedError,
    ChangeRefusedError,
    StaleConfigurationError,
    TransientServiceError,
)
from autorepair.domain.standing import standing, with_setting

FIVE, TWENTY = (ReservedConcurrencySetting(reserved_concurrency=n) for n in (5, 20))
BAD, GOOD = (AliasSetting(alias="live", version=v) for v in ("42", "41"))
ALIAS = TARGET.model_copy(update={"qualifier": "live"})
LOOKS = 4
"""After 0.25, 0.5, 1 and 2 s: so often a reading is had again that shows what was refused."""


class Script(ScriptedLambda):
    """The calls around a setting that is kept beside the configuration."""

    def shows(self, *, reserved: int | None = None, **members: Any) -> Script:  # noqa: ANN401 - any member of the answer
        self.reads(**members)
        self.stubber.add_response("list_tags", {"Tags": {}}, {"Resource": ARN})
        answer = {} if reserved is None else {"ReservedConcurrentExecutions": reserved}
        self.stubber.add_response("get_function_concurrency", answer, {"FunctionName": ARN})
        return self

    def has_reserved(self, executions: int) -> Script:
        answer = {"ReservedConcurrentExecutions": executions}
        self.stubber.add_response("get_function_concurrency", answer, {"FunctionName": ARN})
        return self

    def reserves(self, executions: int, *, was: int = 5) -> Script:
        self.has_reserved(was)
        self.stubber.add_response(
            "put_function_concurrency",
            {"ReservedConcurrentExecutions": executions},
            {"FunctionName": ARN, "ReservedConcurrentExecutions": executions},
        )
        return self

    def points(self, version: str, revision: str = "a1", weights: Any = None) -> Script:  # noqa: ANN401 - as AWS answers
        answer: dict[str, Any] = {
            "Name": "live",
            "FunctionVersion": version,
            "RevisionId": revision,
        }
        if weights is not None:
            answer["RoutingConfig"] = {"AdditionalVersionWeights": weights}
        self.stubber.add_response("get_alias", answer, {"FunctionName": ARN, "Name": "live"})
        return self

    def moves(self, version: str, revision: str = "a1") -> Script:
        self.stubber.add_response(
            "update_alias",
            {"Name": "live", "FunctionVersion": version, "RevisionId": f"{revision}+"},
            {
                "FunctionName": ARN,
                "Name": "live",
                "FunctionVersion": version,
                "RevisionId": revision,
            },
        )
        return self

    def drops(self, operation: str) -> Script:
        return self.failing(operation, "ServiceException", 500)

    def failing(self, operation: str, code: str, status: int = 400) -> Script:
        self.fails(operation, code, status=status)
        return self


@pytest.fixture
def script(account: Account) -> Script:
    return Script(account)


def at(account: Account, setting: Setting) -> FunctionConfiguration:
    plain = Reading(raw()).configuration(account.digester, tags={}, reserved_concurrency=None)
    assert isinstance(setting, ReservedConcurrencySetting | AliasSetting)
    return with_setting(plain, setting)


def change(account: Account, before: Setting, after: Setting, **known: Any) -> Change:  # noqa: ANN401 - Change's fields
    fields = {"planned_on": standing(at(account, before), before)} | known
    target = ALIAS if isinstance(after, AliasSetting) else TARGET
    return Change(target=target, before=before, after=after, **fields)


def test_a_reservation_is_written_between_two_readings(account: Account, script: Script) -> None:
    script.shows(reserved=5).reserves(20).shows(reserved=20)
    assert script.functions.apply(change(account, FIVE, TWENTY)).reserved_concurrency == 20
    script.ends()


def test_a_reservation_that_somebody_changed_is_left_alone(
    account: Account, script: Script
) -> None:
    script.shows(reserved=7)
    with pytest.raises(StaleConfigurationError):
        script.functions.apply(change(account, FIVE, TWENTY))
    script.ends()


def test_a_reservation_is_not_raised_on_another_configuration(
    account: Account, script: Script
) -> None:
    script.shows(reserved=5, MemorySize=1024)
    with pytest.raises(StaleConfigurationError):
        script.functions.apply(change(account, FIVE, TWENTY))
    script.ends()


def test_a_reservation_that_is_made_already_is_not_made_again(
    account: Account, script: Script
) -> None:
    script.shows(reserved=20)
    assert script.functions.apply(change(account, FIVE, TWENTY)).reserved_concurrency == 20
    script.ends()


def test_a_reservation_that_another_write_came_on_top_of_is_not_called_made(
    account: Account, script: Script
) -> None:
    script.shows(reserved=5).reserves(20).shows(reserved=8)
    with pytest.raises(StaleConfigurationError, match="right after the write"):
        script.functions.apply(change(account, FIVE, TWENTY))
    script.ends()


@pytest.mark.parametrize("readings_behind", [1, 2, 5])
def test_a_reading_that_lags_behind_our_own_write_is_not_believed(
    account: Account, script: Script, readings_behind: int
) -> None:
    script.shows(reserved=5).reserves(20)
    for _ in range(readings_behind):
        script.shows(reserved=5)
    script.shows(reserved=20)
    assert script.functions.apply(change(account, FIVE, TWENTY)).reserved_concurrency == 20
    script.ends()


def test_a_reading_that_lags_behind_a_moved_alias_is_not_believed(
    account: Account, script: Script
) -> None:
    script.shows().points("42").points("42", "a7").moves("41", "a7")
    script.shows().points("42").shows().points("42").shows().points("41")
    assert script.functions.apply(change(account, BAD, GOOD)).alias_version == "41"
    script.ends()


def test_a_write_that_was_taken_and_never_shows_is_not_called_a_change_by_somebody_else(
    account: Account, script: Script
) -> None:
    script.shows(reserved=5).reserves(20)
    for _ in range(20):
        script.shows(reserved=5)
    with pytest.raises(TransientServiceError, match="taken"):
        script.functions.apply(change(account, FIVE, TWENTY))


def test_an_undoing_that_looks_done_is_looked_at_again_before_it_is_believed(
    account: Account, script: Script
) -> None:
    cut_short = change(account, FIVE, TWENTY).inverse()
    script.shows(reserved=5).shows(reserved=5).shows(reserved=20)
    script.reserves(5, was=20).shows(reserved=5)
    assert script.functions.apply(cut_short).reserved_concurrency == 5
    script.ends()


def test_a_stop_between_the_reading_and_the_write_is_seen(account: Account, script: Script) -> None:
    script.shows(reserved=5).has_reserved(0).shows(reserved=0).shows(reserved=0)
    with pytest.raises(StaleConfigurationError):
        script.functions.apply(change(account, FIVE, TWENTY))
    script.ends()


def test_a_lost_answer_is_settled_by_looking(account: Account, script: Script) -> None:
    script.shows(reserved=5).has_reserved(5).drops("put_function_concurrency").shows(reserved=20)
    assert script.functions.apply(change(account, FIVE, TWENTY)).reserved_concurrency == 20
    script.shows(reserved=5).has_reserved(5).drops("put_function_concurrency").shows(reserved=5)
    with pytest.raises(TransientServiceError):
        script.functions.apply(change(account, FIVE, TWENTY))
    script.ends()


def test_what_would_leave_others_too_little_is_refused_by_lambda(
    account: Account, script: Script
) -> None:
    script.shows(reserved=5).has_reserved(5)
    script.failing("put_function_concurrency", "InvalidParameterValueException")
    with pytest.raises(ChangeRefusedError):
        script.functions.apply(change(account, FIVE, TWENTY))
    script.ends()


def test_a_reservation_is_not_given_up(account: Account, script: Script) -> None:
    none = ReservedConcurrencySetting(reserved_concurrency=None)
    script.shows(reserved=5)
    with pytest.raises(ChangeRefusedError):
        script.functions.apply(change(account, FIVE, none))
    script.ends()


def test_what_was_cut_short_is_taken_back_only_where_it_leads_back_exactly(
    account: Account, script: Script
) -> None:
    cut_short = change(account, FIVE, TWENTY).inverse()
    script.shows(reserved=20).reserves(5, was=20).shows(reserved=5)
    assert script.functions.apply(cut_short).reserved_concurrency == 5
    for theirs in ({"reserved": 21}, {"reserved": 20, "MemorySize": 1024}):
        script.shows(**theirs)
        with pytest.raises(StaleConfigurationError):
            script.functions.apply(cut_short)
    script.ends()


def test_an_alias_is_moved_on_the_revision_it_was_read_with(
    account: Account, script: Script
) -> None:
    script.shows().points("42").points("42", "a7").moves("41", "a7").shows().points("41")
    assert script.functions.apply(change(account, BAD, GOOD)).alias_version == "41"
    script.ends()


def test_an_alias_goes_forward_again_when_going_back_did_not_help(
    account: Account, script: Script
) -> None:
    done = change(account, BAD, GOOD, leads_to=standing(at(account, GOOD), GOOD))
    script.shows(CodeSha256="new").points("41").points("41").moves("42").shows().points("42")
    assert script.functions.apply(done.inverse()).alias_version == "42"
    script.ends()


def test_an_alias_that_moves_while_it_is_written_is_left_to_them(
    account: Account, script: Script
) -> None:
    script.shows().points("42").points("42")
    script.failing("update_alias", "PreconditionFailedException", 412)
    script.shows().points("43").shows().points("43")
    with pytest.raises(StaleConfigurationError):
        script.functions.apply(change(account, BAD, GOOD))
    script.ends()


def test_an_alias_whose_revision_moved_but_not_its_version_is_moved_all_the_same(
    account: Account, script: Script
) -> None:
    script.shows().points("42").points("42", "a1")
    script.failing("update_alias", "PreconditionFailedException", 412)
    for _ in range(1 + LOOKS + 1):
        script.shows().points("42")
    script.points("42", "a2").moves("41", "a2").shows().points("41")
    assert script.functions.apply(change(account, BAD, GOOD)).alias_version == "41"
    script.ends()


def test_an_alias_move_that_was_sent_twice_is_found_however_late_readings_show_it(
    account: Account, script: Script
) -> None:
    script.shows().points("42").points("42")
    script.failing("update_alias", "PreconditionFailedException", 412)
    for _ in range(LOOKS):
        script.shows().points("42")
    script.shows().points("41")
    assert script.functions.apply(change(account, BAD, GOOD)).alias_version == "41"
    script.ends()


def test_an_alias_move_that_is_refused_twice_and_never_shows_is_not_known_to_be_unmade(
    account: Account, script: Script
) -> None:
    for _ in range(ATTEMPTS):
        script.shows().points("42").points("42")
        script.failing("update_alias", "PreconditionFailedException", 412)
        for _ in range(1 + LOOKS):
            script.shows().points("42")
    with pytest.raises(TransientServiceError, match="shows what was there before"):
        script.functions.apply(change(account, BAD, GOOD))
    script.ends()


def test_an_alias_that_divides_its_traffic_between_the_readings_is_not_moved(
    account: Account, script: Script
) -> None:
    script.shows().points("42").points("42", weights={"41": 0.1})
    for _ in range(2):
        script.shows().points("42", weights={"41": 0.1})
    with pytest.raises(StaleConfigurationError):
        script.functions.apply(change(account, BAD, GOOD))
    script.ends()


def test_a_version_that_is_gone_is_said_to_be_so(account: Account, script: Script) -> None:
    script.shows().points("42").points("42")
    script.failing("update_alias", "ResourceNotFoundException", 404)
    with pytest.raises(ChangeRefusedError, match="does not exist"):
        script.functions.apply(change(account, BAD, GOOD))
    script.ends()


def test_an_alias_that_is_gone_is_no_error_but_a_difference(
    account: Account, script: Script
) -> None:
    for _ in range(2):
        script.shows()
        script.failing("get_alias", "ResourceNotFoundException", 404)
    assert script.functions.read(ALIAS).alias_version is None
    with pytest.raises(StaleConfigurationError):
        script.functions.apply(change(account, BAD, GOOD))
    script.ends()


def test_an_alias_that_may_not_be_read_is_an_error(script: Script) -> None:
    script.shows().failing("get_alias", "AccessDeniedException", 403)
    with pytest.raises(AccessDeniedError, match="lambda:GetAlias"):
        script.functions.read(ALIAS)
    script.ends()


@pytest.mark.parametrize("qualifier", [None, "$LATEST", "7"])
def test_what_is_no_alias_is_not_asked_for(script: Script, qualifier: str | None) -> None:
    script.shows()
    target = TARGET.model_copy(update={"qualifier": qualifier})
    assert script.functions.read(target).alias_version is None
    script.ends()


def test_a_change_from_one_kind_of_setting_to_another_is_refused(
    account: Account, script: Script
) -> None:
    timeout = TimeoutSetting(timeout_s=9)
    for before, after in ((FIVE, timeout), (timeout, FIVE)):
        mixed = Change(target=TARGET, before=before, after=after, planned_on=account.fingerprint())
        with pytest.raises(ChangeRefusedError, match="one kind"):
            script.functions.apply(mixed)


def storage(account: Account, size_mb: int = 2048) -> Change:
    return Change(
        target=TARGET,
        before=EphemeralStorageSetting(ephemeral_storage_mb=512),
        after=EphemeralStorageSetting(ephemeral_storage_mb=size_mb),
        planned_on=account.fingerprint(),
    )


def test_tmp_is_made_larger_on_the_revision_that_was_read(account: Account, script: Script) -> None:
    size = {"Size": 2048}
    script.reads().writes("r1", EphemeralStorage=size).reads(EphemeralStorage=size).describes()
    settled = script.functions.apply(storage(account))
    assert settled.ephemeral_storage_mb == 2048
    assert settled.fingerprint == account.fingerprint(EphemeralStorage=size)
    script.ends()


def test_tmp_that_is_large_enough_already_is_not_written_again(
    account: Account, script: Script
) -> None:
    script.reads(EphemeralStorage={"Size": 2048}).describes()
    assert script.functions.apply(storage(account)).ephemeral_storage_mb == 2048
    script.ends()


def test_tmp_that_somebody_changed_is_told_with_both_figures(
    account: Account, script: Script
) -> None:
    script.reads(EphemeralStorage={"Size": 1024})
    with pytest.raises(StaleConfigurationError, match="1024 MB and not 512 MB"):
        script.functions.apply(storage(account))
    script.ends()


def test_tmp_beyond_what_lambda_takes_is_not_asked_for(account: Account, script: Script) -> None:
    script.reads()
    with pytest.raises(ChangeRefusedError, match="10240 MB"):
        script.functions.apply(storage(account, 10_241))
    script.ends()
