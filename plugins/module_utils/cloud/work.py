# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One pass over an account: what differs is noted, and made unless only a plan is wanted."""

from __future__ import annotations

__all__ = ["MAKER", "Client", "Work", "client_of"]

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import Change, Declaration

MAKER = "art32.server"
READING = ("describe_", "get_", "list_", "can_paginate", "exceptions")


class Client:
    """A client whose questions are asked again when no answer comes, and whose changes are sent once.

    A change of which only the answer was lost would be made twice; the next pass finds what was made by its tags.
    """

    def __init__(self, reading: Any, writing: Any) -> None:  # noqa: ANN401 - boto3 has no types
        """Two clients of boto3 for one service."""
        self._reading, self._writing = reading, writing

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - boto3 has no types
        """The call of the client that it belongs to."""
        return getattr(self._reading if name.startswith(READING) else self._writing, name)


def client_of(session: Any, service: str) -> Client:  # noqa: ANN401 - boto3 has no types
    """A service's client in a session of boto3."""
    once = import_module("botocore.config").Config(retries={"total_max_attempts": 1})
    return Client(session.client(service), session.client(service, config=once))


@dataclass
class Work:
    """The clients of AWS's API, the declaration, and the changes so far. Dry: nothing is changed."""

    wanted: Declaration
    ec2: Any
    s3: Any
    dry: bool
    changes: list[Change] = field(default_factory=list)

    def note(self, change: Change) -> bool:
        """Note a change; whether it is to be made."""
        self.changes.append(change)
        return not self.dry

    def tags(self, name: str, **further: str) -> list[dict[str, str]]:
        """The tags of everything that is made: they are set with its creation, so nothing is ever lost sight of."""
        own = {"Name": f"{self.wanted.environment}-{name}", **self.owner, **further}
        return [{"Key": key, "Value": value} for key, value in own.items()]

    def specification(self, kind: str, name: str, **further: str) -> list[dict[str, Any]]:
        """Tags in the form that a creation takes them."""
        return [{"ResourceType": kind, "Tags": self.tags(name, **further)}]

    @property
    def owner(self) -> dict[str, str]:
        """By these two tags what was made is found again, and nothing else."""
        return {"art32_environment": self.wanted.environment, "art32_made_by": MAKER}

    def own(self, name: str | None = None) -> list[dict[str, Any]]:
        """Filters for what was made for this environment, or of it what has one name."""
        wanted = dict(self.owner) | ({"Name": f"{self.wanted.environment}-{name}"} if name else {})
        return [{"Name": f"tag:{key}", "Values": [value]} for key, value in wanted.items()]

    def find(self, call: str, key: str, name: str | None = None, **filters: list[str]) -> list[dict[str, Any]]:
        """What a describe call of EC2 tells of this environment, all its pages."""
        wanted = [*self.own(name), *({"Name": key, "Values": values} for key, values in filters.items())]
        if self.ec2.can_paginate(call):
            pages = self.ec2.get_paginator(call).paginate(Filters=wanted)
            return [item for page in pages for item in page[key]]
        return list(getattr(self.ec2, call)(Filters=wanted)[key])
