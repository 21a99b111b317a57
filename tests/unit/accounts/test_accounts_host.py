"""Reading a host's accounts from its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.art32.server.plugins.module_utils.accounts import Account, fetch_state

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/bin/bash\n"
        "jane:x:1001:1001:jane@provider.example:/home/jane:/bin/bash\n"
        "joe:x:1002:1002::/home/joe:/usr/sbin/nologin\n"
    ),
    "etc/shadow": "root:*:20000:0:99999:7:::\njane:!:20000:0::7:::\njoe:$y$j9T$x:20000:0:90:7::1:\n",
    "etc/group": "root:x:0:\nart32-people:x:990:jane,joe\nart32-admin:x:991:jane\njane:x:1001:\n",
    "var/lib/systemd/linger/joe": "",
    "proc/1/status": "Name:\tsystemd\nUid:\t0\t0\t0\t0\n",
    "proc/1/loginuid": "4294967295",
    "proc/40/status": "Name:\tbash\nUid:\t1002\t1002\t1002\t1002\n",
    "proc/40/loginuid": "1002",
    "proc/41/status": "Name:\tsudo\nUid:\t0\t0\t0\t0\n",
    "proc/41/loginuid": "1002",
    "proc/version": "Linux",
}


def test_state(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    found = fetch_state(tmp_path)
    assert found.groups == {"root", "art32-people", "art32-admin", "jane"}
    assert found.accounts["jane"] == Account(
        name="jane",
        uid=1001,
        login_shell="/bin/bash",
        comment="jane@provider.example",
        groups=frozenset({"art32-people", "art32-admin"}),
    )
    # The second process is root's by sudo, but joe's by login.
    assert found.accounts["joe"] == Account(
        name="joe",
        uid=1002,
        login_shell="/usr/sbin/nologin",
        groups=frozenset({"art32-people"}),
        has_password=True,
        expires="1",
        max_days="90",
        lingers=True,
        processes=2,
    )
