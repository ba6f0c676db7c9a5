"""The templates: valid, and in step with each other and with the state machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from samtranslator.translator.transform import transform

from autorepair.domain.change import RepairKind
from autorepair.domain.policy import Mode, Policy, parse_policy
from contract import asl_graph as graph
from contract import templates
from contract.templates import ROOT, TEMPLATES, Template

ENVIRONMENTS = ("dev", "staging", "prod")


@pytest.fixture
def stack() -> Template:
    return templates.load("stacks/functions.yaml")


@pytest.fixture
def definition() -> graph.Definition:
    text = (ROOT / "statemachine" / "repair.asl.json").read_text()
    parsed: graph.Definition = json.loads(text)
    return parsed


# ----------------------------------------------------------------------------------------- validity


def test_cfn_lint_has_nothing_to_say() -> None:
    linter = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run(
        [linter, *TEMPLATES], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("template", TEMPLATES)
def test_sam_finds_the_template_valid(template: str) -> None:
    sam = ROOT / ".venv-sam" / "bin" / "sam"
    assert sam.exists(), "the SAM CLI is not there: run `make setup`"
    done = subprocess.run(
        [sam, "validate", "--lint", "--template", template, "--region", "us-east-1"],
        cwd=ROOT,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------------------------------- functions


def test_every_function_has_a_role_of_its_own(stack: Template) -> None:
    roles = [templates.role_of(f) for f in templates.functions(stack).values()]
    assert len(set(roles)) == len(roles)


def test_every_function_has_a_log_group_that_forgets(stack: Template) -> None:
    for name, function in templates.functions(stack).items():
        group = stack["Resources"][function["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
        own_name = function["FunctionName"]["Fn::Sub"]
        assert group["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/{own_name}"}, name
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}, name
        assert "KmsKeyId" in group, name


def test_a_function_gives_up_before_its_state_does(
    stack: Template, definition: graph.Definition
) -> None:
    for name, state in graph.tasks_of(definition).items():
        limit = state.get("TimeoutSeconds", 86_400)
        assert templates.functions(stack)[f"{name}Function"]["Timeout"] < limit, name


def test_every_substitution_of_the_definition_is_given_and_used(
    stack: Template, definition: graph.Definition
) -> None:
    given = stack["Resources"]["RepairStateMachine"]["Properties"]["DefinitionSubstitutions"]
    text = json.dumps(definition)
    assert set(given) == {f"{name}Function" for name in graph.tasks_of(definition)}
    assert all(f"${{{name}}}" in text for name in given)
    assert text.count("${") == len(given)


def test_the_functions_have_the_environment_of_the_contract(stack: Template) -> None:
    assert set(templates.environment_of(stack)) == {
        "AUDIT_TABLE",
        "DIGEST_KEY_ID",
        "ENABLE_APPROVAL_WORKFLOW",
        "ENVIRONMENT",
        "EVENT_BUS",
        "EVIDENCE_BUCKET",
        "KNOWN_CONFIG_PREFIX",
        "LOG_LEVEL",
        "POLICY_PARAMETER",
        "POWERTOOLS_METRICS_NAMESPACE",
        "POWERTOOLS_SERVICE_NAME",
        "SNAPSHOT_KEY_ID",
        "STATE_MACHINE_ARN",
        "STATE_TABLE",
        "TOPIC_ARN",
    }


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


@pytest.fixture
def translated(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Template]:
    """The functions stack as SAM makes it, with a layer of the given content."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def translate(layer: str) -> Template:
        stack = templates.load("stacks/functions.yaml")
        for function in templates.functions(stack).values():
            function["CodeUri"] = "s3://packaged/functions"
        stack["Resources"]["CoreLayer"]["Properties"]["ContentUri"] = f"s3://packaged/{layer}"
        values = {n: str(p.get("Default", n)) for n, p in stack["Parameters"].items()}
        made: Template = transform(stack, values, _NoManagedPolicies())
        return made

    return translate


def test_the_state_machine_is_given_published_versions(
    translated: Callable[[str], Template],
) -> None:
    stack = translated("layer")
    machine = stack["Resources"]["RepairStateMachine"]["Properties"]
    for name, reference in machine["DefinitionSubstitutions"].items():
        version = stack["Resources"][reference["Ref"]]
        assert version["Type"] == "AWS::Lambda::Version"
        assert version["Properties"]["FunctionName"] == {"Ref": name}


def test_a_new_layer_makes_new_versions(translated: Callable[[str], Template]) -> None:
    def versions(layer: str) -> set[str]:
        return set(templates.resources(translated(layer), "AWS::Lambda::Version"))

    assert not versions("one") & versions("two")
    assert versions("one") == versions("one")


def test_old_versions_stay_for_executions_that_wait(
    translated: Callable[[str], Template],
) -> None:
    for name, version in templates.resources(translated("one"), "AWS::Lambda::Version").items():
        assert version["DeletionPolicy"] == "Retain", name
        assert version["UpdateReplacePolicy"] == "Retain", name


def test_a_new_deploy_time_value_makes_new_versions(stack: Template) -> None:
    # SAM does not see values of parameters, CloudFormation does, in the version's description.
    given_by_main = set(templates.load("stacks/main.yaml")["Outputs"])
    not_in_functions = {"Environment", "LogRetentionDays"}
    of_deployment = set(stack["Parameters"]) - given_by_main - not_in_functions
    for name, function in templates.functions(stack).items():
        described = function["VersionDescription"]["Fn::Sub"]
        assert {p for p in of_deployment if f"${{{p}}}" in described} == of_deployment, name


# ---------------------------------------------------------------------------- stacks and parameters


@pytest.mark.parametrize("part", ["Main", "Functions", "Monitoring"])
def test_the_root_gives_every_parameter_of_a_nested_stack(part: str) -> None:
    nested = templates.load("template.yaml")["Resources"][f"{part}Stack"]["Properties"]
    own = templates.load(f"stacks/{part.lower()}.yaml")["Parameters"]
    assert nested["TemplateURL"] == f"stacks/{part.lower()}.yaml"
    assert set(nested["Parameters"]) == set(own)


def test_a_parameter_means_the_same_in_every_template() -> None:
    root = templates.load("template.yaml")["Parameters"]
    for name in TEMPLATES[1:]:
        for parameter, own in templates.load(name)["Parameters"].items():
            if parameter in root:
                for field in ("Type", "Default", "AllowedValues", "AllowedPattern"):
                    assert own.get(field) == root[parameter].get(field), (name, parameter, field)


def test_the_root_speaks_the_names_others_rely_on() -> None:
    assert set(templates.load("template.yaml")["Outputs"]) == {
        "ApprovalUrl",
        "AuditTableName",
        "EventBusName",
        "EvidenceBucketName",
        "KnownConfigPrefix",
        "NotificationTopicArn",
        "PolicyParameterName",
        "StateMachineArn",
        "StateTableName",
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_samconfig_says_what_the_parameter_file_says(environment: str) -> None:
    values = json.loads((ROOT / "parameters" / f"{environment}.json").read_text())
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    deploy = config[environment]["deploy"]["parameters"]
    stack_name = config[environment]["global"]["parameters"]["stack_name"]
    assert dict(o.split("=", 1) for o in deploy["parameter_overrides"]) == values
    assert values["Environment"] == environment
    assert stack_name == f"lambda-auto-repair-{environment}"


def test_samconfig_defaults_to_dev() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert config["default"]["deploy"] == config["dev"]["deploy"]


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ("dev", ("45000", "2", "2", "false", "7", "false")),
        ("staging", ("35000", "1", "1", "true", "14", "false")),
        ("prod", ("30000", "1", "1", "true", "30", "true")),
    ],
)
def test_an_environment_has_its_deploy_time_values(
    environment: str, wanted: tuple[str, ...]
) -> None:
    values = json.loads((ROOT / "parameters" / f"{environment}.json").read_text())
    names = (
        "DurationThreshold",
        "ErrorThreshold",
        "TimeoutThreshold",
        "EnableApprovalWorkflow",
        "LogRetentionDays",
        "BackupEnabled",
    )
    assert tuple(values[name] for name in names) == wanted
    for name, value in values.items():
        parameter = templates.load("template.yaml")["Parameters"][name]
        assert value in map(str, parameter.get("AllowedValues", [value])), name


def test_evidence_is_kept_longer_than_any_incident_lasts(definition: graph.Definition) -> None:
    """Or what a repair is compared with is gone before its traffic has come."""
    template = templates.load("stacks/main.yaml")
    (rule,) = template["Resources"]["EvidenceBucket"]["Properties"]["LifecycleConfiguration"][
        "Rules"
    ]
    condition, as_the_logs, otherwise = rule["ExpirationInDays"]["Fn::If"]
    longest_days = definition["TimeoutSeconds"] / 86_400
    assert as_the_logs == {"Ref": "LogRetentionDays"}
    assert otherwise > longest_days
    allowed = template["Parameters"]["LogRetentionDays"]["AllowedValues"]
    long_enough = {one["Fn::Equals"][1] for one in template["Conditions"][condition]["Fn::Or"]}
    assert long_enough == {str(days) for days in allowed if days > longest_days}


def test_a_deployment_never_writes_over_a_policy_that_was_edited() -> None:
    """CloudFormation writes a resource whose properties differ from the last deployment's.

    So these are the ones of the first deployment, for ever. What is to change for everybody
    changes in `autorepair.domain.policy`, what is to change for one account in its parameter.
    """
    parameter = templates.load("stacks/main.yaml")["Resources"]["PolicyParameter"]
    assert parameter == {
        "Type": "AWS::SSM::Parameter",
        "DeletionPolicy": "RetainExceptOnCreate",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "Name": {"Fn::Sub": "/lambda-auto-repair/${Environment}/policy"},
            "Type": "String",
            "Description": "What Lambda Auto-Repair may do by itself. "
            "Unreadable or invalid means observe.",
            "Value": '{"modes":{"set_timeout":"auto","set_memory":"auto","set_env":"ask",'
            '"set_ephemeral_storage":"ask","set_reserved_concurrency":"ask",'
            '"rollback_version":"ask"}}',
        },
    }


def test_the_first_policy_is_the_codes_own_with_the_modes_set() -> None:
    main = templates.load("stacks/main.yaml")["Resources"]
    policy = parse_policy(main["PolicyParameter"]["Properties"]["Value"])
    automatic = {kind for kind, mode in policy.modes.items() if mode is Mode.AUTO}
    assert policy.model_copy(update={"modes": {}}) == Policy()
    assert automatic == {"set_timeout", "set_memory"}
    assert set(policy.modes) == set(RepairKind)


def test_a_quick_step_is_reported_before_it_runs_into_its_timeout(stack: Template) -> None:
    alarm = templates.load("stacks/monitoring.yaml")["Resources"]["StepDurationAlarm"]
    watched = {m["Id"] for m in alarm["Properties"]["Metrics"] if "MetricStat" in m}
    longest = max(
        int(json.loads((ROOT / "parameters" / f"{e}.json").read_text())["DurationThreshold"])
        for e in ENVIRONMENTS
    )
    for name, function in templates.functions(stack).items():
        step = name.removesuffix("Function")
        is_watched = step[0].lower() + step[1:] in watched
        assert is_watched == (function["Timeout"] == 60), name
    assert longest <= 0.8 * 60_000


def test_an_unreadable_policy_raises_an_alarm_that_speaks_and_turns_the_health_light() -> None:
    monitoring = templates.load("stacks/monitoring.yaml")["Resources"]
    alarm = monitoring["PolicyUnreadableAlarm"]["Properties"]
    # As the steps send it: `test_wiring.py` reads it from their output.
    assert (alarm["Namespace"], alarm["MetricName"]) == ("LambdaAutoRepair", "PolicyUnreadable")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "lambda-auto-repair"}]
    assert alarm["AlarmActions"] == [{"Ref": "NotificationTopicArn"}]
    assert templates.mentions(monitoring["HealthAlarm"], "${PolicyUnreadableAlarm}")


def test_every_step_is_watched_for_errors_and_timeouts(stack: Template) -> None:
    monitoring = templates.load("stacks/monitoring.yaml")
    # An alarm takes ten metrics, so what is no step has one of its own.
    alarms = [
        monitoring["Resources"][name]["Properties"]
        for name in (
            "StepErrorsAlarm",
            "ReconcileErrorsAlarm",
            "DriftWatchErrorsAlarm",
            "ApprovalPageErrorsAlarm",
        )
    ]
    filters = templates.resources(monitoring, "AWS::Logs::MetricFilter")
    for name, function in templates.functions(stack).items():
        own_name = function["FunctionName"]["Fn::Sub"]
        assert templates.mentions(alarms, own_name), name
        assert templates.mentions(filters, f"/aws/lambda/{own_name}"), name


def test_alarm_events_are_taken_from_the_default_bus_and_none_is_lost(stack: Template) -> None:
    rule = stack["Resources"]["AlarmRule"]["Properties"]
    (target,) = rule["Targets"]
    assert "EventBusName" not in rule
    assert rule["EventPattern"] == {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"state": {"value": ["ALARM"]}},
    }
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["AlarmDeadLetterQueue", "Arn"]}}
    assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0


def test_reconcile_runs_on_a_schedule_and_when_an_execution_ends_badly(stack: Template) -> None:
    resources = stack["Resources"]
    ended = resources["ExecutionEndedRule"]["Properties"]
    assert "EventBusName" not in ended
    assert ended["EventPattern"] == {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": [{"Ref": "RepairStateMachine"}],
            "status": ["FAILED", "TIMED_OUT", "ABORTED"],
        },
    }
    schedule = resources["ReconcileSchedule"]["Properties"]
    assert schedule["ScheduleExpression"] == "rate(5 minutes)"
    queue = {"Arn": {"Fn::GetAtt": ["ReconcileDeadLetterQueue", "Arn"]}}
    for rule in (ended, schedule):
        (target,) = rule["Targets"]
        assert target["Arn"] == {"Ref": "ReconcileFunction.Alias"}
        assert target["DeadLetterConfig"] == queue


def test_what_reconcile_looks_for_is_indexed_sparsely() -> None:
    (index,) = templates.load("stacks/main.yaml")["Resources"]["StateTable"]["Properties"][
        "GlobalSecondaryIndexes"
    ]
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["unsettled", "since"]
    assert index["Projection"]["NonKeyAttributes"] == ["incident"]


def test_execution_data_stays_out_of_logs_and_under_the_services_key(stack: Template) -> None:
    machine = stack["Resources"]["RepairStateMachine"]["Properties"]
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert machine["LoggingConfiguration"]["Level"] == "ERROR"
    assert machine["EncryptionConfiguration"]["KmsKeyId"] == {"Ref": "ServiceKeyArn"}
