"""Runs the real `sam build` and `sam deploy` against the emulated account."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from autorepair_lab.deploy.aws import Aws
from autorepair_lab.deploy.errors import ResourceError, SamError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_INPUTS = ("template.yaml", "stacks", "functions", "layers", "statemachine")
_IGNORED = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"})
_STAMP = "inputs.sha256"
_BUILD_TIMEOUT_S = 600
_DEPLOY_TIMEOUT_S = 600
_POLL_DELAY_S = "0.1"
_SHOWN_LINES = 40
_RUNTIME = f"{sys.version_info.major}.{sys.version_info.minor}"
# What a child needs of the caller's environment; everything else stays out.
_KEPT = ("HOME", "LANG", "LC_ALL", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "SSL_CERT_FILE")


def executable() -> Path:
    """Return the `sam` that belongs to this interpreter. Raises SamError if there is none."""
    beside = Path(sys.executable).parent
    for candidate in (beside / "sam", beside.parent.parent / ".venv-sam" / "bin" / "sam"):
        if candidate.is_file():
            return candidate
    raise SamError(f"There is no sam beside {sys.executable}; run `make setup` first.")


def build(project: Path, build_dir: Path, *, progress: Callable[[str], None]) -> Path:
    """Run `sam build` unless nothing it reads has changed; return the built template.

    The layer is built for the running interpreter: deploy with a runtime of the same version.
    Raises SamError with the end of sam's output if it fails.
    """
    template = build_dir / "template.yaml"
    stamp = build_dir / _STAMP
    inputs = fingerprint(project)
    if template.is_file() and stamp.is_file() and stamp.read_text() == inputs:
        progress("Build is up to date")
        return template
    progress("Building with sam")
    build_dir.parent.mkdir(parents=True, exist_ok=True)
    cache = build_dir.with_name(f"{build_dir.name}-cache")
    arguments = [
        *("build", "--template-file", str(project / "template.yaml")),
        *("--build-dir", str(build_dir), "--cached", "--cache-dir", str(cache)),
    ]
    log = build_dir.with_name(f"{build_dir.name}.log")
    with tempfile.TemporaryDirectory(prefix="sam-") as scratch:
        _run(arguments, project, _environment(Path(scratch)), log, _BUILD_TIMEOUT_S)
    stamp.write_text(inputs)
    return template


def fingerprint(project: Path) -> str:
    """Return a hash over names and contents of everything a build reads."""
    digest = hashlib.sha256(_RUNTIME.encode())
    for path in _files(project):
        digest.update(f"{path.relative_to(project)}\0{path.stat().st_mode & 0o111}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(project: Path) -> Iterator[Path]:
    for name in _INPUTS:
        top = project / name
        found = [top] if top.is_file() else sorted(top.rglob("*"))
        for path in found:
            if path.is_file() and not _IGNORED & set(path.relative_to(project).parts):
                yield path


def deploy(  # noqa: PLR0913 - keyword-only, each an option of `sam deploy`
    build_dir: Path,
    *,
    endpoint: str,
    stack_name: str,
    progress: Callable[[str], None],
    parameter_overrides: Mapping[str, str] | None = None,
    config: tuple[Path, str] | None = None,
    tags: Mapping[str, str] | None = None,
    region: str = "us-east-1",
) -> dict[str, str]:
    """Run `sam deploy` on a built template and return the stack's outputs.

    ``config`` is a samconfig.toml and its environment; what is given here outranks it. A stack
    that is already as wanted is no error. Raises SamError with the end of sam's output.
    """
    progress(f"Deploying {stack_name} with sam")
    log = build_dir.with_name(f"{build_dir.name}-deploy.log")
    with tempfile.TemporaryDirectory(prefix="sam-") as scratch:
        arguments = [
            *("deploy", "--template-file", str(build_dir / "template.yaml")),
            *("--stack-name", stack_name, "--region", region, "--resolve-s3"),
            *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"),
            *("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
        ]
        if config is not None:
            arguments += ["--config-file", str(config[0]), "--config-env", config[1]]
        if parameter_overrides:
            values = Path(scratch) / "parameters.yaml"
            values.write_text(json.dumps(dict(parameter_overrides)))  # JSON is YAML
            arguments += ["--parameter-overrides", f"file://{values}"]
        if tags:
            arguments += ["--tags", *(f"{key}={value}" for key, value in tags.items())]
        environment = _environment(Path(scratch)) | _account(Path(scratch), endpoint, region)
        try:
            _run(arguments, build_dir, environment, log, _DEPLOY_TIMEOUT_S)
        except SamError as error:
            # sam's own table breaks a reason into columns of 22 letters.
            raise SamError(
                "\n".join([str(error), *failures(endpoint, stack_name, region)])
            ) from error
    return outputs(endpoint, stack_name, region)


def outputs(endpoint: str, stack_name: str, region: str = "us-east-1") -> dict[str, str]:
    """Return a stack's outputs. Raises ResourceError if there is no such stack."""
    aws = Aws(lambda: endpoint, region, "")
    stack = aws.call("cloudformation", "DescribeStacks", StackName=stack_name)["Stacks"][0]
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}


def failures(endpoint: str, stack_name: str, region: str = "us-east-1") -> list[str]:
    """Return what failed in a stack and why, latest first; empty if there is no such stack."""
    aws = Aws(lambda: endpoint, region, "")
    try:
        events = aws.call("cloudformation", "DescribeStackEvents", StackName=stack_name)
    except ResourceError:
        return []
    return [
        f"{event['LogicalResourceId']} {event['ResourceStatus']}: {event['ResourceStatusReason']}"
        for event in events["StackEvents"]
        if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")
    ]


def _environment(scratch: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    beside = str(Path(sys.executable).parent)
    return kept | {
        "PATH": os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]),
        "PYTHONUTF8": "1",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": _POLL_DELAY_S,
        "__SAM_CLI_APP_DIR": str(scratch),
        # A build leaves an empty folder for each function among the temporary files.
        "TMPDIR": str(scratch),
        # `sam build` asks no account, but boto3 wants a Region.
        "AWS_DEFAULT_REGION": "us-east-1",
        # The layer is built by and for this interpreter, which also runs the functions.
        "PYTHON": sys.executable,
        "RUNTIME_PYTHON": _RUNTIME,
    }


def _account(scratch: Path, endpoint: str, region: str) -> dict[str, str]:
    config = scratch / "config"
    config.write_text("")
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(config),
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "HOME": str(scratch),
        "NO_PROXY": "127.0.0.1,localhost",
    }


def _run(
    arguments: list[str], cwd: Path, environment: dict[str, str], log: Path, timeout_s: int
) -> None:
    command = [str(executable()), *arguments]
    with log.open("w") as output:
        try:
            finished = subprocess.run(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SamError(_failure(arguments[0], log, f"took over {timeout_s} s")) from error
    if finished.returncode != 0:
        raise SamError(_failure(arguments[0], log, f"ended with {finished.returncode}"))


def _failure(command: str, log: Path, what: str) -> str:
    lines = log.read_text(errors="replace").splitlines()
    tail = "\n".join(lines[-_SHOWN_LINES:])
    return f"`sam {command}` {what}; its whole output is in {log}:\n{tail}"
