"""Which pinned packages have known vulnerabilities today; writes it, dated, to bench/results/.

Asks PyPI through pip-audit, so it needs the network and is no part of `make test`: what is known changes without any
change here. Fails when there is one, and when a package could not be asked about.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from bench.dated import keep

ROOT = Path(__file__).resolve().parent.parent
PIP_AUDIT = "pip-audit==2.10.1"
PLACE = ROOT / ".cache" / "pip-audit"
LISTS = ("apps/platform/requirements.txt", "requirements/controller.txt", "requirements/development.txt")


def program() -> Path:
    """pip-audit, in an environment of its own."""
    found = PLACE / "bin" / "pip-audit"
    if not found.exists():
        venv.create(PLACE, with_pip=True)
        subprocess.run([PLACE / "bin" / "pip", "install", "--quiet", PIP_AUDIT], check=True)
    return found


def asked(requirements: str) -> dict[str, Any]:
    """What is known of the packages of one list.

    Raises SystemExit when nothing could be asked at all.
    """
    words = ["-r", requirements, "--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json"]
    done = subprocess.run([program(), *words], cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        raise SystemExit(f"vulnerabilities: {requirements} could not be asked about:\n{done.stderr[-2000:]}") from None
    return {
        "packages": len(packages),
        "vulnerable": {
            f"{package['name']} {package['version']}": {
                known["id"]: known["fix_versions"] or "no version without it" for known in package["vulns"]
            }
            for package in packages
            if package.get("vulns")
        },
        "not_asked": sorted(package["name"] for package in packages if "skip_reason" in package),
    }


def main() -> int:
    """Ask, keep, judge."""
    found = {name: asked(name) for name in LISTS}
    keep(
        "vulnerabilities",
        f"known vulnerabilities of the pinned packages, by {PIP_AUDIT}",
        found,
    )
    for name, facts in found.items():
        told = f"{name}: {facts['packages']} packages, {len(facts['vulnerable'])} vulnerable, "
        print(told + f"{len(facts['not_asked'])} not asked about")
    return 1 if any(facts["vulnerable"] or facts["not_asked"] for facts in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
