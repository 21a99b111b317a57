"""JOB-1 at the provider: what the annex refers to is there to be read."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .marks import control
from .web import Client

if TYPE_CHECKING:
    from .environment import Environment
    from .machine import Machine

OK = 200
# With the vantage host's own Python: it has no other program for sure.
ASK = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=15).status)"


@control("JOB-1")
def test_privacy_policy_answers(web: Machine, visitor: Machine, declaration: Environment) -> None:
    url = declaration.get("provider_privacy_url", "")
    web.lab.declared("privacy", provider_privacy_url=url)
    assert url, "provider_privacy_url is not declared; the annex refers to no privacy policy."
    where = urlsplit(url)
    if where.hostname in {service["domain"] for service in declaration.services}:
        status = Client(visitor, web.addresses[0], str(where.hostname)).get(where.path or "/").status
        assert status == OK, f"{url} answers {status} (provider_privacy_url)."
    else:
        told = visitor.fetch("privacy-policy", shlex.join(["python3", "-c", ASK, url]))
        said = told.stdout.strip() or (told.stderr.strip().splitlines() or ["nothing"])[-1]
        assert said == str(OK), f"{url} answers {said} (provider_privacy_url)."
