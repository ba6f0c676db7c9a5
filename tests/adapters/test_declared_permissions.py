"""What the adapters declare to need is what they call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from adapters.account import ARN, AUDIT_TABLE, NAME, NOW, STATE_TABLE, TARGET, Account, incident
from adapters.actions import actions_called
from adapters.indexed import indexed_trail
from autorepair.aws.admissions import DynamoAdmissions
from autorepair.aws.alarms import CloudWatchAlarms
from autorepair.aws.announcer import EventBridgeAnnouncer
from autorepair.aws.approvals import TaskTokenApprovals
from autorepair.aws.audit_trail import DynamoAuditTrail
from autorepair.aws.callers import LambdaCallers
from autorepair.aws.configuration_snapshots import ConfigurationSnapshots
from autorepair.aws.enrolment import TaggedFunctions
from autorepair.aws.evidence_store import S3EvidenceStore
from autorepair.aws.executions import StepFunctionsExecutions
from autorepair.aws.functions import LambdaFunctions
from autorepair.aws.identity import StsIdentity
from autorepair.aws.incident_state import DynamoIncidentState
from autorepair.aws.known_config import SsmKnownConfig
from autorepair.aws.logs import CloudWatchLogs
from autorepair.aws.metric_filters import CloudWatchMetricFilters
from autorepair.aws.notifier import SnsNotifier
from autorepair.aws.policies import SsmPolicies
from autorepair.aws.probes import DeclaredProbes
from autorepair.aws.snapshots import Snapshots
from autorepair.aws.standing_alarms import CloudWatchStandingAlarms
from autorepair.domain.approval import Approval
from autorepair.domain.audit import Entry, RecordKind
from autorepair.domain.change import (
    AliasSetting,
    Change,
    ChangeRecord,
    DeclaredSource,
    EnvironmentSetting,
    ReservedConcurrencySetting,
    SealedValue,
    TimeoutSetting,
)
from autorepair.domain.errors import ConfigurationError, LeaseHeldError
from autorepair.domain.evidence import Evidence
from autorepair.domain.filtered_log import FilteredLog
from autorepair.domain.standing import SettingBeside, holds, standing

Use = Callable[[Account], object]
ALIAS = TARGET.model_copy(update={"qualifier": "live"})


def state(account: Account) -> DynamoIncidentState:
    return DynamoIncidentState(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)


def audit(account: Account) -> DynamoAuditTrail:
    return DynamoAuditTrail(account.clients.dynamodb, table=AUDIT_TABLE)


def open_twice(account: Account) -> None:
    state(account).open(incident("i1"))
    state(account).open(incident("i2"))


def open_and_close(account: Account) -> None:
    state(account).open(incident())
    state(account).close(incident())


def contend_for_the_lease(account: Account) -> None:
    state(account).acquire_lease(TARGET, holder="i1", seconds=60)
    with pytest.raises(LeaseHeldError):
        state(account).acquire_lease(TARGET, holder="i2", seconds=60)


def release(account: Account) -> None:
    held = DynamoIncidentState(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)
    state(account).release_lease(held.acquire_lease(TARGET, holder="i1", seconds=60))


def prove(account: Account) -> None:
    lease = state(account).acquire_lease(TARGET, holder="i1", seconds=60)
    state(account).prove_lease(lease, seconds=10)


def read_probe(account: Account) -> None:
    aws = account.clients
    probes = DeclaredProbes(aws.ssm, aws.lambda_once, prefix="/probes", clock=account.clock)
    assert probes.declared(TARGET) is None


def remember(account: Account) -> None:
    setting = TimeoutSetting(timeout_s=3)
    change = Change(target=TARGET, before=setting, after=setting, planned_on="f")
    record = ChangeRecord(status="planned", reason="r", change=change)
    state(account).remember_change(incident(), record)


def append(account: Account) -> None:
    kind = RecordKind.INCIDENT_OPENED
    entry = Entry(incident_id="i", key="k", kind=kind, at=NOW, function_name=None, summary="s")
    audit(account).append(entry)


def find_records(account: Account) -> None:
    indexed_trail(account).of_span(NOW, NOW)


def find_by_function(account: Account) -> None:
    indexed_trail(account).of_function(NAME, NOW, NOW)


def approvals(account: Account) -> TaskTokenApprovals:
    aws = account.clients
    return TaskTokenApprovals(
        aws.dynamodb, aws.stepfunctions, table=STATE_TABLE, clock=account.clock
    )


def resolve(account: Account) -> None:
    make_secret(account)
    account.known_config.resolve(NAME, "DATABASE_URL")


def declared(account: Account) -> None:
    account.declare("STAGE", {"type": "literal", "value": "x"})
    account.digester._keys.clear()
    account.known_config.declared(account.configuration())


def publish(account: Account) -> None:
    arn = account.clients.sns.create_topic(Name="t")["TopicArn"]
    notifier = SnsNotifier(account.clients.sns, topic_arn=arn)
    notifier.publish(subject="s", message="m", attributes={})


def announce(account: Account) -> None:
    account.clients.events.create_event_bus(Name="bus")
    EventBridgeAnnouncer(account.clients.events, bus="bus").announce("IncidentOpened", {})


def read_policy(account: Account) -> None:
    account.clients.ssm.put_parameter(Name="/policy", Value="{}", Type="String")
    SsmPolicies(account.clients.ssm, parameter="/policy").current()


def put_and_get_evidence(account: Account) -> None:
    bucket = "evidence"
    account.clients.s3.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    store = S3EvidenceStore(account.clients.s3, account.digester, bucket=bucket)
    given = Evidence(
        incident_id="i",
        collected_at=NOW,
        window_start=NOW,
        window_end=NOW,
        configuration=account.configuration(),
    )
    store.get(store.put(given))


def read_callers(account: Account) -> None:
    account.make_function()
    account.clients.sqs.create_queue(QueueName="jobs")
    account.clients.lambda_.create_event_source_mapping(
        FunctionName=ARN,
        EventSourceArn=ARN.replace("lambda", "sqs").replace("function:orders", "jobs"),
    )
    LambdaCallers(account.clients.lambda_, account.clients.sqs).read(TARGET)


def make_secret(account: Account) -> None:
    account.clients.secretsmanager.create_secret(
        Name="db", SecretString="v", Tags=[{"Key": "auto-repair", "Value": "enabled"}]
    )
    account.declare("DATABASE_URL", {"type": "secretsmanager", "name": "db"})


def apply_and_undo(account: Account) -> None:
    account.make_function()
    make_secret(account)
    functions = LambdaFunctions(account.clients.lambda_, account.digester, account.values)
    change = Change(
        target=TARGET,
        before=EnvironmentSetting(variables={"DATABASE_URL": SealedValue(snapshot_id="s")}),
        after=EnvironmentSetting(variables={"DATABASE_URL": DeclaredSource()}),
        planned_on=functions.read(TARGET).fingerprint,
    )
    functions.apply(change)
    assert functions.apply(change.inverse()).fingerprint == change.planned_on
    move_beside(account, functions)


def move_beside(account: Account, functions: LambdaFunctions) -> None:
    lambda_ = account.clients.lambda_
    for _ in range(2):
        version = lambda_.publish_version(FunctionName=NAME)["Version"]
    lambda_.create_alias(FunctionName=NAME, Name="live", FunctionVersion=version)
    lambda_.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=5)
    moves: list[tuple[SettingBeside, SettingBeside]] = [
        (
            ReservedConcurrencySetting(reserved_concurrency=5),
            ReservedConcurrencySetting(reserved_concurrency=9),
        ),
        (AliasSetting(alias="live", version=version), AliasSetting(alias="live", version="1")),
    ]
    for before, after in moves:
        planned_on = standing(functions.read(ALIAS), before)
        change = Change(target=ALIAS, before=before, after=after, planned_on=planned_on)
        assert holds(functions.apply(change), after)


def read_function(account: Account) -> None:
    account.make_function()
    functions = LambdaFunctions(account.clients.lambda_, account.digester, account.values)
    assert functions.read(ALIAS).alias_version is None


def seal_and_open(account: Account) -> None:
    account.snapshots.seal("s", ARN, "A", "v")
    account.snapshots.open("s", ARN, "A")


def snapshots(account: Account) -> ConfigurationSnapshots:
    return ConfigurationSnapshots(
        account.clients.dynamodb,
        account.clients.lambda_,
        account.digester,
        account.snapshots,
        table=STATE_TABLE,
        clock=account.clock,
    )


def keep_configuration(account: Account) -> None:
    account.make_function()
    functions = LambdaFunctions(account.clients.lambda_, account.digester, account.values)
    configuration = functions.read(TARGET)
    account.digester._keys.clear()
    snapshots(account).keep(configuration, "healthy")


def read_logs(account: Account) -> None:
    logs = CloudWatchLogs(account.clients.logs)
    logs.read(account.configuration(), start=NOW.replace(hour=1), end=NOW)


def read_tags(account: Account) -> None:
    account.make_function()
    functions = LambdaFunctions(account.clients.lambda_, account.digester, account.values)
    assert functions.tags(TARGET) == {"auto-repair": "enabled"}


def find_filtered_log(account: Account) -> None:
    filters = CloudWatchMetricFilters(account.clients.logs)
    filters.of_metric("Shop", "Timeouts")
    log = FilteredLog(log_group="/gone", pattern="x")
    filters.writers_of(log, start=NOW.replace(hour=1), end=NOW)


def queue_up(account: Account) -> None:
    admissions = DynamoAdmissions(account.clients.dynamodb, table=STATE_TABLE)
    admissions.next_start(earliest=NOW, latest=NOW, spacing=timedelta(seconds=2))


def look_up_and_start(account: Account) -> None:
    machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:repair"
    executions = StepFunctionsExecutions(account.clients.stepfunctions, state_machine_arn=machine)
    assert executions.look_up(f"{machine.replace('stateMachine', 'execution')}:x").status == "GONE"
    with pytest.raises(ConfigurationError):
        executions.start("x", {})


EXECUTIONS = StepFunctionsExecutions.permissions
FILTERS = CloudWatchMetricFilters.permissions
STATE = DynamoIncidentState.permissions
STORE = S3EvidenceStore.permissions
# A use may also do what it takes to have something to use; that is in the third column.
USES: list[tuple[Use, frozenset[str], set[str]]] = [
    (open_twice, STATE["open"], set()),
    (open_and_close, STATE["close"], set()),
    (contend_for_the_lease, STATE["acquire_lease"], set()),
    (release, STATE["release_lease"], set()),
    (prove, STATE["prove_lease"], set()),
    (read_probe, DeclaredProbes.permissions["declared"], set()),
    (lambda a: state(a).open_incident(TARGET), STATE["open_incident"], set()),
    (lambda a: state(a).last_closed(TARGET), STATE["last_closed"], set()),
    (lambda a: list(state(a).unsettled()), STATE["unsettled"], set()),
    (look_up_and_start, EXECUTIONS["look_up"] | EXECUTIONS["start"], set()),
    (
        lambda a: list(
            CloudWatchStandingAlarms(a.clients.cloudwatch, account_id="1", region="r").standing()
        ),
        CloudWatchStandingAlarms.permissions["standing"],
        set(),
    ),
    (
        lambda a: TaggedFunctions(a.clients.tagging).function_arns(),
        TaggedFunctions.permissions["function_arns"],
        set(),
    ),
    (lambda a: state(a).pause_in_force(), STATE["pause_in_force"], set()),
    (remember, STATE["remember_change"], set()),
    (lambda a: state(a).remembered_change(incident()), STATE["remembered_change"], set()),
    (
        lambda a: state(a).keep_task_token(incident(), "t", seconds=9),
        STATE["keep_task_token"],
        set(),
    ),
    (append, DynamoAuditTrail.permissions["append"], set()),
    (find_records, DynamoAuditTrail.permissions["of_span"], {"dynamodb:CreateTable"}),
    (find_by_function, DynamoAuditTrail.permissions["of_function"], {"dynamodb:CreateTable"}),
    (
        lambda a: approvals(a).waiting_token("i"),
        TaskTokenApprovals.permissions["waiting_token"],
        set(),
    ),
    (
        lambda a: approvals(a).resume("t", Approval(answer="approved")),
        TaskTokenApprovals.permissions["resume"],
        set(),
    ),
    (lambda a: StsIdentity(a.clients.sts).arn(), StsIdentity.permissions["arn"], set()),
    (lambda a: audit(a).chain_of("i"), DynamoAuditTrail.permissions["chain_of"], set()),
    (
        lambda a: CloudWatchAlarms(a.clients.cloudwatch).read(["a"]),
        CloudWatchAlarms.permissions["read"],
        set(),
    ),
    (find_filtered_log, FILTERS["of_metric"] | FILTERS["writers_of"], set()),
    (queue_up, DynamoAdmissions.permissions["next_start"], set()),
    (read_tags, LambdaFunctions.permissions["tags"], {"lambda:CreateFunction"}),
    (publish, SnsNotifier.permissions["publish"], {"sns:CreateTopic"}),
    (announce, EventBridgeAnnouncer.permissions["announce"], {"events:CreateEventBus"}),
    (read_policy, SsmPolicies.permissions["current"], {"ssm:PutParameter"}),
    (put_and_get_evidence, STORE["put"] | STORE["get"], {"s3:CreateBucket"}),
    (
        read_callers,
        LambdaCallers.permissions["read"],
        {"lambda:CreateFunction", "lambda:CreateEventSourceMapping", "sqs:CreateQueue"},
    ),
    (
        resolve,
        SsmKnownConfig.permissions["resolve"],
        {"secretsmanager:CreateSecret", "ssm:PutParameter"},
    ),
    (declared, SsmKnownConfig.permissions["declared"], {"ssm:PutParameter"}),
    (read_function, LambdaFunctions.permissions["read"], {"lambda:CreateFunction"}),
    (
        apply_and_undo,
        # Publishing and moving is held to it where Lambda is as strict as AWS: in
        # tests/lab/publish/test_publish_and_move.py.
        LambdaFunctions.permissions["apply"] - {"lambda:ListProvisionedConcurrencyConfigs"},
        {
            "lambda:CreateAlias",
            "lambda:CreateFunction",
            "lambda:PublishVersion",
            "secretsmanager:CreateSecret",
            "ssm:PutParameter",
        },
    ),
    (seal_and_open, Snapshots.permissions["seal"] | Snapshots.permissions["open"], set()),
    (
        keep_configuration,
        ConfigurationSnapshots.permissions["keep"],
        # To read what is to be kept.
        {"lambda:CreateFunction", "lambda:ListTags", "lambda:GetFunctionConcurrency"},
    ),
    (lambda a: snapshots(a).of(TARGET), ConfigurationSnapshots.permissions["of"], set()),
    (read_logs, CloudWatchLogs.permissions["read"], {"kms:GenerateMac"}),
]


@pytest.mark.parametrize(("use", "needed", "prepared"), USES)
def test_an_adapter_calls_what_it_declares_and_nothing_else(
    account: Account, use: Use, needed: frozenset[str], prepared: set[str]
) -> None:
    with actions_called(account) as called:
        use(account)

    assert called - prepared == needed - prepared


def test_no_adapter_asks_for_the_link_to_a_functions_code(account: Account) -> None:
    account.make_function()
    functions = LambdaFunctions(account.clients.lambda_, account.digester, account.values)

    with actions_called(account) as called:
        functions.read(TARGET)

    assert "lambda:GetFunction" not in called
    assert "lambda:GetFunctionConfiguration" in called
