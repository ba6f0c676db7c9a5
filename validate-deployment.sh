#!/usr/bin/env bash
# Says whether a deployment of Lambda Auto-Repair is complete and ready. Reads only. Exit code 0: it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'TEXT'
Usage: ./validate-deployment.sh --environment dev|staging|prod [--region REGION]

  --environment NAME   the environment that deploy.sh was run for
  --region REGION      default: AWS_REGION, AWS_DEFAULT_REGION, or the AWS profile's

One line per check, "ok" or "FAIL". Exit code: 0 all is well, 1 something is not, 2 wrong usage.
Finds stacks deployed through template.yaml and stacks deployed one by one (lambda-auto-repair-main-NAME,
lambda-auto-repair-functions-NAME, lambda-auto-repair-monitoring-NAME).
Environment: AWS_PROFILE, AWS_ENDPOINT_URL and the like are honoured. PYTHON names an interpreter with
boto3 and pydantic; default: .venv/bin/python (make setup), else python3.
TEXT
}

misused() { echo "validate-deployment.sh: $* (see ./validate-deployment.sh --help)" >&2; exit 2; }

environment="" region="${AWS_REGION:-${AWS_DEFAULT_REGION:-}}"
while (($#)); do
  case "$1" in
    --environment | --region)
      if (($# < 2)) || [[ -z "$2" || "$2" == --* ]]; then misused "$1 needs a value"; fi
      if [[ "$1" == --environment ]]; then environment="$2"; else region="$2"; fi
      shift 2
      ;;
    --help | -h) usage; exit 0 ;;
    *) misused "unknown argument $1" ;;
  esac
done
[[ "$environment" =~ ^(dev|staging|prod)$ ]] || misused "--environment must be dev, staging or prod"

python="${PYTHON:-}"
if [[ -z "$python" ]]; then
  if [[ -x .venv/bin/python ]]; then python=.venv/bin/python; else python=python3; fi
fi
"$python" -c 'import boto3, pydantic' >/dev/null 2>&1 || misused "$python lacks boto3 or pydantic; run 'make setup' or set PYTHON"
if [[ -n "$region" ]]; then export AWS_REGION="$region" AWS_DEFAULT_REGION="$region"; fi

exec "$python" - "$environment" <<'PYTHON'
"""Check one deployment through the AWS APIs; a check that cannot be made counts as failed."""

import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

# The policy is checked by the service's own model: what it would not act under is no policy.
sys.path.insert(0, "layers/core")
from autorepair.domain.policy_review import faults_of

HEALTHY = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}
environment = sys.argv[1]
name = f"lambda-auto-repair-{environment}"
failures = 0


def client(service):
    return boto3.client(service, config=Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 4}))


def check(title, probe):
    """Run the probe, which gives None when all is well and else what is wrong."""
    global failures
    try:
        wrong = probe()
    except (BotoCoreError, ClientError) as error:
        wrong = str(error)
    except (KeyError, IndexError) as error:
        wrong = f"{error} is missing"
    failures += wrong is not None
    print(f"  ok    {title}" if wrong is None else f"  FAIL  {title}: {wrong}", flush=True)


def unless(found, wanted):
    return None if found == wanted else f"is {found}, not {wanted}"


try:
    cloudformation = client("cloudformation")
except NoRegionError:
    print("validate-deployment.sh: no Region; give --region", file=sys.stderr)
    sys.exit(2)
print(f"Lambda Auto-Repair, {environment}, {cloudformation.meta.region_name}")

outputs, resources = {}, []


def stack(stack_name):
    found = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    outputs.update({o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])})
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    resources.extend(r for page in pages for r in page["StackResourceSummaries"])
    return None if found["StackStatus"] in HEALTHY else f"is {found['StackStatus']}"


def is_there(stack_name):
    try:
        return bool(cloudformation.describe_stacks(StackName=stack_name)["Stacks"])
    except (BotoCoreError, ClientError):
        return False


parts = [f"lambda-auto-repair-{part}-{environment}" for part in ("main", "functions", "monitoring")]
if not is_there(name) and is_there(parts[0]):
    for part in parts:
        check(f"stack {part}", lambda part=part: stack(part))
else:
    check(f"stack {name}", lambda: stack(name))
    nested = [r for r in resources if r["ResourceType"] == "AWS::CloudFormation::Stack"]
    if resources:
        check("three nested stacks", lambda: unless(len(nested), 3))
    for part in nested:
        check(f"stack {part['LogicalResourceId']}", lambda part=part: stack(part["PhysicalResourceId"]))

if not resources:
    print("There is nothing more to check: no stack could be read.")
    sys.exit(1)

awslambda = client("lambda")


def function(function_name):
    found = awslambda.get_function_configuration(FunctionName=function_name)
    return unless(found.get("State"), "Active") or unless(found.get("LastUpdateStatus"), "Successful")


functions = sorted(r["PhysicalResourceId"] for r in resources if r["ResourceType"] == "AWS::Lambda::Function")
check("ten functions or more", lambda: None if len(functions) >= 10 else f"there are {len(functions)}")
for function_name in functions:
    check(f"function {function_name}", lambda n=function_name: function(n))

check(
    f"state machine {name}",
    lambda: unless(client("stepfunctions").describe_state_machine(stateMachineArn=outputs["StateMachineArn"])["status"], "ACTIVE"),
)
for key in ("AuditTableName", "StateTableName"):
    check(
        f"table {outputs.get(key, key)}",
        lambda key=key: unless(client("dynamodb").describe_table(TableName=outputs[key])["Table"]["TableStatus"], "ACTIVE"),
    )


def topic():
    client("sns").get_topic_attributes(TopicArn=outputs["NotificationTopicArn"])


def bucket():
    client("s3").head_bucket(Bucket=outputs["EvidenceBucketName"])


def bus():
    client("events").describe_event_bus(Name=outputs["EventBusName"])


def policy():
    value = client("ssm").get_parameter(Name=outputs["PolicyParameterName"])["Parameter"]["Value"]
    faults = "; ".join(f"{fault.path}: {fault.what} ({fault.remedy})" for fault in faults_of(value))
    return f"is not valid, so the service only observes: {faults}" if faults else None


def approval_page():
    """Follow a link that nobody was sent: it reaches the page, which says that there is no question."""
    try:
        urllib.request.urlopen(outputs["ApprovalUrl"] + "/" + "A" * 43, timeout=30)
    except urllib.error.HTTPError as answer:
        is_page = answer.headers.get("Content-Type", "").startswith("text/html")
        return None if answer.code == 404 and is_page else f"answers with status {answer.code}"
    except OSError as error:
        return f"cannot be reached from here: {error}"
    return "shows a question to whoever asks"


check("notification topic", topic)
check("evidence bucket", bucket)
check("event bus", bus)
check("policy parameter", policy)
if "ApprovalUrl" in outputs:
    check(f"approval page {outputs['ApprovalUrl']}", approval_page)
check(
    "alarm rule on the default bus",
    lambda: unless(client("events").describe_rule(Name=f"lambda-auto-repair-alarms-{environment}")["State"], "ENABLED"),
)
print("All is well." if not failures else f"{failures} of the checks failed.")
sys.exit(1 if failures else 0)
PYTHON
