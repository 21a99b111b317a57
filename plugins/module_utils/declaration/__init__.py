# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The three declarations of an environment (network, people, services): checked and derived from, without Ansible."""

from __future__ import annotations

from .egress import check_egress, egress
from .network import addresses_of, check_exposure, check_management, exposure, managed_hosts
from .people import check_people, people_with
from .problems import DeclarationError, Problem, nearest
from .services import check_services, service, services_on

__all__ = [
    "DeclarationError",
    "Problem",
    "addresses_of",
    "check_egress",
    "check_exposure",
    "check_management",
    "check_people",
    "check_services",
    "egress",
    "exposure",
    "managed_hosts",
    "nearest",
    "people_with",
    "service",
    "services_on",
]
