# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bucket for backups: versions that nobody deletes before their time, no public access, TLS only."""

from __future__ import annotations

__all__ = ["apply_bucket", "policy_of"]

import json
from typing import TYPE_CHECKING, Any

from .model import Change, CloudError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .work import Work

SHUT = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
ENCRYPTED = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
# Codes with which S3 says that something was never set.
UNSET = {
    "NoSuchTagSet",
    "NoSuchBucketPolicy",
    "NoSuchPublicAccessBlockConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
}


def apply_bucket(work: Work) -> None:
    """Make the bucket, or bring back what is promised of it.

    Raises CloudError when the name belongs to somebody else, or the bucket is in another region.
    """
    name, region = work.wanted.bucket, work.wanted.region
    place = _place(work)
    if place is None:
        if not work.note(Change(action="create", kind="bucket", name=name, detail=f"object lock, in {region}")):
            return
        work.s3.create_bucket(
            Bucket=name,
            ObjectLockEnabledForBucket=True,
            CreateBucketConfiguration={"LocationConstraint": region},
        )
    elif place != region:
        raise CloudError(f"The bucket {name} is in {place or 'us-east-1'}, not in {region} (cloud_bucket)")
    for kind, loaded, wanted, put in _parts(work):
        have = _get(loaded)
        if have != wanted and work.note(Change(action="change", kind="bucket", name=name, detail=kind)):
            put(wanted)


def policy_of(bucket: str) -> dict[str, Any]:
    """Everything that does not come over TLS is refused."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OnlyOverTls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


Part = tuple[str, "Callable[[], Any]", "Any", "Callable[[Any], Any]"]


def _parts(work: Work) -> list[Part]:
    """What is promised of the bucket: in words, how it is read, what it has to be, how it is set."""
    s3, bucket = work.s3, {"Bucket": work.wanted.bucket}
    retention = {"Mode": "COMPLIANCE", "Days": work.wanted.lock_days}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}

    def locked() -> dict[str, Any]:
        found = s3.get_object_lock_configuration(**bucket)["ObjectLockConfiguration"]
        rule = found.get("Rule", {}).get("DefaultRetention", {})
        return {key: rule.get(key) for key in retention}

    tags = sorted(work.tags("backups"), key=lambda tag: tag["Key"])
    return [
        (
            "tags",
            lambda: sorted(s3.get_bucket_tagging(**bucket)["TagSet"], key=lambda tag: str(tag["Key"])),
            tags,
            lambda wanted: s3.put_bucket_tagging(**bucket, Tagging={"TagSet": wanted}),
        ),
        (
            "no public access",
            lambda: s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"],
            SHUT,
            lambda wanted: s3.put_public_access_block(**bucket, PublicAccessBlockConfiguration=wanted),
        ),
        (
            "versions are kept",
            lambda: s3.get_bucket_versioning(**bucket).get("Status"),
            "Enabled",
            lambda wanted: s3.put_bucket_versioning(**bucket, VersioningConfiguration={"Status": wanted}),
        ),
        (
            f"nobody deletes a version for {work.wanted.lock_days} days",
            locked,
            retention,
            lambda _: s3.put_object_lock_configuration(**bucket, ObjectLockConfiguration=lock),
        ),
        (
            "encrypted",
            lambda: _algorithms(s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]),
            _algorithms(ENCRYPTED),
            lambda _: s3.put_bucket_encryption(**bucket, ServerSideEncryptionConfiguration=ENCRYPTED),
        ),
        (
            "TLS only",
            lambda: json.loads(s3.get_bucket_policy(**bucket)["Policy"]),
            policy_of(work.wanted.bucket),
            lambda wanted: s3.put_bucket_policy(**bucket, Policy=json.dumps(wanted)),
        ),
    ]


def _algorithms(configuration: dict[str, Any]) -> list[str]:
    return [rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in configuration["Rules"]]


def _place(work: Work) -> str | None:
    """The region of the bucket; None when there is none."""
    try:
        return str(work.s3.get_bucket_location(Bucket=work.wanted.bucket)["LocationConstraint"] or "")
    except work.s3.exceptions.ClientError as error:
        code = _code(error)
        if code == "NoSuchBucket":
            return None
        if code in ("AccessDenied", "403"):
            raise CloudError(f"The bucket {work.wanted.bucket} belongs to somebody else (cloud_bucket)") from error
        raise


def _get(read: Callable[[], Any]) -> Any:  # noqa: ANN401 - as S3 has it
    try:
        return read()
    except Exception as error:
        if _code(error) in UNSET:
            return None
        raise


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
