"""Code of functions and layers: taken from the request or S3, unpacked once for the runtime."""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import threading
import zipfile
from pathlib import Path
from typing import Any

from moto.s3.models import s3_backends

from autorepair_lab.account.call import CallRefusedError

_INVALID = "InvalidParameterValueException"


def sha256_text(code: bytes) -> str:
    """CodeSha256 as Lambda reports it: the base64 of the digest."""
    return base64.b64encode(hashlib.sha256(code).digest()).decode()


def zip_of(source: dict[str, Any], account_id: str) -> bytes:
    """The zip file that a Code, Content or UpdateFunctionCode request names.

    Raises CallRefusedError if there is none, it is missing in S3, or it is no zip file.
    """
    if "ZipFile" in source:
        code = bytes(source["ZipFile"])
    elif "S3Bucket" in source and "S3Key" in source:
        code = _object(source, account_id)
    else:
        raise CallRefusedError(
            _INVALID, "The lab runs zip files only: give ZipFile, or S3Bucket and S3Key"
        )
    if not zipfile.is_zipfile(io.BytesIO(code)):
        raise CallRefusedError(
            _INVALID, "Could not unzip uploaded file. Please check your file, then try to upload"
        )
    return code


def _object(source: dict[str, Any], account_id: str) -> bytes:
    backend = s3_backends[account_id]["aws"]
    bucket, key = source["S3Bucket"], source["S3Key"]
    start = "Error occurred while GetObject. S3 Error Code:"
    if bucket not in backend.buckets:
        raise CallRefusedError(
            _INVALID,
            f"{start} NoSuchBucket. S3 Error Message: The specified bucket does not exist",
        )
    found = backend.get_object(bucket, key, version_id=source.get("S3ObjectVersion"))
    if found is None:
        raise CallRefusedError(
            _INVALID, f"{start} NoSuchKey. S3 Error Message: The specified key does not exist."
        )
    return bytes(found.value)


class CodeCache:
    """Unpacked zip files, one folder for each content."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()

    def folder(self, code: bytes, sha256: str) -> Path:
        """The folder that holds a zip file's contents, with the permissions it was packed with.

        ``sha256`` is the code's CodeSha256; it is given because hashing a layer for each
        invocation would cost more than the invocation.
        """
        target = self._root / base64.b64decode(sha256).hex()[:32]
        with self._lock:
            if not target.exists():
                partial = target.with_suffix(".partial")
                _unpack(code, partial)
                partial.rename(target)
        return target


def _unpack(code: bytes, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, target))
            mode = entry.external_attr >> 16
            if path.is_file() and mode & stat.S_IXUSR:
                path.chmod(0o755)
