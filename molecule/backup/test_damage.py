"""Whatever single byte of the repository changes, reading it back finds it, and somebody is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from units import BACKUP, info, last_words, run, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.machine import Machine

# One byte of a file, drawn by a seed: by turns any file alike, and any byte alike. Twice is as before. What no restore
# reads is left out: the notes in the archive of when backups were made, and the lists of backups that are gone.
FLIP = """
import random, sys
from pathlib import Path
seed = sys.argv[1]
choice = random.Random(seed)
found = [path for part in ("archive", "backup") for path in Path("/var/lib/pgbackrest", part, "server").rglob("*")]
files = sorted(path for path in found if path.is_file() and path.stat().st_size and path.suffix != ".backup"
               and not {"backup.history", "latest"} & set(path.parts))
sizes = [path.stat().st_size for path in files]
path = choice.choices(files, weights=sizes if int(seed.split("-")[1]) % 2 else None)[0]
place, mask = choice.randrange(path.stat().st_size), choice.randrange(1, 256)
with path.open("r+b") as file:
    file.seek(place)
    value = file.read(1)[0]
    file.seek(place)
    file.write(bytes([value ^ mask]))
print(f"{path} byte {place} of {path.stat().st_size}, mask {mask:#04x}")
"""


@pytest.fixture(scope="module")
def read_only(by_hand: None, backup: Machine) -> Iterator[None]:
    """The unit reads the whole repository back, as it does after a differential backup, and makes no backup before."""
    place = "/run/systemd/system/art32-backup@.service.d"
    begin = "mkdir -p %s; printf %%s %s >%s/test.conf; systemctl daemon-reload"
    backup.check_output(begin, place, "[Service]\nEnvironment=DIFFERENTIAL_HOURS=0\n", place)
    assert run(backup, BACKUP), last_words(backup, BACKUP)
    assert info(backup)[-1]["type"] == "diff"
    verify = "[Service]\nExecStart=\nExecStart=/usr/local/lib/art32/backup-verify %i\n"
    backup.check_output(begin, place, verify, place)
    assert run(backup, BACKUP), last_words(backup, BACKUP)
    yield
    backup.check_output("rm -r %s; systemctl daemon-reload", place)


def test_a_flipped_byte_is_found_and_told(backup: Machine, read_only: None, flip: str) -> None:
    failures, ends = (told(backup, BACKUP, words) for words in ("failed on", "works again on"))
    where = backup.check_output("python3 -c %s %s", FLIP, flip)
    print(where)  # noqa: T201 - shown when it fails
    try:
        assert not run(backup, BACKUP), f"not found: {where}"
        assert told(backup, BACKUP, "failed on") == failures + 1, where
    finally:
        assert backup.check_output("python3 -c %s %s", FLIP, flip) == where
    assert run(backup, BACKUP), last_words(backup, BACKUP)
    assert told(backup, BACKUP, "works again on") == ends + 1
