# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A bucket as it was at a moment: which versions its names had then, and how it gets them back."""

from __future__ import annotations

__all__ = ["Endpoint", "Version", "Way", "apply", "plan", "versions_of"]

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

AT_ONCE = 8
EMPTY = base64.b64encode(hashlib.md5(b"", usedforsecurity=False).digest()).decode()


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where S3 answers (HOST or HOST:PORT), how buckets are named to it (host or path), and with which key."""

    host: str
    region: str
    style: str
    ca_file: str
    key: str
    secret: str = field(repr=False)

    def client(self) -> Any:  # noqa: ANN401 - boto3 has no types
        """A client that checks the endpoint's certificate."""
        return import_module("boto3").client(
            "s3",
            endpoint_url=f"https://{self.host}",
            region_name=self.region,
            verify=self.ca_file or None,
            config=import_module("botocore.config").Config(
                s3={"addressing_style": "path" if self.style == "path" else "virtual"}
            ),
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
        )


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a name. Gone: from then on the name was deleted. Newest: it is what the name is now."""

    name: str
    identity: str
    since: datetime
    newest: bool
    tag: str = ""
    gone: bool = False


@dataclass(frozen=True, kw_only=True)
class Way:
    """What brings one name back: an older version on top of the newer ones, or a mark that it is gone."""

    action: Literal["copy", "delete"]
    name: str
    identity: str = ""

    def __str__(self) -> str:
        """One line of a plan."""
        return f"copy {self.name}: version {self.identity}" if self.action == "copy" else f"delete {self.name}"


def plan(versions: Iterable[Version], moment: datetime) -> list[Way]:
    """What has to be done so that every name is what it was at a moment. Nothing is ever removed by it."""
    named: dict[str, list[Version]] = {}
    for version in versions:
        named.setdefault(version.name, []).append(version)
    found = []
    for name, known in sorted(named.items()):
        now = next(version for version in known if version.newest)
        past = [version for version in known if version.since <= moment]
        then = max(past, key=lambda version: (version.since, version.newest), default=None)
        if then is None or then.gone:
            found += [] if now.gone else [Way(action="delete", name=name)]
        elif now.gone or now.tag != then.tag:
            found.append(Way(action="copy", name=name, identity=then.identity))
    return found


def versions_of(s3: Any, bucket: str) -> list[Version]:  # noqa: ANN401 - boto3 has no types
    """Every version of every name."""
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=bucket))
    return [
        Version(
            name=entry["Key"],
            identity=entry["VersionId"],
            since=entry["LastModified"],
            newest=entry["IsLatest"],
            tag=entry.get("ETag", ""),
            gone=key == "DeleteMarkers",
        )
        for page in pages
        for key in ("Versions", "DeleteMarkers")
        for entry in page.get(key, [])
    ]


def apply(s3: Any, bucket: str, ways: Iterable[Way]) -> None:  # noqa: ANN401 - boto3 has no types
    """Do what a plan says, inside S3: nothing passes through here."""
    s3.meta.events.register("before-call.s3.CopyObject", _with_digest)

    def go(way: Way) -> None:
        if way.action == "delete":
            s3.delete_object(Bucket=bucket, Key=way.name)
        else:
            source = {"Bucket": bucket, "Key": way.name, "VersionId": way.identity}
            s3.copy_object(Bucket=bucket, Key=way.name, CopySource=source)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(go, ways))


def _with_digest(params: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 - botocore's own
    """Where object lock has a default, a copy needs the digest of its request too, which is empty; boto3 sends none."""
    params["headers"]["Content-MD5"] = EMPTY
