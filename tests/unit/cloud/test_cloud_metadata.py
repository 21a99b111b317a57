"""LOC-1's question to the metadata service: asked with a token, as instances that want one need it."""

from __future__ import annotations

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from controls.sources import PLACEMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "token-4711"  # noqa: S105 - of a service that tells a region


class Metadata(BaseHTTPRequestHandler):
    """A metadata service that answers who has a token (IMDSv2)."""

    region: ClassVar[str] = "eu-central-1"

    def do_PUT(self) -> None:
        """Hand out the token to who names its life."""
        known = self.path == "/latest/api/token" and self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        self.answer(200 if known else 400, TOKEN)

    def do_GET(self) -> None:
        """Tell the region."""
        allowed = self.headers.get("X-aws-ec2-metadata-token") == TOKEN
        self.answer(200 if allowed else 401, self.region if allowed else "")

    def answer(self, status: int, text: str) -> None:
        """Send a short text."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Metadata) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def asked(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True, timeout=30)


def test_the_region_is_told_to_who_has_a_token(url: str) -> None:
    assert asked(PLACEMENT.format(url=url)).stdout == "eu-central-1"


def test_without_a_token_nothing_is_told(url: str) -> None:
    done = asked(f"curl --silent --show-error --fail {url}/latest/meta-data/placement/region")
    assert done.returncode != 0
    assert "401" in done.stderr


def test_a_service_that_does_not_answer_is_a_failure() -> None:
    assert asked(PLACEMENT.format(url="http://127.0.0.1:1")).returncode != 0
