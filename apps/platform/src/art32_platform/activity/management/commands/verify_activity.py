"""`platform-manage verify_activity`: whether the log is what was written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from art32_platform.activity.chain import Head, read_head, verify

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = ["Command"]

STANDARD_INPUT = Path("-")


class Command(BaseCommand):
    """Verifies the chain of hashes; reads, and changes nothing. Prints JSON, and names the first bad row."""

    help = "Verify the activity log: its chain of hashes, and the heads of it that were kept elsewhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("--head", action="append", default=[], metavar="NUMBER:HASH", help="a head that was kept")
        parser.add_argument(
            "--heads", type=Path, metavar="FILE", help="a file of them, each at the end of a line; - for standard input"
        )

    def handle(self, *, head: list[str], heads: Path | None, **_: Any) -> None:  # noqa: ANN401 - Django's signature
        """Do it.

        Raises CommandError when the log is not what was written, or a head is none.
        """
        verdict = verify(connection, _kept(head, heads))
        self.stdout.write(json.dumps({"intact": not verdict.problem, "head": str(verdict.head)}))
        if verdict.problem:
            place = f"row {verdict.row}" if verdict.row is not None else f"link {verdict.link}"
            raise CommandError(f"The activity log is not intact. First bad: {place}: {verdict.problem}.")


def _kept(words: list[str], file: Path | None) -> list[Head]:
    try:
        return [read_head(text) for text in (*words, *(line.split()[-1] for line in _lines(file) if line.strip()))]
    except (OSError, ValueError) as error:
        raise CommandError(str(error)) from error


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    return sys.stdin.readlines() if file == STANDARD_INPUT else file.read_text(encoding="utf-8").splitlines()
