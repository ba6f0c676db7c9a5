"""Lambda's control plane is as strict as AWS's."""

# ruff: noqa: ANN401 - clients of any service are made by name, so their types are open

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.account_support import Lab, create_function, running_lab, until, zip_of


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("rules"), settle_s=0.4) as running:
        yield running


@pytest.fixture(scope="module")
def functions(lab: Lab) -> Any:
    return lab.client("lambda")


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**parameters)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def settled(functions: Any, name: str) -> dict[str, Any]:
    def read() -> dict[str, Any] | None:
        config: dict[str, Any] = functions.get_function_configuration(FunctionName=name)
        return config if config["LastUpdateStatus"] == "Successful" else None

    found: dict[str, Any] = until(read)
    return found


def test_a_revision_moves_with_an_update_and_once_more_when_it_settles(functions: Any) -> None:
    first = create_function(functions, "revisions")["RevisionId"]
    updating = functions.update_function_configuration(
        FunctionName="revisions", Timeout=10, RevisionId=first
    )
    after = settled(functions, "revisions")

    assert updating["LastUpdateStatus"] == "InProgress"
    assert len({first, updating["RevisionId"], after["RevisionId"]}) == 3
    assert after["Timeout"] == 10


def test_a_stale_revision_is_refused_and_changes_nothing(functions: Any) -> None:
    create_function(functions, "stale", Timeout=5)
    for call, more in (
        (functions.update_function_configuration, {"Timeout": 9}),
        (functions.update_function_code, {"ZipFile": zip_of("x = 1\n")}),
        (functions.publish_version, {}),
    ):
        code, _ = refusal(call, FunctionName="stale", RevisionId="old", **more)
        assert code == "PreconditionFailedException"

    assert functions.get_function_configuration(FunctionName="stale")["Timeout"] == 5


def test_while_an_update_is_in_progress_nothing_else_may_change(functions: Any) -> None:
    create_function(functions, "busy")
    functions.update_function_configuration(FunctionName="busy", MemorySize=256)

    code, message = refusal(
        functions.update_function_configuration, FunctionName="busy", MemorySize=512
    )

    assert code == "ResourceConflictException"
    assert "update is in progress" in message
    assert settled(functions, "busy")["MemorySize"] == 256


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({"Timeout": 0}, "ValidationException", "at 'timeout'"),
        ({"Timeout": 901}, "InvalidParameterValueException", "less than or equal to 900"),
        ({"MemorySize": 127}, "ValidationException", "at 'memorySize'"),
        ({"MemorySize": 20000}, "InvalidParameterValueException", "less than or equal to 10240"),
        ({"EphemeralStorage": {"Size": 511}}, "ValidationException", "at 'ephemeralStorage.size'"),
        ({"EphemeralStorage": {"Size": 10241}}, "InvalidParameterValue", "or equal to 10240"),
        ({"Environment": {"Variables": {"BIG": "x" * 4096}}}, "InvalidParameterValue", "4KB limit"),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x"}}},
            "InvalidParameterValue",
            "AWS_REGION",
        ),
        ({"Environment": {"Variables": {"1BAD": "x"}}}, "ValidationException", "pattern"),
        ({"TracingConfig": {"Mode": "Loud"}}, "ValidationException", "enum value set"),
        ({"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:no:1"]}, "InvalidParam", "layer"),
    ],
)
def test_what_is_beyond_the_limits_is_refused(
    functions: Any, settings: dict[str, Any], code: str, said: str
) -> None:
    name = "limits"
    if not [one for one in functions.list_functions()["Functions"] if one["FunctionName"] == name]:
        create_function(functions, name)
    before = functions.get_function_configuration(FunctionName=name)["RevisionId"]

    actual, message = refusal(
        functions.update_function_configuration, FunctionName=name, **settings
    )

    assert actual.startswith(code)
    assert said in message
    assert functions.get_function_configuration(FunctionName=name)["RevisionId"] == before


def test_an_update_of_the_environment_replaces_the_whole_map(functions: Any) -> None:
    create_function(functions, "replaced", Environment={"Variables": {"A": "1", "B": "2"}})
    functions.update_function_configuration(
        FunctionName="replaced", Environment={"Variables": {"B": "3"}}
    )

    assert settled(functions, "replaced")["Environment"] == {"Variables": {"B": "3"}}


def test_settings_that_moto_forgets_are_kept(functions: Any) -> None:
    layer = functions.publish_layer_version(LayerName="kept", Content={"ZipFile": zip_of()})
    made = create_function(
        functions,
        "kept",
        Layers=[layer["LayerVersionArn"]],
        EphemeralStorage={"Size": 1024},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/own/group"},
        Tags={"auto-repair": "enabled"},
    )

    assert made["Layers"][0]["Arn"] == layer["LayerVersionArn"]
    assert made["EphemeralStorage"] == {"Size": 1024}
    assert made["LoggingConfig"]["LogFormat"] == "JSON"
    assert made["LoggingConfig"]["LogGroup"] == "/own/group"
    assert functions.list_tags(Resource=made["FunctionArn"])["Tags"] == {"auto-repair": "enabled"}
    by_arn = functions.get_layer_version_by_arn(Arn=layer["LayerVersionArn"])
    assert by_arn["Content"]["CodeSha256"] == layer["Content"]["CodeSha256"]


def test_a_version_is_published_of_the_code_that_was_meant_and_of_no_other(functions: Any) -> None:
    made = create_function(functions, "meant")
    code, message = refusal(
        functions.publish_version, FunctionName="meant", CodeSha256="another code's"
    )
    assert (code, "CodeSHA256" in message) == ("InvalidParameterValueException", True)
    published = functions.publish_version(FunctionName="meant", CodeSha256=made["CodeSha256"])
    assert published["Version"] == "1"


def test_an_update_that_changes_nothing_makes_a_new_version_all_the_same(functions: Any) -> None:
    # Verified against AWS by moto's tests (getmoto/moto#8379): only that there was one counts.
    create_function(functions, "updated", Timeout=5)
    first = functions.publish_version(FunctionName="updated")["Version"]
    functions.update_function_configuration(FunctionName="updated", Timeout=5)
    settled(functions, "updated")
    assert (first, functions.publish_version(FunctionName="updated")["Version"]) == ("1", "2")


def test_what_is_unpublished_is_not_kept_warm(functions: Any) -> None:
    create_function(functions, "cold")
    code, _ = refusal(
        functions.put_provisioned_concurrency_config,
        FunctionName="cold",
        Qualifier="$LATEST",
        ProvisionedConcurrentExecutions=1,
    )
    assert code == "InvalidParameterValueException"


def test_a_published_version_never_changes(functions: Any) -> None:
    create_function(functions, "versions", Timeout=4)
    first = functions.publish_version(FunctionName="versions")
    again = functions.publish_version(FunctionName="versions")
    functions.update_function_configuration(FunctionName="versions", Timeout=40)
    settled(functions, "versions")
    second = functions.publish_version(FunctionName="versions")

    code, _ = refusal(
        functions.update_function_configuration, FunctionName=first["FunctionArn"], Timeout=9
    )

    assert (first["Version"], again["Version"], second["Version"]) == ("1", "1", "2")
    assert code == "InvalidParameterValueException"
    read = functions.get_function_configuration(FunctionName=first["FunctionArn"])
    assert (read["Timeout"], read["FunctionArn"]) == (4, first["FunctionArn"])
    listed = functions.list_versions_by_function(FunctionName="versions")["Versions"]
    assert [one["Version"] for one in listed] == ["$LATEST", "1", "2"]


def test_an_alias_has_a_revision_of_its_own(functions: Any) -> None:
    create_function(functions, "aliased")
    functions.publish_version(FunctionName="aliased")
    alias = functions.create_alias(FunctionName="aliased", Name="live", FunctionVersion="1")

    code, _ = refusal(
        functions.update_alias,
        FunctionName="aliased",
        Name="live",
        FunctionVersion="1",
        RevisionId="old",
    )
    moved = functions.update_alias(
        FunctionName="aliased",
        Name="live",
        RevisionId=alias["RevisionId"],
        RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}},
    )

    assert code == "PreconditionFailedException"
    assert moved["RevisionId"] != alias["RevisionId"]
    assert moved["RoutingConfig"] == {"AdditionalVersionWeights": {"1": 0.5}}
    config = functions.get_function_configuration(FunctionName="aliased", Qualifier="live")
    assert (config["Version"], config["FunctionArn"]) == ("1", alias["AliasArn"])
    missing, _ = refusal(functions.get_alias, FunctionName="aliased", Name="none")
    assert missing == "ResourceNotFoundException"


def test_policies_tags_concurrency_and_mappings_can_be_read_back(functions: Any, lab: Lab) -> None:
    arn = create_function(functions, "extras")["FunctionArn"]
    functions.add_permission(
        FunctionName="extras",
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn="arn:aws:events:us-east-1:123456789012:rule/r",
    )
    functions.tag_resource(Resource=arn, Tags={"auto-repair": "enabled", "team": "a"})
    functions.untag_resource(Resource=arn, TagKeys=["team"])
    functions.put_function_concurrency(FunctionName="extras", ReservedConcurrentExecutions=5)
    functions.create_event_source_mapping(
        FunctionName="extras", EventSourceArn="arn:aws:sqs:us-east-1:123456789012:q", BatchSize=3
    )

    assert '"Sid": "events"' in functions.get_policy(FunctionName="extras")["Policy"]
    assert functions.get_function(FunctionName="extras")["Tags"] == {"auto-repair": "enabled"}
    concurrency = functions.get_function_concurrency(FunctionName="extras")
    assert concurrency["ReservedConcurrentExecutions"] == 5
    mappings = functions.list_event_source_mappings(FunctionName="extras")["EventSourceMappings"]
    assert [one["BatchSize"] for one in mappings] == [3]
    assert (
        functions.list_provisioned_concurrency_configs(FunctionName="extras")[
            "ProvisionedConcurrencyConfigs"
        ]
        == []
    )
    found = lab.client("resourcegroupstaggingapi").get_resources(
        ResourceTypeFilters=["lambda:function"],
        TagFilters=[{"Key": "auto-repair", "Values": ["enabled"]}],
    )["ResourceTagMappingList"]
    assert arn in [one["ResourceARN"] for one in found]
    code, _ = refusal(
        functions.put_function_concurrency,
        FunctionName="extras",
        ReservedConcurrentExecutions=950,
    )
    assert code == "InvalidParameterValueException"


def test_code_comes_from_a_bucket_and_a_missing_object_is_named(functions: Any, lab: Lab) -> None:
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="artifacts")
    s3.put_object(Bucket="artifacts", Key="code.zip", Body=zip_of())
    made = functions.create_function(
        FunctionName="bucketed",
        Role="arn:aws:iam::123456789012:role/any",
        Runtime="python3.12",
        Handler="app.handler",
        Code={"S3Bucket": "artifacts", "S3Key": "code.zip"},
    )
    code, message = refusal(
        functions.update_function_code, FunctionName="bucketed", S3Bucket="artifacts", S3Key="no"
    )

    assert made["CodeSize"] > 0
    assert (code, "NoSuchKey" in message) == ("InvalidParameterValueException", True)


def test_a_function_that_is_not_there_is_not_found(functions: Any) -> None:
    code, message = refusal(functions.get_function_configuration, FunctionName="nobody")

    assert code == "ResourceNotFoundException"
    assert message.endswith(":function:nobody")


def test_cloudtrail_tells_of_writes_with_the_environment_emptied(functions: Any, lab: Lab) -> None:
    create_function(functions, "trailed", Environment={"Variables": {"SECRET": "hush"}})
    functions.get_function_configuration(FunctionName="trailed")
    time.sleep(0.01)
    functions.update_function_configuration(
        FunctionName="trailed", Timeout=8, Environment={"Variables": {"SECRET": "hush2"}}
    )

    events = lab.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": "trailed"}]
    )["Events"]

    names = [event["EventName"] for event in events]
    assert names == ["UpdateFunctionConfiguration20150331v2", "CreateFunction20150331"]
    assert "hush" not in str(events)
    assert '"environment": {}' in events[0]["CloudTrailEvent"]
    assert '"timeout": 8' in events[0]["CloudTrailEvent"]
