"""The two scripts: what they refuse, and that they say how they are used."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).parents[2]


def _run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / script, *arguments], capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.parametrize("script", ["deploy.sh", "validate-deployment.sh"])
def test_bash_can_read_the_script(script: str) -> None:
    done = subprocess.run(
        ["bash", "-n", ROOT / script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "complaint"),
    [
        ("deploy.sh", [], "--environment must be"),
        ("deploy.sh", ["--environment", "test", "--email", "a@b.example"], "--environment must be"),
        ("deploy.sh", ["--environment", "dev"], "--email must be"),
        ("deploy.sh", ["--environment", "dev", "--email", "nobody"], "--email must be"),
        ("deploy.sh", ["--environment"], "--environment needs a value"),
        ("deploy.sh", ["--region", "--dry-run"], "--region needs a value"),
        ("deploy.sh", ["--verbose"], "unknown argument --verbose"),
        ("validate-deployment.sh", [], "--environment must be"),
        ("validate-deployment.sh", ["--environment", "qa"], "--environment must be"),
        ("validate-deployment.sh", ["--email", "a@b.example"], "unknown argument --email"),
    ],
)
def test_wrong_usage_is_refused_and_explained(
    script: str, arguments: list[str], complaint: str
) -> None:
    done = _run(script, *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr


@pytest.mark.parametrize(
    ("script", "options"),
    [
        (
            "deploy.sh",
            "--environment --email --enable-approval --knowledge-base-id --region --dry-run",
        ),
        ("validate-deployment.sh", "--environment --region"),
    ],
)
def test_help_names_every_option(script: str, options: str) -> None:
    done = _run(script, "--help")
    assert done.returncode == 0
    assert [o for o in options.split() if o not in done.stdout] == []


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("true", "a public page, by links nobody can guess"),
        ("false", "No approval page (EnableApprovalPage in parameters/dev.json)"),
    ],
)
def test_a_deployment_announces_the_public_page_and_how_to_switch_it_off(
    tmp_path: Path, value: str, told: str
) -> None:
    for part in ("deploy.sh", "parameters", "statemachine"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        copy(ROOT / part, tmp_path / part)
    values = tmp_path / "parameters" / "dev.json"
    values.write_text(json.dumps({**json.loads(values.read_text()), "EnableApprovalPage": value}))
    done = subprocess.run(
        [tmp_path / "deploy.sh", "--environment", "dev", "--email", "a@b.example", "--dry-run"],
        env={**os.environ, "SAM": "true", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert told in done.stdout
    assert "EnableApprovalPage" in done.stdout
    assert "EnableApprovalPage" in _run("deploy.sh", "--help").stdout


def test_a_deployment_that_cannot_be_read_is_no_success() -> None:
    # Bound, so that nobody else gets the port, but nobody listens.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        done = subprocess.run(
            [ROOT / "validate-deployment.sh", "--environment", "dev", "--region", "us-east-1"],
            env={
                **os.environ,
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
                "AWS_ACCESS_KEY_ID": "none",
                "AWS_SECRET_ACCESS_KEY": "none",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
    assert done.returncode == 1
    assert "FAIL  stack lambda-auto-repair-dev" in done.stdout
    assert "ok  " not in done.stdout


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    # What one server holds is the process's: the next test begins with an empty account.
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=60)
    server.stop()


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("{}", "ok    policy parameter"),
        ('{"modes": {"set_timeout": "sometimes"}}', "FAIL  policy parameter: is not valid"),
        ("{not JSON", "FAIL  policy parameter: is not valid"),
    ],
)
def test_a_policy_that_the_service_would_not_act_under_is_found(
    endpoint: str, policy: str, told: str
) -> None:
    aws = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    template = {
        "Resources": {
            "Policy": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": "/p", "Type": "String", "Value": policy},
            }
        },
        "Outputs": {"PolicyParameterName": {"Value": "/p"}},
    }
    boto3.client(
        "cloudformation",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="none",
        aws_secret_access_key="none",
    ).create_stack(StackName="lambda-auto-repair-dev", TemplateBody=json.dumps(template))
    done = subprocess.run(
        [ROOT / "validate-deployment.sh", "--environment", "dev", "--region", "us-east-1"],
        env={**os.environ, **aws},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert told in done.stdout, done.stdout + done.stderr
    if "sometimes" in policy:
        assert "modes.set_timeout" in done.stdout
