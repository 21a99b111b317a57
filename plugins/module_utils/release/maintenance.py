# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A service that is stopped because a migration needs it: nginx says so meanwhile."""

from __future__ import annotations

__all__ = ["NEEDED", "begin", "end", "is_on"]

from pathlib import Path

# What a migration exits with to say that it cannot run beside the service (EX_TEMPFAIL of sysexits.h).
NEEDED = "75"
FLAGS = Path("/run/art32-maintenance")
ENVIRONMENT = Path("/run/art32")


def is_on(name: str, *, environment: Path = ENVIRONMENT) -> bool:
    """Whether a release stopped the service; what `art32-maintenance on` says is its operator's."""
    return (environment / f"{name}.maintenance").exists()


def begin(name: str, *, flags: Path = FLAGS, environment: Path = ENVIRONMENT) -> None:
    """Have nginx answer 503 for the service, and the next migration know that it may do what it needs.

    The release's own note comes first and goes last: a flag without one is an operator's, and stays.
    """
    environment.mkdir(mode=0o755, exist_ok=True)
    (environment / f"{name}.maintenance").write_text("ART32_MAINTENANCE=1\n", encoding="ascii")
    flags.mkdir(mode=0o755, exist_ok=True)
    (flags / name).touch()


def end(name: str, *, flags: Path = FLAGS, environment: Path = ENVIRONMENT) -> None:
    """Let nginx ask the service again, unless it is an operator who said that it is not to."""
    if is_on(name, environment=environment):
        (flags / name).unlink(missing_ok=True)
        (environment / f"{name}.maintenance").unlink()
