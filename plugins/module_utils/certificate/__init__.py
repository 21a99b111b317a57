# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates: what certbot keeps, what nginx serves, and how both compare with what is declared."""

from __future__ import annotations

from .lineage import (
    Authority,
    Certificate,
    CertificateError,
    Lineage,
    differences,
    issue,
    issue_command,
    mend,
    neglect,
    parse_openssl,
    parse_renewal,
    read_lineage,
)

__all__ = [
    "Authority",
    "Certificate",
    "CertificateError",
    "Lineage",
    "differences",
    "issue",
    "issue_command",
    "mend",
    "neglect",
    "parse_openssl",
    "parse_renewal",
    "read_lineage",
]
