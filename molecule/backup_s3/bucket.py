"""The bucket that playbooks/cloud.yml would make, and a key for it that may do what docs/restore.md says, no more.

    python bucket.py DIRECTORY BUCKET     DIRECTORY is the endpoint's, and gets the files endpoint, key and secret

From then on the endpoint asks for a signature, and allows what a key's policy allows. `owner` is a key for everything.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from importlib import import_module
from pathlib import Path
from ssl import create_default_context
from typing import Any

from ansible_collections.art32.server.plugins.module_utils.cloud.bucket import apply_bucket
from ansible_collections.art32.server.plugins.module_utils.cloud.model import Declaration
from ansible_collections.art32.server.plugins.module_utils.cloud.work import Work, client_of

REGION = "eu-central-1"
PAGE = Path(__file__).parents[2] / "docs" / "restore.md"
BUCKET_OF_PAGE = "provider-production-backups"


def policy(bucket: str) -> str:
    """The policy that the page shows, for another bucket."""
    [shown] = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    found = json.loads(shown.replace(BUCKET_OF_PAGE, bucket))
    # Whoever deletes many objects at once is asked by moto for a right on the bucket, by AWS for one on each object.
    for statement in found["Statement"]:
        statement["Resource"] = [f"arn:aws:s3:::{bucket}", statement["Resource"]]
    return json.dumps(found)


def main(directory: Path, bucket: str) -> None:
    """Make them."""
    settings = (directory / "config").read_text(encoding="utf-8")
    url = settings.split("endpoint_url = ")[1].strip()
    authority = directory / "authority.pem"
    session: Any = import_module("boto3").Session("testing", "testing", region_name=REGION)
    wanted = Declaration(
        environment="backup-s3",
        region=REGION,
        machines=(),
        image="",
        network="10.33.0.0/24",
        subnet_id="",
        public_key="",
        bucket=bucket,
        lock_days=1,
        management=[],
        exposure=[],
        groups={},
        addresses={},
    )
    apply_bucket(Work(wanted=wanted, ec2=None, s3=client_of(session, "s3"), dry=False))
    # moto refuses everything by a policy that denies anything, whatever its condition is; here it is TLS anyway.
    session.client("s3").delete_bucket_policy(Bucket=bucket)
    iam = session.client("iam")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    for user, allowed in {"owner": json.dumps(everything), "backup": policy(bucket)}.items():
        iam.create_user(UserName=user)
        iam.put_user_policy(UserName=user, PolicyName=user, PolicyDocument=allowed)
        made = iam.create_access_key(UserName=user)["AccessKey"]
        prefix = "" if user == "backup" else f"{user}-"
        (directory / f"{prefix}key").write_text(made["AccessKeyId"], encoding="utf-8")
        (directory / f"{prefix}secret").write_text(made["SecretAccessKey"], encoding="utf-8")
    (directory / "endpoint").write_text(url.removeprefix("https://"), encoding="utf-8")
    kind = {"Content-Type": "text/plain"}
    strict = urllib.request.Request(f"{url}/moto-api/reset-auth", data=b"0", headers=kind)  # noqa: S310 - our own
    urllib.request.urlopen(strict, context=create_default_context(cafile=str(authority))).close()  # noqa: S310 - our own


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
