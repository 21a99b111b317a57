"""What a scanner of others says of the whole site: Lynis, with the reasons for what it asks for and does not get."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controls.machine import Machine

PROFILE = Path(__file__).resolve().parents[2] / "controls" / "lynis.prf"
ENOUGH = 87
APT = "DEBIAN_FRONTEND=noninteractive apt-get -qq --yes -o DPkg::Lock::Timeout=120"
# Settings of the kernel that a container cannot make: all but its network's, as far as they are declared.
THE_MACHINES = r"sed -n '/^-net.ipv/!s/^-\([^ ]*\) = .*/skip-test=KRNL-6000:\1/p' /etc/sysctl.d/zz-art32.conf"


def test_lynis_has_no_warning_and_little_to_ask_for(server: Machine) -> None:
    # Security upgrades come each night; the image's packages are older.
    server.check_output("unattended-upgrade")
    server.check_output(f"{APT} install --no-install-recommends lynis")
    try:
        server.check_output("printf %%s %s >/etc/lynis/custom.prf", PROFILE.read_text(encoding="utf-8"))
        assert server.check_output(f"{THE_MACHINES} | tee --append /etc/lynis/custom.prf")
        server.check_output("lynis audit system --cronjob")
        report = server.check_output("cat /var/log/lynis-report.dat").splitlines()
    finally:
        server.check_output(f"{APT} purge lynis; rm -rf /etc/lynis /var/log/lynis*")
    said = [line.split("=", 1) for line in report if "=" in line]
    assert [value for key, value in said if key == "warning[]"] == []
    asked = [value for key, value in said if key == "suggestion[]"]
    assert int(dict(said)["hardening_index"]) >= ENOUGH, "\n".join(asked)
