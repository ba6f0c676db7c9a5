"""What is read of a function, and what is never seen of it."""

from __future__ import annotations

import json
import logging

import botocore.session
import pytest

from adapters.account import ACCOUNT, ARN, ENV, SECRET, TARGET, Account, ScriptedLambda, raw
from adapters.actions import actions_called
from autorepair.aws.digests import Digester
from autorepair.aws.functions import LambdaFunctions
from autorepair.aws.reading import FINGERPRINTED, NOT_FINGERPRINTED, Reading
from autorepair.domain.errors import ConfigurationError, TargetNotFoundError


def functions(account: Account) -> LambdaFunctions:
    return LambdaFunctions(account.clients.lambda_, account.digester, account.values)


def test_a_function_is_read_with_its_tags_and_its_reserved_concurrency(account: Account) -> None:
    account.make_function()
    account.clients.lambda_.put_function_concurrency(
        FunctionName=ARN, ReservedConcurrentExecutions=7
    )

    read = functions(account).read(TARGET)

    assert (read.function_name, read.function_arn, read.version) == ("orders", ARN, "$LATEST")
    assert (read.timeout_s, read.memory_mb, read.reserved_concurrency) == (3, 128, 7)
    assert read.is_enrolled
    assert read.log_group == "/aws/lambda/orders"
    assert read.env_names == ("DATABASE_URL", "STAGE")


def test_what_its_owner_wrote_of_it_is_read_and_cut_where_lambda_cuts_it(
    scripted: ScriptedLambda,
) -> None:
    scripted.reads(Description="capped on purpose " + 300 * "x").describes()

    read = scripted.functions.read(TARGET)

    assert read.description.startswith("capped on purpose")
    assert len(read.description) == 256


def test_a_version_is_read_as_it_was_published_whatever_latest_became(account: Account) -> None:
    account.make_function()
    published = account.clients.lambda_.publish_version(FunctionName=ARN)["Version"]
    before = functions(account).read(TARGET)
    account.clients.lambda_.update_function_configuration(FunctionName=ARN, Timeout=9)
    # One that has not asked for any digest yet.
    digester = Digester(account.clients.kms, account.digest_key)
    adapter = LambdaFunctions(account.clients.lambda_, digester, account.values)

    with actions_called(account) as called:
        read = adapter.read_version(TARGET, published)

    assert (read.version, read.timeout_s, read.function_arn) == (published, 3, ARN)
    assert read.env_digests == before.env_digests
    assert called == LambdaFunctions.permissions["read_version"]


def test_a_version_that_is_gone_is_not_found(account: Account) -> None:
    account.make_function()
    with pytest.raises(TargetNotFoundError, match=ARN):
        functions(account).read_version(TARGET, "9")


def test_a_function_that_is_gone_is_not_found(account: Account) -> None:
    with pytest.raises(TargetNotFoundError, match=ARN):
        functions(account).read(TARGET)


def test_no_environment_value_is_in_what_is_read(account: Account) -> None:
    account.make_function()

    text = functions(account).read(TARGET).model_dump_json()

    assert not [value for value in ENV.values() if value in text]


def test_a_raw_reading_shows_nothing_of_itself() -> None:
    assert SECRET not in f"{Reading(raw())!r} {Reading(raw())}"


def test_digests_are_keyed_by_function_and_by_name(account: Account) -> None:
    digester, other = account.digester, ARN.replace("orders", "invoices")
    digests = {
        digester.of_value(ARN, "STAGE", "true"),
        digester.of_value(ARN, "DEBUG", "true"),
        digester.of_value(other, "STAGE", "true"),
        digester.of_value(ARN, "STAGE", "false"),
    }

    assert len(digests) == 4
    again = Digester(account.clients.kms, account.digest_key)
    assert again.of_value(ARN, "STAGE", "true") == digester.of_value(ARN, "STAGE", "true")


def test_another_key_gives_other_digests(account: Account) -> None:
    key = account.clients.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    other = Digester(account.clients.kms, key["KeyMetadata"]["KeyId"])

    assert other.of_value(ARN, "A", "1") != account.digester.of_value(ARN, "A", "1")


def test_a_digest_key_that_is_missing_is_a_fault_of_the_set_up(account: Account) -> None:
    missing = "00000000-0000-0000-0000-000000000000"

    with pytest.raises(ConfigurationError, match=rf"kms:GenerateMac on {missing}"):
        Digester(account.clients.kms, missing).of_value(ARN, "A", "1")


def test_every_member_of_lambdas_answer_is_either_fingerprinted_or_left_out_on_purpose() -> None:
    model = botocore.session.get_session().get_service_model("lambda")
    answer = model.operation_model("GetFunctionConfiguration").output_shape
    assert answer is not None
    members = set(answer.members)

    assert members == FINGERPRINTED | NOT_FINGERPRINTED
    assert not FINGERPRINTED & NOT_FINGERPRINTED


def test_a_container_image_is_read_without_a_runtime(scripted: ScriptedLambda) -> None:
    scripted.reads(PackageType="Image", Runtime="", Handler="").describes()

    read = scripted.functions.read(TARGET)

    assert (read.package_type, read.runtime, read.handler) == ("Image", None, None)


def test_an_unreadable_environment_is_said_to_be(scripted: ScriptedLambda) -> None:
    scripted.reads(Environment={"Error": {"ErrorCode": "X", "Message": "kms"}}).describes()

    read = scripted.functions.read(TARGET)

    assert read.is_env_unreadable
    assert read.env_names == ()


def test_a_vpc_snap_start_and_a_log_group_of_its_own_are_seen(scripted: ScriptedLambda) -> None:
    scripted.reads(
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "VpcId": "vpc-1"},
        SnapStart={"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/shared"},
        Layers=[{"Arn": f"arn:aws:lambda:eu-central-1:{ACCOUNT}:layer:tools:1", "CodeSize": 5}],
    ).describes()

    read = scripted.functions.read(TARGET)

    assert read.has_vpc
    assert read.has_snap_start
    assert (read.log_format, read.log_group) == ("JSON", "/shared")
    assert read.layers == (f"arn:aws:lambda:eu-central-1:{ACCOUNT}:layer:tools:1",)


def test_no_environment_value_reaches_a_log_at_any_level(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    # What Lambda's own log level setting does: it sets the root logger's.
    caplog.set_level(logging.DEBUG)
    account.make_function()
    caplog.clear()

    read = functions(account).read(TARGET)

    logging.getLogger("test").debug("%s", json.dumps(read.as_json()))
    assert caplog.text
    assert not [value for value in ENV.values() if value in caplog.text]


def test_what_overrides_an_image_and_why_it_does_not_run_are_seen(
    scripted: ScriptedLambda,
) -> None:
    scripted.reads(
        PackageType="Image",
        ImageConfigResponse={
            "ImageConfig": {"Command": ["app.main"], "EntryPoint": ["/run.sh", "-x"]},
            "Error": {"ErrorCode": "ImageAccessDenied", "Message": "no access"},
        },
        FileSystemConfigs=[{"Arn": "arn:aws:elasticfilesystem:x", "LocalMountPath": "/mnt/a"}],
        State="Failed",
        StateReasonCode="ImageDeleted",
        StateReason="The image is gone.",
        LastUpdateStatus="Failed",
        LastUpdateStatusReasonCode="InvalidImage",
    ).describes()

    read = scripted.functions.read(TARGET)

    assert (read.image_command, read.image_entry_point) == (("app.main",), ("/run.sh", "-x"))
    assert read.has_file_system
    assert read.state_reason == (
        "ImageDeleted: The image is gone.; InvalidImage; ImageAccessDenied: no access"
    )


def test_a_function_that_runs_gives_no_reason_why_it_does_not(scripted: ScriptedLambda) -> None:
    scripted.reads().describes()

    read = scripted.functions.read(TARGET)

    assert (read.state_reason, read.image_command, read.has_file_system) == ("", (), False)
