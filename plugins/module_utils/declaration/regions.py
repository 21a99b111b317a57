# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where machines, disks and backups may stand."""

from __future__ import annotations

__all__ = ["AWS_REGIONS", "check_regions", "is_aws_region"]

from typing import Any

from .fields import matches
from .problems import Problem

# AWS regions inside the European Union. London (eu-west-2) and Zurich (eu-central-2) are not.
# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
AWS_REGIONS = ("eu-central-1", "eu-west-1", "eu-west-3", "eu-north-1", "eu-south-1", "eu-south-2", "eusc-de-east-1")

is_aws_region = matches(r"[a-z]{2,4}(-[a-z]+)+-[0-9]")


def check_regions(value: Any) -> list[Problem]:  # noqa: ANN401 - what the operator wrote
    """Regions of art32_regions_allowed that AWS has outside the European Union; other clouds name theirs otherwise."""
    if not isinstance(value, list):
        return []
    allowed = f"a region inside the European Union, on AWS {', '.join(AWS_REGIONS)}"
    return [
        Problem(variable=f"art32_regions_allowed[{index}]", value=region, allowed=allowed)
        for index, region in enumerate(value)
        if is_aws_region(region) and region not in AWS_REGIONS
    ]
