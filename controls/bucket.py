"""What the bucket of the backups says of itself: where it is, and whether its versions are locked."""

from __future__ import annotations

__all__ = ["Bucket", "asked", "client"]

import json
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from plugins.module_utils.cloud.versions import Endpoint

from .marks import not_assessed
from .words import counted

if TYPE_CHECKING:
    from .environment import Environment
    from .machine import Lab

UNSET = "ObjectLockConfigurationNotFoundError"


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """Region, state of the versions, and the mode and the days of object lock that a new version gets."""

    region: str
    versioning: str
    mode: str
    days: int

    def problems(self, wanted_days: int) -> list[str]:
        """Why somebody with every key could take yesterday's backups from it."""
        found = []
        if self.versioning != "Enabled":
            found.append(f"it keeps no versions ({self.versioning})")
        if self.mode != "COMPLIANCE":
            found.append(f"its versions can be deleted (object lock: {self.mode})")
        elif self.days < wanted_days:
            days = counted(self.days, "day")
            found.append(f"it refuses to delete a version for {days}; {wanted_days} are wanted (backup_s3_lock_days)")
        return found


def client(environment: Environment) -> Any:  # noqa: ANN401 - boto3 has no types
    """A client for where the backups go, with their key."""
    return Endpoint(
        host=environment.get("backup_s3_endpoint"),
        region=environment.get("backup_s3_region"),
        style=environment.get("backup_s3_uri_style"),
        ca_file=environment.get("backup_s3_ca_file"),
        key=environment.get("backup_s3_key"),
        secret=environment.get("backup_s3_key_secret"),
    ).client()


def asked(lab: Lab) -> Bucket:
    """What the bucket says, kept as evidence, asked once.

    Raises NotAssessedError when the key is not here, or the bucket does not answer.
    """
    kept = lab.store.find("bucket", "bucket")
    if kept is None:
        name = lab.environment.get("backup_s3_bucket")
        if not lab.environment.get("backup_s3_key_secret"):
            not_assessed("the key of the bucket (backup_s3_key_secret) is not here, so the bucket cannot be asked")
        try:
            answers = _ask(client(lab.environment), name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the bucket was not asked
            not_assessed(f"The bucket {name} does not answer: {error}")
        text = json.dumps(answers, indent=1, default=str)
        kept = lab.store.keep(
            host="bucket",
            name="bucket",
            command=f"s3 {name}",
            rc=0,
            stdout=text,
            tool=f"boto3 {metadata.version('boto3')}",
        )
    found = lab.store.use(kept).json()
    retention = found["lock"].get("Rule", {}).get("DefaultRetention", {})
    return Bucket(
        region=found["region"] or "us-east-1",
        versioning=found["versioning"] or "never set",
        mode=retention.get("Mode", "not set"),
        days=int(retention.get("Days", 0)) + 365 * int(retention.get("Years", 0)),
    )


def _ask(s3: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - boto3 has no types
    try:
        lock = s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != UNSET:
            raise
        lock = {}
    return {
        "region": s3.get_bucket_location(Bucket=name)["LocationConstraint"],
        "versioning": s3.get_bucket_versioning(Bucket=name).get("Status"),
        "lock": lock,
    }
