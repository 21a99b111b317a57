"""What is shut because a server does not need it: tried, as far as a container's own kernel namespaces go."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.environment import Environment
    from controls.machine import Machine

JOB = "/etc/cron.d/umask-of-jobs"
# A container has a network of its own, and else the kernel of its machine.
ITS_OWN = "net.ipv"
PASSWORD = "planted-4711"  # noqa: S105 - of an account that a test makes


@pytest.fixture(scope="module", autouse=True)
def told_by_cron(server: Machine) -> Iterator[str]:
    """Where cron tells its umask, within a minute that passes while the other tests run."""
    path = "/run/umask-of-jobs"
    server.check_output(f"rm -f {path}; printf '* * * * * root umask >{path}\\n' >{JOB}")
    yield path
    server.check_output(f"rm -f {JOB} {path}")


@pytest.fixture
def plain(server: Machine) -> Iterator[str]:
    """An account like anybody's, and one whose password it knows."""
    server.check_output("useradd --create-home --shell /bin/bash plain; useradd --create-home other")
    server.check_output("printf 'other:%%s\\n' %s | chpasswd", PASSWORD)
    yield "plain"
    server.check_output("userdel --remove plain; userdel --remove other")


def declared(server: Machine) -> dict[str, str]:
    """The kernel settings that the role wrote down."""
    lines = server.check_output("grep '^-' /etc/sysctl.d/zz-art32.conf").splitlines()
    return dict(line.removeprefix("-").split(" = ", 1) for line in lines)


def effective(server: Machine, settings: dict[str, str]) -> dict[str, set[str]]:
    """What the kernel says of settings, on every interface."""
    said: dict[str, set[str]] = {}
    for key in settings:
        path = "/proc/sys/" + key.replace("*", "\0").replace(".", "/").replace("\0", "*")
        said[key] = set(server.check_output(f"cat {path}").split("\n"))
    return said


def test_the_network_cannot_lead_the_host_astray(server: Machine) -> None:
    own = {key: value for key, value in declared(server).items() if key.startswith(ITS_OWN)}
    assert len(own) > 5
    assert effective(server, own) == {key: {value} for key, value in own.items()}


def test_what_a_container_cannot_set_is_known_and_stops_no_run(server: Machine) -> None:
    whole = {key: value for key, value in declared(server).items() if not key.startswith(ITS_OWN)}
    assert "kernel.kptr_restrict" in whole
    # The host's own tool reads every line, and reports none.
    applied = server.run("/usr/lib/systemd/systemd-sysctl --strict /etc/sysctl.d/zz-art32.conf")
    assert (applied.rc, applied.stderr) == (0, "")


def test_a_login_keeps_what_it_makes_to_itself(server: Machine, declaration: Environment, plain: str) -> None:
    assert server.check_output(f"runuser -l {plain} -c umask") == "0027"
    key, address = str(declaration.get("access_first_key")), server.check_output("hostname -I").split()[0]
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    mask = subprocess.check_output(["ssh", *options, "-i", key, f"admin@{address}", "umask"], text=True).strip()
    assert re.fullmatch(r"00[02]7", mask)  # an account's own group may be trusted with what is the account's
    assert server.check_output("useradd --create-home made; stat -c %a /home/made; userdel --remove made") == "700"


def test_nobody_looks_into_another_ones_home(server: Machine) -> None:
    # The first user's too, which a provider made.
    assert set(server.check_output("stat -c %a /home/*").split()) == {"700"}


def test_a_program_that_crashes_leaves_no_memory_behind(server: Machine, plain: str) -> None:
    assert server.check_output(f"runuser -l {plain} -c 'ulimit -Hc'") == "0"
    assert server.check_output("systemd-run --quiet --pipe --wait sh -c 'ulimit -Hc'") == "0"
    assert "Storage=none" in server.check_output("systemd-analyze cat-config systemd/coredump.conf")


def test_a_shell_that_waits_ends(server: Machine, plain: str) -> None:
    assert server.check_output(f"runuser -l {plain} -c 'echo $TMOUT'") == "1800"


def test_su_takes_nobody_to_another_account(server: Machine, plain: str) -> None:
    attempt = f"printf '%s\\n' {PASSWORD} | runuser -u {plain} -- su --command id other"
    refused = server.run("sh -c %s", attempt)
    assert refused.rc != 0, refused.stdout
    assert server.run("su --command id other").rc == 0  # root may
    server.check_output(f"usermod --append --groups root {plain}")
    assert "uid=" in server.check_output("sh -c %s", attempt)  # with the group the same words let it in


def test_only_root_has_jobs_of_its_own(server: Machine, plain: str) -> None:
    refused = server.run(f"runuser -u {plain} -- crontab -l")
    assert "not allowed" in refused.stderr
    assert "not allowed" not in server.run("crontab -l").stderr
    assert server.run(f"runuser -u {plain} -- ls /etc/cron.d").rc != 0


@pytest.mark.parametrize("module", ["usb-storage", "dccp", "cramfs", "firewire-ohci"])
def test_the_kernel_is_told_to_load_no_such_module(server: Machine, module: str) -> None:
    told = server.check_output("modprobe --showconfig")
    assert f"install {module.replace('-', '_')} /bin/false" in told.replace("-", "_")
    assert f"blacklist {module.replace('-', '_')}" in told.replace("-", "_")


def test_an_unneeded_service_does_not_start(server: Machine) -> None:
    refused = server.run("systemctl start rpcbind.socket")
    assert "masked" in refused.stderr


def test_a_banner_names_no_version(server: Machine) -> None:
    shown = server.check_output("cat /etc/issue /etc/issue.net")
    assert "forbidden" in shown
    assert "Debian" not in shown


def test_a_password_ages_and_a_person_does_not(server: Machine, plain: str) -> None:
    assert server.check_output(f"getent shadow {plain}").split(":")[3:5] == ["1", "365"]
    assert server.check_output("getent shadow jane").split(":")[4] in ("", "-1")


def test_a_jobs_umask_is_that_of_a_login(server: Machine, told_by_cron: str) -> None:
    end = time.monotonic() + 100
    while server.run("test -s %s", told_by_cron).rc != 0 and time.monotonic() < end:
        time.sleep(1)
    assert server.check_output(f"cat {told_by_cron}") == "0027", server.check_output("journalctl -u cron -n 20")
