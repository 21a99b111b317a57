"""What the roles lay down, as it has to be on a host.

Of the way in it is known from the roles' own folders; the other roles note on the host what they keep there.
"""

from __future__ import annotations

__all__ = [
    "CLOCK_AND_ALARMS",
    "SSHD_FOR_ROOT",
    "SSHD_OTHER",
    "UPGRADES",
    "files",
    "is_noted",
    "known_of_root",
    "of_root",
    "paths",
    "problems",
    "sshd_settings",
]

import base64
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml

from .evidence import NotAssessedError
from .judges import manifests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .environment import Environment
    from .machine import Machine

HERE = Path(__file__).parent
ROLES = HERE.parent / "roles"
# Whose files stand for which control; a role's folders are laid out like the host.
STATIC: Mapping[str, str] = {"NET-1": "firewall", "SSH-1": "sshd", "ACC-1": "sshd"}
# Which of them say who becomes root, and not who gets in.
RIGHTS = "/etc/sudoers"
# What stands for a control only where a variable says that it is there: the variable, and each role's files.
OPTIONAL: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "ACC-1": ("watch_host", (("sshd", "etc/sudoers.d/art32-auditor"), ("watch", "usr/local/lib/art32/*"))),
}
# Those that are filled from the declaration. What the firewall's say is compared as rules.
FILLED: Mapping[str, tuple[str, ...]] = {
    "SSH-1": ("etc/ssh/revocations", "etc/systemd/system/art32-revocations.service"),
}

# Of what every host has: what keeps its programs up to date, and what tells the time and of failures.
UPGRADES = ("/etc/apt/*", "/etc/systemd/system/apt-daily*", "apt-daily*", "unattended-upgrades")
CLOCK_AND_ALARMS = (
    *("/etc/localtime", "tzdata", "/etc/systemd/timesyncd*", "*systemd-timesyncd*"),
    *("*/art32/alert*", "*/art32-alert*", "/etc/art32/mail-roots.pem", "ca-certificates"),
)

# What sshd makes of its settings for root from anywhere, and of settings that it is given.
SSHD_FOR_ROOT = "sshd -T -C user=root,host=any,addr=203.0.113.9"
SSHD_SETTINGS = (
    "echo {0} | base64 -d | " + SSHD_FOR_ROOT + " -f /dev/stdin;"
    " echo {0} | base64 -d | cmp -s - /etc/ssh/sshd_config || echo '" + (SSHD_OTHER := "# the file is another") + "'"
)


def paths() -> list[str]:
    """Every path that is compared."""
    return [*(path for control in STATIC for path in (*_static(control), *_filled(control))), *_optional()]


def files(managed: Machine, control: str) -> dict[str, str]:
    """The digest that each file of a control has to have on a host, by its path; judged again, what it had to have.

    Raises NotAssessedError when an earlier audit did not keep it.
    """
    name, store = f"files-{control}-{managed.name}", managed.lab.store
    if not managed.lab.kept_only:
        managed.lab.declared(name, **_digests(managed, control))
    kept = store.find("declaration", name)
    if kept is None:
        raise NotAssessedError(f"which files {control} rests on was not kept")
    wanted: dict[str, str] = store.use(kept).json()
    return wanted


def problems(managed: Machine, role: str, *, only: Sequence[str] = ("*",), without: Sequence[str] = ()) -> list[str]:
    """What is wrong with the things that a role keeps, of which patterns choose some.

    Raises NotAssessedError where the role noted nothing.
    """
    found = manifests.problems(managed.observed("manifests").text, role, only=only, without=without)
    if found is None:
        raise NotAssessedError(f"what role {role} keeps was never noted on {managed.name}; site.yml does")
    return found


def is_noted(managed: Machine, role: str) -> bool:
    """Whether a role has noted what it keeps on a host."""
    return role in manifests.noted(managed.observed("manifests").text)


def known_of_root(managed: Machine, kind: Literal["programs", "files"]) -> list[str]:
    """Patterns of what may be there though no role laid it down, on any host and where the environment says so."""
    return [*of_root()[kind], *(entry["path"] for entry in managed.variable("audit_known_files", []))]


def of_root() -> dict[str, dict[str, str]]:
    """Patterns of what may be there on any host, each with the reason, by their kind."""
    known: dict[str, dict[str, str]] = yaml.safe_load((HERE / "of_root.yml").read_text(encoding="utf-8"))
    return known


def sshd_settings(environment: Environment, host: str) -> dict[str, str]:
    """The shell line that tells the declared settings of a host's SSH server, for each release of Debian."""
    variables = yaml.safe_load((ROLES / "sshd" / "vars" / "main.yml").read_text(encoding="utf-8"))
    found = {}
    for release, values in variables["__sshd_by_release"].items():
        own = {"__sshd_certificate": "yes", "__sshd_release": values}
        text = environment.render("sshd", "etc/ssh/sshd_config.j2", host, **own)
        found[f"sshd-declared-{release}"] = SSHD_SETTINGS.format(base64.b64encode(text.encode()).decode())
    return found


def _digests(managed: Machine, control: str) -> dict[str, str]:
    sources = _static(control)
    if control in OPTIONAL and managed.variable(OPTIONAL[control][0]):
        sources |= _chosen(control)
    digests = {path: sha256(source.read_bytes()).hexdigest() for path, source in sources.items()}
    for path, template in _filled(control).items():
        text = managed.lab.environment.render("sshd", template, managed.name)
        digests[path] = sha256(text.encode()).hexdigest()
    return digests


def _static(control: str) -> dict[str, Path]:
    optional, is_right = _optional(), control == "ACC-1"
    return {
        path: source
        for path, source in _below(STATIC[control]).items()
        if path not in optional and path.startswith(RIGHTS) == is_right
    }


def _optional() -> dict[str, Path]:
    return {path: source for control in OPTIONAL for path, source in _chosen(control).items()}


def _chosen(control: str) -> dict[str, Path]:
    patterns = OPTIONAL[control][1] if control in OPTIONAL else ()
    return {path: source for role, pattern in patterns for path, source in _below(role, pattern).items()}


def _below(role: str, pattern: str = "*") -> dict[str, Path]:
    root = ROLES / role / "files"
    # What Python leaves beside a program that was read on the controller is no part of the role.
    below = [path for path in root.rglob(pattern) if path.is_file() and path.parent.name != "__pycache__"]
    return {f"/{path.relative_to(root)}": path for path in below}


def _filled(control: str) -> dict[str, str]:
    return {f"/{name}": f"{name}.j2" for name in FILLED.get(control, ())}
