"""Whoever acts as root, or becomes it, beside the declared people: each way is seen, and named."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

import pytest

from tests.mutants.trial import Console, audit, repair
from tests.resumable import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from controls.environment import Environment

SERVICE, TIMER = (
    "[Service]\\nExecStart=/bin/true\\n",
    "[Timer]\\nOnCalendar=yearly\\n[Install]\\nWantedBy=timers.target\\n",
)
STARTED = " systemctl daemon-reload; systemctl enable -q --now stranger.timer"
KEPT = "/root/kept"
SOURCES = "/etc/apt/sources.list"
# How many are tried at a time: what the audit says of more is cut off.
ROW = 4
# By what the audit says of it: what is done, and what undoes it. `kept` is a copy of a file as it was.
WAYS: Mapping[str, tuple[str, str]] = {
    "/usr/local/lib/x.so is loaded into every program": (
        "cp /lib/x86_64-linux-gnu/libm.so.6 /usr/local/lib/x.so; echo /usr/local/lib/x.so >/etc/ld.so.preload",
        "rm /etc/ld.so.preload /usr/local/lib/x.so",
    ),
    "LD_LIBRARY_PATH is set for every session": (
        "kept /etc/environment; echo LD_LIBRARY_PATH=/tmp >>/etc/environment",
        "restored /etc/environment",
    ),
    "joe is in the group disk": ("usermod -aG disk joe", "gpasswd -d joe disk"),
    "www-data is in the group shadow": ("usermod -aG shadow www-data", "gpasswd -d www-data shadow"),
    "toor is root by another name": ("echo toor:x:0:0::/root:/bin/sh >>/etc/passwd", "sed -i /^toor:/d /etc/passwd"),
    "/srv/.shell runs with rights of its own": (
        "cp /bin/sh /srv/.shell; chmod 4755 /srv/.shell",
        "rm /srv/.shell",
    ),
    "/usr/bin/find runs with rights of its own": ("chmod u+s /usr/bin/find", "chmod u-s /usr/bin/find"),
    "/usr/local/bin/shell runs with rights of its own (cap_setuid=ep": (
        "cp /bin/sh /usr/local/bin/shell; setcap cap_setuid+ep /usr/local/bin/shell",
        "rm /usr/local/bin/shell",
    ),
    "others than root can change /etc/group": ("chmod 666 /etc/group", "chmod 644 /etc/group"),
    "anybody can read /etc/shadow": ("chmod 644 /etc/shadow", "chmod 640 /etc/shadow"),
    "PAM asks a stranger at each login: auth sufficient pam_permit.so": (
        "kept /etc/pam.d/common-auth; sed -i '1i auth sufficient pam_permit.so' /etc/pam.d/common-auth",
        "restored /etc/pam.d/common-auth",
    ),
    "/etc/pam.d/sshd is not as its package has it": (
        "kept /etc/pam.d/sshd; echo 'session optional pam_exec.so /bin/true' >>/etc/pam.d/sshd",
        "restored /etc/pam.d/sshd",
    ),
    "/etc/cron.d/stranger comes from no package": (
        "echo '0 0 1 1 * root true' >/etc/cron.d/stranger",
        "rm /etc/cron.d/stranger",
    ),
    "/var/spool/cron/crontabs/www-data comes from no package": (
        "install -d /var/spool/cron/crontabs; echo '0 0 1 1 * true' >/var/spool/cron/crontabs/www-data",
        "rm /var/spool/cron/crontabs/www-data",
    ),
    "/etc/systemd/system/stranger.timer comes from no package": (
        f"cd /etc/systemd/system; printf '{TIMER}' >stranger.timer; printf '{SERVICE}' >stranger.service;{STARTED}",
        "systemctl disable -q --now stranger.timer; rm /etc/systemd/system/stranger.*; systemctl daemon-reload",
    ),
    "/etc/systemd/system/multi-user.target.wants/stranger.service leads to /srv/stranger.service": (
        "ln -s /srv/stranger.service /etc/systemd/system/multi-user.target.wants/stranger.service",
        "rm /etc/systemd/system/multi-user.target.wants/stranger.service",
    ),
    "/etc/systemd/system/art32-stranger.service comes from no package": (
        f"printf '{SERVICE}' >/etc/systemd/system/art32-stranger.service",
        "rm /etc/systemd/system/art32-stranger.service",
    ),
    "/run/systemd/system/stranger.service comes from no package": (
        f"install -d /run/systemd/system; printf '{SERVICE}' >/run/systemd/system/stranger.service",
        "rm /run/systemd/system/stranger.service",
    ),
    "/var/lib/systemd/linger/joe comes from no package": (
        "install -d /var/lib/systemd/linger; touch /var/lib/systemd/linger/joe",
        "rm /var/lib/systemd/linger/joe",
    ),
    "/etc/systemd/journald.conf.d/stranger.conf comes from no package": (
        "printf '[Journal]\\nStorage=none\\n' >/etc/systemd/journald.conf.d/stranger.conf",
        "rm /etc/systemd/journald.conf.d/stranger.conf",
    ),
    "/etc/profile.d/stranger.sh comes from no package": (
        "echo true >/etc/profile.d/stranger.sh",
        "rm /etc/profile.d/stranger.sh",
    ),
    "/etc/apt/sources.list.d/stranger.list comes from no package": (
        "echo '# deb [trusted=yes] http://192.0.2.1/ x main' >/etc/apt/sources.list.d/stranger.list",
        "rm /etc/apt/sources.list.d/stranger.list",
    ),
    "apt believes anybody: deb [trusted=yes] http://192.0.2.1/ x main": (
        f"echo 'deb [trusted=yes] http://it:secret@192.0.2.1/ x main' >>{SOURCES}",
        f"sed -i /192.0.2.1/d {SOURCES}",
    ),
    "apt believes /srv/stranger.asc: deb [signed-by=/srv/stranger.asc] http://192.0.2.1/ x main": (
        f"echo 'deb [signed-by=/srv/stranger.asc] http://192.0.2.1/ x main' >>{SOURCES}",
        f"sed -i /192.0.2.1/d {SOURCES}",
    ),
    "/etc/profile is not as its package has it": (
        "kept /etc/profile; echo true >>/etc/profile",
        "restored /etc/profile",
    ),
    "joe administers the group disk": ("gpasswd -A joe disk", "gpasswd -A '' disk"),
    "the group disk has a password": ("echo disk:word | chgpasswd", "gpasswd -r disk"),
    "/etc/apt/trusted.gpg.d/stranger.asc comes from no package": (
        "touch /etc/apt/trusted.gpg.d/stranger.asc",
        "rm /etc/apt/trusted.gpg.d/stranger.asc",
    ),
    "joe is in the group adm": ("usermod -aG adm joe", "gpasswd -d joe adm"),
    "joe may use sudo": (
        'echo "%#$(id -g joe) ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/stranger',
        "rm /etc/sudoers.d/stranger",
    ),
    "whoever /srv/stranger names may use sudo": (
        "touch /srv/stranger; echo '#include /srv/stranger' >/etc/sudoers.d/included",
        "rm /etc/sudoers.d/included /srv/stranger",
    ),
    "/etc/sudoers.d/link is no declared file": (
        "ln -s /dev/null /etc/sudoers.d/link",
        "rm /etc/sudoers.d/link",
    ),
    "/run/systemd/transient/stranger.timer comes from no package": (
        "systemd-run -q --unit=stranger --on-calendar=yearly true",
        "systemctl stop stranger.timer",
    ),
    "/usr/lib/systemd/system/ssh.service.d/stranger.conf comes from no package": (
        "cd /usr/lib/systemd/system; install -d ssh.service.d; touch ssh.service.d/stranger.conf",
        "rm -r /usr/lib/systemd/system/ssh.service.d",
    ),
    "PAM lets in whom nothing lets in: password": (
        "kept /etc/pam.d/common-password; sed -i /pam_deny/d /etc/pam.d/common-password",
        "restored /etc/pam.d/common-password",
    ),
    "/usr/local/sbin/stranger comes from no package": (
        "touch /usr/local/sbin/stranger",
        "rm /usr/local/sbin/stranger",
    ),
}
SHELL = f"""
kept() {{ install -d {KEPT}; cp -p "$1" "{KEPT}/$(basename "$1")"; }}
restored() {{ cat "{KEPT}/$(basename "$1")" >"$1"; rm "{KEPT}/$(basename "$1")"; }}
"""


@pytest.fixture
def ways(request: pytest.FixtureRequest, declaration: Environment) -> Iterator[Sequence[str]]:
    """Some of the ways, which are open on the server until the test ends."""
    console, opened = Console(declaration, "server"), request.param
    for way in opened:
        console(f"{SHELL}{WAYS[way][0]}")
    yield opened
    for way in reversed(opened):
        console(f"{SHELL}{WAYS[way][1]}")


@pytest.mark.parametrize(
    "ways", [list(WAYS)[start : start + ROW] for start in range(0, len(WAYS), ROW)], indirect=True, ids=itemgetter(0)
)
def test_every_way_to_act_as_root_is_seen_and_named(
    ways: Sequence[str], declaration: Environment, tmp_path: Path
) -> None:
    found = audit(declaration.directory, "server", tmp_path / "ways", areas=["people"])
    assert set(found) == {"ACC-1"}
    said = "\n".join(found["ACC-1"])
    assert not [way for way in ways if way not in said], said


def test_what_undoes_changes_is_seen_when_it_was_changed_and_laid_down_again(
    declaration: Environment, tmp_path: Path
) -> None:
    Console(declaration, "server")("echo >>/usr/local/sbin/art32-revert")
    found = audit(declaration.directory, "server", tmp_path / "changed", areas=["people"])
    assert set(found) == {"ACC-1"}
    assert "/usr/local/sbin/art32-revert is not what was declared" in found["ACC-1"][0]
    repaired = repair(declaration.directory, CHECKOUT / "site.yml")
    changes = [change for _, change in repaired.changes]
    assert changes == ["Lay down /usr/local/sbin/art32-revert again: it is not what was laid down"], repaired.output
    assert audit(declaration.directory, "server", tmp_path / "repaired", areas=["people"]) == {}


def test_nobody_acts_as_root_unseen_on_hosts_as_they_were_declared(declaration: Environment, tmp_path: Path) -> None:
    for host in ("server", "backup"):
        assert audit(declaration.directory, host, tmp_path / host, areas=["people"]) == {}
