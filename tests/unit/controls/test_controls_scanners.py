"""What scanners print, as their own ids: what was evaluated, what failed, what is waived."""

from __future__ import annotations

import json

import pytest

from controls.judges import scanners
from controls.scanners import KNOWN

NMAP = "# Nmap 7.95 scan initiated as: nmap -n -Pn -sT -p- -oG - 192.0.2.1\nHost: 192.0.2.1 ()\tPorts: {}\n# Nmap done"
LYNIS = "lynis_version=3.1.4\ntests_executed=SSH-7408|FIRE-4512|\n{}hardening_index={}\n"
UNIT = "\N{RIGHTWARDS ARROW} Overall exposure level for {}: {} OK\n"


def test_a_port_that_is_not_declared_is_found() -> None:
    printed = NMAP.format("22/open/tcp//ssh///, 80/closed/tcp//http///, 8081/open/tcp//x///")
    assert scanners.nmap(printed, {22, 80}).failed == {"8081/tcp": "is open"}
    with pytest.raises(ValueError, match="did not come to its end"):
        scanners.nmap("Failed to resolve", set())


def test_a_policy_of_ssh_audit_names_what_differs() -> None:
    errors = [{"mismatched_field": "Ciphers", "actual": ["aes128-cbc"], "expected_required": ["x"]}]
    found = scanners.ssh_audit(json.dumps({"policy": "Hardened", "passed": False, "errors": errors}))
    assert found.failed == {"Ciphers": "is aes128-cbc"}
    assert "Hardened" in found.evaluated


def test_testssl_has_to_give_the_best_grade() -> None:
    fine = {"id": "overall_grade", "severity": "OK", "finding": "A+"}
    grave = {"id": "cert_revocation", "severity": "HIGH", "finding": "no list"}
    assert scanners.testssl(json.dumps([fine])).failed == {}
    assert scanners.testssl(json.dumps([{**fine, "finding": "B"}, grave])).failed == {
        "overall_grade": "B",
        "cert_revocation": "no list",
    }
    with pytest.raises(ValueError, match="no grade"):
        scanners.testssl("[]")


def test_the_observatory_has_to_pass_each_test_with_the_best_grade() -> None:
    told = {"scan": {"grade": "A+"}, "tests": {"cookies": {"pass": True, "result": "none"}}}
    assert scanners.observatory(json.dumps(told)).failed == {}
    told = {"scan": {"grade": "B"}, "tests": {"cookies": {"pass": False, "result": "cookies-without-secure-flag"}}}
    assert scanners.observatory(json.dumps(told)).failed == {"grade": "B", "cookies": "cookies-without-secure-flag"}
    with pytest.raises(ValueError, match="Expecting value"):
        scanners.observatory("Error: connect ECONNREFUSED")


def test_sslyze_says_what_is_not_compliant() -> None:
    assert scanners.sslyze("x: OK - Compliant.", "modern").failed == {}
    said = "x: FAILED - Not compliant.\n            * tls_versions: TLSv1 is supported\n"
    assert scanners.sslyze(said, "modern").failed == {"modern": "tls_versions: TLSv1 is supported"}
    with pytest.raises(ValueError, match="did not judge"):
        scanners.sslyze("", "modern")


def test_lynis_may_warn_of_nothing_and_has_to_reach_its_index() -> None:
    assert scanners.lynis(LYNIS.format("", 87), 87).failed == {}
    assert scanners.lynis(LYNIS.format("warning[]=PKGS-7392|Vulnerable packages|-|-|\n", 86), 87).failed == {
        "PKGS-7392": "Vulnerable packages",
        "hardening_index": "is 86, 87 is asked for",
    }
    with pytest.raises(ValueError, match="no index"):
        scanners.lynis("", 87)


def test_what_lynis_left_out_is_told_with_its_reason() -> None:
    found = scanners.lynis(LYNIS.format("", 87) + "skipped[]=USB-3000\nskipped[]=KRNL-6000:kernel.sysrq\n", 87)
    assert found.told({"USB-3000": "there is no socket"})["waived"] == {
        "KRNL-6000:kernel.sysrq": "a container's kernel is the machine's",
        "USB-3000": "there is no socket",
    }


def test_each_test_that_lynis_leaves_out_has_its_reason() -> None:
    reasons = KNOWN["lynis"]
    assert len(reasons) == 10
    assert all(reason.endswith(".") for reason in reasons.values()), reasons


def test_a_unit_is_judged_by_the_first_beginning_that_fits() -> None:
    printed = UNIT.format("nginx.service", "2.5") + UNIT.format("art32-x.service", "1.6")
    assert scanners.exposure(printed, {"art32-x": 1.5, "": 2.5}).failed == {"art32-x.service": "is 1.6, 1.5 is allowed"}
    with pytest.raises(ValueError, match="no unit"):
        scanners.exposure("", {"": 2.5})


def test_what_is_waived_is_told_apart() -> None:
    found = scanners.Findings(evaluated=["b", "a"], failed={"a": "is wrong", "b": "is known"})
    assert found.told({"b": "jane, until 2099: so be it", "c": "nothing"}) == {
        "evaluated": ["a", "b"],
        "failed": {"a": "is wrong"},
        "waived": {"b": "jane, until 2099: so be it"},
    }
