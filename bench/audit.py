"""What audits of one host and of four cost: seconds of the clock, and of processor on the controller and the hosts.

Audits the demo's server alone, then together with three further machines of the demo (two of which the collection
never set up, so that they are asked everything and found wanting), as an operator does, each in a scratch copy of the
environment. Audits make no full port scans. Writes the medians, dated, to bench/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from bench.dated import keep

ROOT = Path(__file__).resolve().parent.parent
MACHINES = ROOT / "molecule" / "resources" / "machines.yml"
LOGIN = ("ansible_user", "ansible_ssh_private_key_file")
ONE, FOUR = ("server",), ("server", "backup", "acme", "sink")
SECONDS_ALLOWED = 5.0
RATIO_ALLOWED = 2.0


def declared(environment: Path, target: Path, hosts: tuple[str, ...]) -> None:
    """Copy an environment so that just these hosts are audited, seen from the same vantage hosts."""
    shutil.copytree(environment, target)
    inventory = yaml.safe_load((target / "hosts.yml").read_text(encoding="utf-8"))
    all_hosts, groups = inventory["all"]["hosts"], inventory["all"]["children"]
    vantage = {host for name in ("vantage_management", "vantage_visitor") for host in groups[name]["hosts"]}
    numbers = yaml.safe_load(MACHINES.read_text(encoding="utf-8"))["machines"]
    login = {name: all_hosts["visitor"][name] for name in LOGIN}
    for name in set(hosts) - set(all_hosts):
        addresses = [beside(address, numbers[name]["address"]) for address in all_hosts["server"]["network_addresses"]]
        all_hosts[name] = {"ansible_host": addresses[0], "network_addresses": addresses, **login}
    for name in set(all_hosts) - set(hosts) - vantage:
        del all_hosts[name]
    for group in groups.values():
        group["hosts"] = {host: given for host, given in group["hosts"].items() if host in all_hosts}
    (target / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")


def beside(address: str, number: int) -> str:
    """The address with another last part."""
    sign = ":" if ":" in address else "."
    return f"{address.rpartition(sign)[0]}{sign}{number}"


def of_hosts(prefix: str) -> float:
    """The seconds of processor that the test hosts have used since they started, all together."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    words = [*sudo, "podman", "stats", "--no-stream", "--format", "{{.Name}} {{.CPUNano}}"]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = [line.split() for line in told.splitlines()]
    return sum(int(nanoseconds) for name, nanoseconds in found if name.startswith(f"{prefix}-")) / 1e9


def audit(environment: Path, evidence: Path, prefix: str) -> tuple[dict[str, float], dict[str, Any]]:
    """Audit once: what it cost, and the report.

    Raises SystemExit when there is none.
    """
    before, own = of_hosts(prefix), resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    words = ["ansible-playbook", "-i", str(environment), "playbooks/audit.yml", "-e", f"audit_directory={evidence}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    # What is open fails an audit, as it has to; the costs are the same.
    if not (evidence / "latest" / "report.json").exists():
        raise SystemExit(f"bench: the audit failed:\n{done.stdout}\n{done.stderr}")
    controller = used.ru_utime + used.ru_stime - own.ru_utime - own.ru_stime
    cost = {"wall": seconds, "controller": controller, "hosts": of_hosts(prefix) - before}
    return cost, json.loads((evidence / "latest" / "report.json").read_text(encoding="utf-8"))


def measured(environment: Path, hosts: tuple[str, ...], rounds: int) -> dict[str, Any]:
    """Audit the hosts several times, after once for the logins and what is cached; the medians."""
    with tempfile.TemporaryDirectory(prefix="art32-audit-") as folder:
        declared(environment, Path(folder) / "production", hosts)
        given = (environment / "group_vars" / "all" / "testhosts.yml").read_text(encoding="utf-8")
        prefix = yaml.safe_load(given)["testhosts_prefix"]
        costs = []
        for number in range(rounds + 1):
            cost, report = audit(Path(folder) / "production", Path(folder) / "evidence" / str(number), prefix)
            if set(report["hosts"]) != set(hosts):
                raise SystemExit(f"bench: {report['hosts']} were audited, not {', '.join(hosts)}")
            told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in cost.items())
            print(f"==> bench: {len(hosts)} hosts, round {number} of {rounds}: {told}", flush=True)
            costs.append(cost)
    checks = sum(len(control["checks"]) for control in report["controls"])
    medians = {name: round(statistics.median(cost[name] for cost in costs[1:]), 2) for name in costs[0]}
    return {"hosts": list(hosts), "checks": checks, "seconds": medians}


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, default=ROOT / "inventories" / "demo")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    load = round(os.getloadavg()[0], 1)
    one, four = (measured(options.environment.resolve(), hosts, options.rounds) for hosts in (ONE, FOUR))
    ratio = four["seconds"]["wall"] / one["seconds"]["wall"]
    told = {
        "load_before": load,
        "one": one,
        "four": four,
        "seconds_allowed": SECONDS_ALLOWED,
        "ratio": round(ratio, 2),
        "ratio_allowed": RATIO_ALLOWED,
    }
    result = keep(
        "audit",
        "an audit that observes, of one host and of four; hosts and controller share this computer",
        told,
    )
    print(json.dumps(result, indent=2))
    return 0 if one["seconds"]["wall"] <= SECONDS_ALLOWED and ratio <= RATIO_ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
