# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a service may have otherwise than the sandbox has it."""

from __future__ import annotations

__all__ = ["GRANTS", "RESTRICTIONS", "is_sandbox", "sandbox_problem"]

from collections.abc import Mapping
from typing import Any

from .problems import nearest

# Each can be loosened by a service's `sandbox`; systemd.exec(5) tells their values. Addresses follow talks_to alone.
RESTRICTIONS = frozenset(
    {
        *("AmbientCapabilities", "CapabilityBoundingSet", "DevicePolicy", "KeyringMode", "LockPersonality"),
        *("MemoryDenyWriteExecute", "NoNewPrivileges", "PrivateDevices", "PrivateIPC", "PrivateTmp", "PrivateUsers"),
        *("ProcSubset", "ProtectClock", "ProtectControlGroups", "ProtectHome", "ProtectHostname", "ProtectKernelLogs"),
        *("ProtectKernelModules", "ProtectKernelTunables", "ProtectProc", "ProtectSystem", "RemoveIPC"),
        *("RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"),
        *("SystemCallArchitectures", "SystemCallErrorNumber", "SystemCallFilter", "UMask"),
    }
)
# What a service may be given besides: places of its own to write to, and limits.
GRANTS = frozenset(
    {
        *("CacheDirectory", "ReadWritePaths", "StateDirectory"),
        *("CPUQuota", "LimitNOFILE", "MemoryMax", "TasksMax"),
    }
)
KNOWN = RESTRICTIONS | GRANTS


def is_sandbox(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    """Whether a value is a mapping of known directives to texts, numbers or lists of texts."""
    return isinstance(value, Mapping) and all(name in KNOWN and _is_setting(text) for name, text in value.items())


def sandbox_problem(value: Any) -> str:  # noqa: ANN401 - what the operator wrote
    """What is allowed, told about this value."""
    allowed = "a mapping of directives of systemd.exec(5) to one line of text, or a list of lines, for systemd"
    if not isinstance(value, Mapping):
        return allowed
    unknown = next((str(name) for name in value if name not in KNOWN), None)
    if unknown is None:
        return f"{allowed}; yes and no in quotes"
    meant = nearest(unknown, KNOWN)
    return f"{unknown} cannot be set here; {f'did you mean {meant}?' if meant else 'docs/services.md has the list'}"


def _is_setting(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    lines = value if isinstance(value, list) else [value]
    return all(isinstance(line, str | int) and not isinstance(line, bool) and "\n" not in str(line) for line in lines)
