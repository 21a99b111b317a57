"""What TLS scanners, run as they come, say of what is served."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from controls.machine import Machine

GRAVE = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")
# Pebble's certificates name no place to ask whether they were revoked; Let's Encrypt's name a list.
NO_REVOCATION = {"cert_revocation"}


def test_sslyze_finds_mozillas_intermediate_policy_kept(visitor: Machine, root: str, name: str) -> None:
    command = f"/opt/sslyze/bin/python -m sslyze --mozilla_config=intermediate --certinfo_ca_file={root}"
    said = visitor.run(f"{command} {name}")
    assert said.rc == 0, said.stdout[-3000:]
    assert "OK - Compliant" in said.stdout
    # It would see a fault: the modern policy is another one.
    other = visitor.run(f"{command.replace('intermediate', 'modern')} {name}")
    assert other.rc == 1
    assert "FAILED - Not compliant" in other.stdout


@pytest.mark.long
def test_testssl_grades_a_plus(server: Machine, visitor: Machine, root: str, name: str) -> None:
    visitor.run("rm -f /tmp/testssl.json")
    options = f"--quiet --color 0 --warnings off --ip one --add-ca {root} --jsonfile /tmp/testssl.json"
    said = visitor.run(f"testssl {options} https://{name} </dev/null")
    findings = json.loads(visitor.check_output("cat /tmp/testssl.json"))
    grades = [finding["finding"] for finding in findings if finding["id"] == "overall_grade"]
    assert grades == ["A+"], said.stdout[-3000:]
    grave = {finding["id"]: finding["finding"] for finding in findings if finding["severity"] in GRAVE}
    assert grave.keys() <= NO_REVOCATION, grave
    hsts = {finding["id"]: finding["finding"] for finding in findings if finding["id"].startswith("HSTS")}
    assert f"(={server.variable('nginx_hsts_max_age')} seconds)" in hsts["HSTS_time"]


def test_the_hybrid_group_is_agreed_on_or_the_classic_one(server: Machine, visitor: Machine, name: str) -> None:
    command = f"openssl s_client -groups X25519MLKEM768:X25519 -connect {server.addresses[0]}:443 -servername {name}"
    said = visitor.check_output(f"{command} </dev/null 2>/dev/null")
    group = "X25519MLKEM768" if server.system_info.codename == "trixie" else "X25519,"
    assert f"group: {group}" in said or f"Temp Key: {group}" in said, said
