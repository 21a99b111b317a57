"""What MDN's HTTP Observatory says of a service as nginx serves it; writes it, dated, to bench/results/.

Fails unless every test of the Observatory passes and the grade is A+. Needs Node.js 20 and npm.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.dated import keep

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "@mdn/mdn-http-observatory"
VERSION = "1.4.8"
# What its own step after the installation would fetch: the preload list, which no test host is on, and all TLDs.
LISTS = {"hsts-preload.json": "{}", "tld-list.json": "[]"}


def installed(place: Path) -> Path:
    """The package's folder, installed without running anything of it."""
    folder = place / "node_modules" / PACKAGE
    if not (folder / "package.json").exists():
        place.mkdir(parents=True, exist_ok=True)
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(["npm", "install", *quiet, f"{PACKAGE}@{VERSION}"], cwd=place, check=True)
    for name, content in LISTS.items():
        (folder / "conf" / name).write_text(content, encoding="utf-8")
    return folder


def facts(environment: Path, host: str, service: str) -> dict[str, str]:
    """Name, address and trusted roots of a service, as the environment declares them."""
    command = ["ansible-inventory", "-i", str(environment), "--host", host]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    variables: dict[str, Any] = json.loads(told)
    (domain,) = [entry["domain"] for entry in variables["services"] if entry["name"] == service]
    return {"name": domain, "address": variables["ansible_host"], "roots": variables.get("audit_trust_roots") or ""}


def scanned(folder: Path, known: dict[str, str]) -> dict[str, Any]:
    """What the Observatory finds.

    Raises SystemExit when it cannot look.
    """
    command = ["node", str(ROOT / "bench" / "observatory.mjs"), str(folder), known["name"], known["address"]]
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as roots:
        roots.write(known["roots"])
        roots.flush()
        environment = {**os.environ, "NODE_EXTRA_CA_CERTS": roots.name}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"observatory: {known['name']} at {known['address']} could not be scanned:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    """Scan, judge, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, default=ROOT / "inventories" / "demo")
    parser.add_argument("--host", default="server")
    parser.add_argument("--service", default="platform")
    options = parser.parse_args()
    known = facts(options.environment, options.host, options.service)
    found = scanned(installed(ROOT / ".cache" / "observatory"), known)
    told = {
        "grade": found["scan"]["grade"],
        "score": found["scan"]["score"],
        "tests": {
            name: {key: test[key] for key in ("pass", "result", "scoreModifier")}
            for name, test in sorted(found["tests"].items())
        },
    }
    result = keep(
        "observatory",
        f"{PACKAGE} {VERSION} of {options.service} through nginx",
        told,
    )
    print(json.dumps(result, indent=2))
    return 0 if result["grade"] == "A+" and all(test["pass"] for test in result["tests"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
