# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the names' CAA records (RFC 8659) let the directory issue for them."""

from __future__ import annotations

__all__ = ["Record", "caa_problems", "forbidding", "parse_answers"]

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

QUERY_SECONDS = 60
CRITICAL = 128
KNOWN = ("issue", "issuewild", "issuemail", "iodef", "contactemail", "contactphone", "issuevmc")
# Run by certbot's own interpreter, whose environment has dnspython. What cannot be asked forbids nothing here.
QUERY = """
import json, sys
import dns.exception, dns.name, dns.resolver
resolver = dns.resolver.Resolver()
resolver.lifetime = 5
found = {}
for text in sys.argv[1:]:
    name = dns.name.from_text(text)
    while name != dns.name.root and text not in found:
        try:
            answer = resolver.resolve(name, "CAA", search=False)
            records = [[record.flags, record.tag.decode(), record.value.decode()] for record in answer]
            found[text] = [name.to_text(omit_final_dot=True), records]
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            name = name.parent()
        except dns.exception.DNSException:
            break
print(json.dumps(found))
"""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One CAA record."""

    flags: int
    tag: str
    value: str

    @property
    def issuer(self) -> str:
        """Whom it lets issue; empty for nobody."""
        return self.value.partition(";")[0].strip().lower()

    def lets(self, identities: Collection[str], method: str) -> bool:
        """Whether it lets one of these issue after this validation; of a directory without a name, any."""
        settings = {
            key.strip(): value.strip() for key, _, value in (part.partition("=") for part in self.value.split(";")[1:])
        }
        methods = settings.get("validationmethods", method).split(",")
        return (self.issuer in identities if identities else bool(self.issuer)) and method in methods


def caa_problems(python: Path, domains: Iterable[str], identities: Collection[str], method: str) -> list[str]:
    """Names for which the directory may not issue. An empty list as well when nobody can be asked."""
    asked = {domain: domain.removeprefix("*.") for domain in domains}
    try:
        done = subprocess.run(
            [str(python), "-c", QUERY, *sorted(set(asked.values()))],
            capture_output=True,
            text=True,
            check=True,
            timeout=QUERY_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    answers = parse_answers(done.stdout)
    problems = []
    for domain, name in asked.items():
        at, records = answers.get(name, ("", []))
        told = forbidding(records, identities, method=method, wildcard=domain.startswith("*."))
        if told:
            whom = " or ".join(identities) or "everybody"
            problems.append(
                f"the CAA record of {at} ({told}) forbids {whom} to issue for {domain} by {method}: add one that"
                " lets it, or take the record away"
            )
    return problems


def parse_answers(text: str) -> dict[str, tuple[str, list[Record]]]:
    """The query's answer: for each name, where records were found and which."""
    told: dict[str, Any] = json.loads(text)
    return {
        name: (at, [Record(flags=flags, tag=tag.lower(), value=value) for flags, tag, value in records])
        for name, (at, records) in told.items()
    }


def forbidding(records: Sequence[Record], identities: Collection[str], *, method: str, wildcard: bool) -> str:
    """The records that forbid the issue, as text; empty when it is allowed (RFC 8659, section 4)."""
    unknown = [record for record in records if record.flags & CRITICAL and record.tag not in KNOWN]
    if unknown:
        return _listed(unknown)
    wild = [record for record in records if record.tag == "issuewild"] if wildcard else []
    relevant = wild or [record for record in records if record.tag == "issue"]
    if not relevant or any(record.lets(identities, method) for record in relevant):
        return ""
    return _listed(relevant)


def _listed(records: Iterable[Record]) -> str:
    return ", ".join(f'{record.tag} "{record.value}"' for record in records)
