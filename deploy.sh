#!/usr/bin/env bash
# Validates, builds and deploys Lambda Auto-Repair into one account and Region. Run again, it updates.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'TEXT'
Usage: ./deploy.sh --environment dev|staging|prod --email ADDRESS [options]

  --environment NAME       dev, staging or prod; its values are in parameters/NAME.json
  --email ADDRESS          who is told; the address has to confirm a mail from AWS
  --enable-approval        a person agrees to every change, whatever parameters/NAME.json says
  --knowledge-base-id ID   Bedrock Knowledge Base to consult; a model is asked where rules leave the cause open
  --region REGION          default: AWS_REGION, AWS_DEFAULT_REGION, or the AWS profile's
  --dry-run                validate and build, deploy nothing; needs no AWS account
  --help

Where a person is asked, the message links to a public page that takes the answer, by links nobody
can guess. "EnableApprovalPage": "false" in parameters/NAME.json leaves it out; the commands stay.

Environment: RUNTIME_PYTHON (3.11, 3.12 or 3.13; default 3.13) is the Lambda runtime to build and deploy
for. AWS_PROFILE, AWS_ENDPOINT_URL and the like are honoured. SAM and PYTHON name the tools to use;
default: those in .venv and .venv-sam, else those on the PATH.
TEXT
}

fail() { echo "deploy.sh: $*" >&2; exit 1; }
misused() { echo "deploy.sh: $* (see ./deploy.sh --help)" >&2; exit 2; }
say() { echo "==> $*"; }

environment="" email="" approval="" knowledge_base="" dry_run=""
region="${AWS_REGION:-${AWS_DEFAULT_REGION:-}}"
while (($#)); do
  case "$1" in
    --environment | --email | --knowledge-base-id | --region)
      if (($# < 2)) || [[ -z "$2" || "$2" == --* ]]; then misused "$1 needs a value"; fi
      case "$1" in
        --environment) environment="$2" ;;
        --email) email="$2" ;;
        --knowledge-base-id) knowledge_base="$2" ;;
        --region) region="$2" ;;
      esac
      shift 2
      ;;
    --enable-approval) approval=true; shift ;;
    --dry-run) dry_run=true; shift ;;
    --help | -h) usage; exit 0 ;;
    *) misused "unknown argument $1" ;;
  esac
done

[[ "$environment" =~ ^(dev|staging|prod)$ ]] || misused "--environment must be dev, staging or prod"
[[ "$email" =~ ^[^@[:space:]]+@[^@[:space:]]+\.[^@[:space:]]+$ ]] || misused "--email must be a mail address"
[[ "$knowledge_base" =~ ^[0-9A-Za-z-]*$ ]] || misused "--knowledge-base-id has letters, digits and dashes only"
runtime="${RUNTIME_PYTHON:-3.13}"
[[ "$runtime" =~ ^3\.1[123]$ ]] || misused "RUNTIME_PYTHON must be 3.11, 3.12 or 3.13, not $runtime"

first_of() { # first_of NAME CANDIDATE... : the first candidate that runs
  local name="$1" candidate
  shift
  for candidate in "$@"; do
    if [[ -n "$candidate" ]] && "$candidate" --version >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
  fail "$name was not found; run 'make setup', or put it on the PATH"
}
sam="$(first_of "the SAM CLI (sam)" "${SAM:-}" .venv-sam/bin/sam .venv/bin/sam sam)"
python="$(first_of "Python 3" "${PYTHON:-}" .venv/bin/python python3)"
make --version >/dev/null 2>&1 || fail "make was not found; the layer is built by it"
"$python" -m pip --version >/dev/null 2>&1 || fail "$python has no pip; the layer is built with it"
if [[ "$python" == */* ]]; then python="$(cd "$(dirname "$python")" && pwd)/$(basename "$python")"; fi

export SAM_CLI_TELEMETRY="${SAM_CLI_TELEMETRY:-0}" RUNTIME_PYTHON="$runtime" PYTHON="$python"
region_flags=()
if [[ -n "$region" ]]; then region_flags=(--region "$region"); fi

say "Validating the templates and the state machine"
for template in template.yaml stacks/main.yaml stacks/functions.yaml stacks/monitoring.yaml; do
  # Linting needs some Region to look resource types up; which one does not matter here.
  "$sam" validate --lint --template "$template" --region "${region:-us-east-1}"
done
"$python" -m json.tool statemachine/repair.asl.json >/dev/null || fail "statemachine/repair.asl.json is not JSON"
"$python" -m json.tool "parameters/$environment.json" >/dev/null || fail "parameters/$environment.json is not JSON"

say "Building for Python $runtime"
"$sam" build --template template.yaml

# Overrides on the command line replace all of those in samconfig.toml, so the file's values come along.
overrides=()
while IFS= read -r override; do overrides+=("$override"); done < <(
  "$python" -c 'import json, sys
for name, value in json.load(open(sys.argv[1])).items(): print(f"{name}={value}")' "parameters/$environment.json"
)
if ((${#overrides[@]} == 0)); then fail "parameters/$environment.json could not be read"; fi
overrides+=("NotificationEmail=$email" "PythonRuntime=python$runtime")
if [[ -n "$approval" ]]; then overrides+=("EnableApprovalWorkflow=true"); fi
if [[ -n "$knowledge_base" ]]; then overrides+=("KnowledgeBaseId=$knowledge_base" "DiagnosisMode=rules_then_model"); fi

if [[ " ${overrides[*]} " == *" EnableApprovalPage=false "* ]]; then
  say "No approval page (EnableApprovalPage in parameters/$environment.json); the commands answer"
else
  say "Where a person is asked, the message links to a public page, by links nobody can guess;"
  say "EnableApprovalPage=false in parameters/$environment.json leaves it out"
fi

if [[ -n "$dry_run" ]]; then
  say "Dry run: valid and built; nothing was deployed"
  exit 0
fi

say "Deploying lambda-auto-repair-$environment"
# Calling this script is the confirmation; --dry-run and sam deploy itself are there to look first.
"$sam" deploy --config-env "$environment" --no-confirm-changeset ${region_flags[@]+"${region_flags[@]}"} \
  --parameter-overrides "${overrides[@]}"

say "Done. Check it with: ./validate-deployment.sh --environment $environment${region:+ --region $region}"
say "Functions take part once they carry the tag auto-repair=enabled."
