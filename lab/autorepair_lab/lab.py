"""The whole lab: an emulated account with the service deployed in it, and a ward of patients."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from botocore.exceptions import ClientError

from autorepair.aws.approvals import TaskTokenApprovals
from autorepair.aws.audit_trail import DynamoAuditTrail
from autorepair.aws.clock import SystemClock
from autorepair.domain.policy import Policy
from autorepair.domain.value import Value
from autorepair.ports import AnswerPorts
from autorepair_lab.account.faults import Fault
from autorepair_lab.account.routes import RouteReply, RouteRequest
from autorepair_lab.account.server import Account
from autorepair_lab.admission import Admission
from autorepair_lab.approver import ApprovalMode, Approver, Wish
from autorepair_lab.clients import DUMMY_KEY, Clients
from autorepair_lab.consultant import Consultant
from autorepair_lab.deploy import sam
from autorepair_lab.deploy.cloudformation import CloudFormation
from autorepair_lab.interpreter import runtime
from autorepair_lab.meddler import Meddler
from autorepair_lab.patient import Patient, PatientError, read_patient
from autorepair_lab.trail import Trail
from autorepair_lab.ward import PatientBusyError, Ward
from autorepair_lab.workdir import Workdir, remove_dead

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import InvocationResponseTypeDef

PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENT = "dev"
STACK_NAME = f"lambda-auto-repair-{ENVIRONMENT}"
REGION = "us-east-1"
ACCOUNT_ID = "123456789012"

# Seconds instead of minutes, and nothing that would keep fifty patients from being repaired at
# once; all else is what the policy's own defaults say.
LAB_POLICY = Policy.model_validate(
    {
        "modes": {
            "set_timeout": "auto",
            "set_memory": "auto",
            "set_env": "auto",
            "set_ephemeral_storage": "ask",
            "set_reserved_concurrency": "ask",
            "rollback_version": "ask",
        },
        "limits": {
            "cooldown_s": 0,
            "repairs_per_function_day": 100,
            "repairs_per_account_hour": 1000,
            "steps_per_incident": 3,
            "incident_spacing_s": 0.2,
        },
        "breaker": {"repairs": 1000, "window_s": 600, "same_cause_functions": 1000},
        "verification": {"window_s": 3, "max_windows": 20, "min_invocations": 4},
        "settle_s": 1,
    }
)


class Ready(Value):
    """Where everything is, once the lab is up."""

    endpoint: str
    state_machine_arn: str
    topic_arn: str
    audit_table: str
    state_table: str
    approval_url: str | None
    evidence_bucket: str
    policy_parameter: str
    known_config_prefix: str

    def exports(self) -> dict[str, str]:
        """Give the environment that points any AWS tool at the lab."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": DUMMY_KEY,
            "AWS_SECRET_ACCESS_KEY": DUMMY_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }


# The lab has a model to ask: it answers from a script, and without one it denies access.
_ASKING = {"DiagnosisMode": "rules_then_model"}


class Lab:
    """Use as a context manager: what was started is stopped, whatever happens inside.

    ``parameters`` are laid over those of the templates that the lab deploys with.
    """

    def __init__(  # noqa: PLR0913 - every setting has a default
        self,
        *,
        port: int = 0,
        faults: Sequence[Fault] = (),
        approval: ApprovalMode = "patients",
        parameters: Mapping[str, str] | None = None,
        progress: Callable[[str], None] = lambda _what: None,
        patient_progress: Callable[[str, str], None] = lambda _patient, _what: None,
    ) -> None:
        self._approval: ApprovalMode = approval
        self._parameters = dict(parameters or {})
        self._progress = progress
        self._patient_progress = patient_progress
        remove_dead()
        self._workdir = Workdir()
        self.account = Account(
            workdir=self._workdir.path,
            port=port,
            region=REGION,
            account_id=ACCOUNT_ID,
            faults=faults,
        )
        self._clients: Clients | None = None
        self._admission: Admission | None = None
        self._trail: Trail | None = None
        self._ward: Ward | None = None
        self._approver: Approver | None = None
        self._consultant = Consultant()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def clients(self) -> Clients:
        """Clients for the account. Raises RuntimeError before the lab is up."""
        if self._clients is None:
            raise RuntimeError("the lab is not up")
        return self._clients

    @property
    def _open_admission(self) -> Admission:
        if self._admission is None:
            raise RuntimeError("the lab is not up")
        return self._admission

    @property
    def ward(self) -> Ward:
        """The patients. Raises RuntimeError before the lab is up."""
        if self._ward is None:
            raise RuntimeError("the lab is not up")
        return self._ward

    def raise_alarm(self, patient: Patient) -> None:
        """Put a patient's alarm into ALARM."""
        self._open_admission.raise_alarm(patient)

    def mute_alarms(self) -> None:
        """Keep alarms from starting the state machine: for those who run single steps by hand."""
        for rule in self.clients.events.list_rules()["Rules"]:
            if "CloudWatch Alarm State Change" in rule.get("EventPattern", ""):
                self.clients.events.disable_rule(Name=rule["Name"])

    def invoke_step(self, name: str, payload: bytes) -> InvocationResponseTypeDef:
        """Invoke the deployed function of a step, named as its module is."""
        return self.clients.lambda_.invoke(
            FunctionName=f"lambda-auto-repair-{name.replace('_', '-')}-{ENVIRONMENT}",
            Payload=payload,
            LogType="Tail",
        )

    def close(self) -> None:
        """Stop everything and remove what was unpacked; closing twice does no harm."""
        if self._ward is not None:
            self._ward.close()
        if self._trail is not None:
            self._trail.close()
        if self._approver is not None:
            self._approver.close()
        self.account.close()
        self._workdir.close()

    def _start(self) -> None:
        self._progress("starting the emulated account")
        self.account.start()
        self.account.add_interceptor(
            CloudFormation(
                endpoint=lambda: self.account.endpoint, region=REGION, account_id=ACCOUNT_ID
            )
        )
        outputs = self._deploy(PROJECT / "build" / "lab")
        self.ready = Ready(
            endpoint=self.account.endpoint,
            state_machine_arn=outputs["StateMachineArn"],
            topic_arn=outputs["NotificationTopicArn"],
            audit_table=outputs["AuditTableName"],
            state_table=outputs["StateTableName"],
            approval_url=outputs.get("ApprovalUrl"),
            evidence_bucket=outputs["EvidenceBucketName"],
            policy_parameter=outputs["PolicyParameterName"],
            known_config_prefix=outputs["KnownConfigPrefix"],
        )
        self._open_ward(self.ready)

    def _deploy(self, build_dir: Path) -> dict[str, str]:
        of_file = json.loads((PROJECT / "parameters" / f"{ENVIRONMENT}.json").read_text())
        overrides = {**of_file, "PythonRuntime": runtime(), **_ASKING, **self._parameters}
        with _only_one(build_dir.with_name("lab.lock")):
            sam.build(PROJECT, build_dir, progress=self._progress)
            return sam.deploy(
                build_dir,
                endpoint=self.account.endpoint,
                stack_name=STACK_NAME,
                parameter_overrides=overrides,
                region=REGION,
                progress=self._progress,
            )

    def _open_ward(self, ready: Ready) -> None:
        clients = self._clients = Clients(ready.endpoint, REGION)
        admission = self._admission = Admission(
            clients,
            policy_parameter=ready.policy_parameter,
            known_config_prefix=ready.known_config_prefix,
            runtime=runtime(),
            set_at_memory_limit=self.account.set_at_memory_limit,
        )
        admission.write_policy(LAB_POLICY)
        trail = self._trail = Trail(clients, ready.audit_table)
        meddler = Meddler(clients, audit_table=ready.audit_table, tell=self._patient_progress)
        self.account.add_observer(meddler)
        self.account.add_interceptor(self._consultant)
        ward = self._ward = Ward(
            clients,
            admission,
            trail,
            invocations=self.account.invocations,
            attend=(meddler, self._consultant),
            progress=self._patient_progress,
        )
        self._approver = Approver(
            _answer_ports(clients, ready),
            mode=self._approval,
            wish_of=lambda name: _wish(ward.patient_of(name)),
            tell=self._patient_progress,
        )
        trail.tell(self._approver.hear)
        trail.start()
        self._add_routes()

    def _add_routes(self) -> None:
        self.account.add_route("POST", r"/_lab/patients", self._admit)
        self.account.add_route("GET", r"/_lab/patients/(?P<name>[^/]+)", self._row)
        self.account.add_route("POST", r"/_lab/patients/(?P<name>[^/]+)/break", self._break)

    def _admit(self, request: RouteRequest) -> RouteReply:
        try:
            body = request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("path"), str):
            return RouteReply({"error": 'send {"path": "<the folder of a patient>"}'}, 400)
        try:
            patient = read_patient(Path(body["path"]))
        except PatientError as error:
            return RouteReply({"error": str(error)}, 400)
        if self.ward.knows(patient.name):
            return RouteReply({"error": f"{patient.name} has been admitted already"}, 409)
        try:
            function_name = self.ward.admit(patient)
        except ClientError as error:
            return RouteReply({"error": f"{patient.name} cannot be deployed: {error}"}, 400)
        return RouteReply({"name": patient.name, "function_name": function_name}, 201)

    def _break(self, request: RouteRequest) -> RouteReply:
        name = request.groups["name"]
        if not self.ward.knows(name):
            return RouteReply({"error": f"no patient {name} has been admitted"}, 404)
        try:
            self.ward.break_in_background(name)
        except PatientBusyError as error:
            return RouteReply({"error": str(error)}, 409)
        return RouteReply({"name": name}, 202)

    def _row(self, request: RouteRequest) -> RouteReply:
        name = request.groups["name"]
        if not self.ward.knows(name):
            return RouteReply({"error": f"no patient {name} has been admitted"}, 404)
        return RouteReply(self.ward.row(name).as_json())


def _wish(patient: Patient | None) -> Wish | None:
    return patient.approval if patient else None


def _answer_ports(clients: Clients, ready: Ready) -> AnswerPorts:
    clock = SystemClock()
    return AnswerPorts(
        clock=clock,
        audit=DynamoAuditTrail(clients.dynamodb, table=ready.audit_table),
        approvals=TaskTokenApprovals(
            clients.dynamodb, clients.stepfunctions, table=ready.state_table, clock=clock
        ),
    )


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Let labs that start side by side build and deploy one after the other.

    A build takes the one before it away, so none may begin while another is being deployed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
