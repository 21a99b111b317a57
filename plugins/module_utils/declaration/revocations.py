# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The list of what is revoked: checked, and written in OpenSSH's binary form (PROTOCOL.krl).

The same declaration gives the same bytes everywhere, whichever OpenSSH the controller has, so that a run without
changes finds none. Serials and ids are revoked for every authority.
"""

from __future__ import annotations

__all__ = ["check_revocations", "is_revoked", "revocation_lines", "revocation_list"]

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .fields import Field, check_mapping, is_text, matches
from .problems import DeclarationError, Problem

MAGIC, FORMAT = 0x5353484B524C0A00, 1
CERTIFICATES, KEYS, FINGERPRINTS = 1, 2, 5
SERIALS, IDS = 0x20, 0x23
LARGEST_SERIAL = 2**64 - 1
DAY = 86400
# A list is dated anew three times before it is too old.
RENEWALS = 3
KEY = r"(ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]{32,}={0,2}( .*)?"
FINGERPRINT = r"SHA256:[A-Za-z0-9+/]{43}"
KINDS = ("serial", "id", "key", "fingerprint")

Entry = Mapping[str, Any]


def _is_serial(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_SERIAL


def _is_key(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    try:
        return matches(KEY)(value) and bool(_blob(value))
    except binascii.Error:
        return False


def _is_line(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return is_text(value) and value.isprintable()


FIELDS: Mapping[str, Field] = {
    "serial": Field(allowed="the whole number of a certificate, from 1", test=_is_serial),
    "id": Field(
        allowed="a certificate's key id, in one line", test=lambda value: is_text(value) and value.isprintable()
    ),
    "key": Field(allowed="a public key line like ssh-ed25519 AAAA...", test=_is_key),
    "fingerprint": Field(allowed="a key's fingerprint like SHA256:...", test=matches(FINGERPRINT)),
    "reason": Field(
        required=True, allowed="why it is revoked, in one line", test=lambda v: is_text(v) and v.isprintable()
    ),
}


def check_revocations(value: Any) -> list[Problem]:  # noqa: ANN401 - what the operator wrote
    """Problems of sshd_revocations."""
    if not isinstance(value, list):
        return [Problem(variable="sshd_revocations", value=value, allowed="a list of what is revoked")]
    problems = []
    for index, entry in enumerate(value):
        variable = f"sshd_revocations[{index}]"
        found = check_mapping(variable, entry, FIELDS)
        if not found and len([kind for kind in KINDS if kind in entry]) != 1:
            found = [Problem(variable=variable, value=dict(entry), allowed=f"exactly one of {', '.join(KINDS)}")]
        problems += found
    return problems


def revocation_list(entries: Sequence[Entry], max_age_days: int, now: datetime | None = None) -> str:
    """The list as OpenSSH reads it, in base64, dated by the last third of its greatest age.

    Raises DeclarationError when an entry is impossible.
    """
    _demand(entries)
    step = max_age_days * DAY // RENEWALS
    moment = int((now or datetime.now(tz=UTC)).timestamp())
    dated = moment - moment % step
    header = struct.pack(">QIQQQ", MAGIC, FORMAT, dated, dated, 0) + _string(b"") + _string(b"")
    return base64.b64encode(header + b"".join(_sections(entries))).decode("ascii")


def revocation_lines(entries: Sequence[Entry]) -> list[str]:
    """The same for people, in the form that ssh-keygen reads; the reason stands above each entry.

    Raises DeclarationError when an entry is impossible.
    """
    _demand(entries)
    lines = []
    for entry in entries:
        lines.append(f"# {entry['reason']}")
        if "key" in entry or "fingerprint" in entry:
            lines.append(f"hash: {_fingerprint(entry)}")
        else:
            lines += [f"{kind}: {entry[kind]}" for kind in ("serial", "id") if kind in entry]
    return lines


def is_revoked(entries: Iterable[Entry], *, serial: int, identity: str, public: str) -> bool:
    """Whether a certificate of this serial and id for this key line is revoked."""
    own = _fingerprint({"key": public})
    return any(
        entry.get("serial") == serial
        or entry.get("id") == identity
        or (("key" in entry or "fingerprint" in entry) and _fingerprint(entry) == own)
        for entry in entries
    )


def _demand(entries: Sequence[Entry]) -> None:
    problems = check_revocations(entries)
    if problems:
        raise DeclarationError(problems)


def _sections(entries: Sequence[Entry]) -> Iterable[bytes]:
    """Each kind of entry in a section of its own; an authority without a key stands for every authority."""
    serials = sorted({entry["serial"] for entry in entries if "serial" in entry})
    ids = sorted({entry["id"].encode() for entry in entries if "id" in entry})
    keys = sorted({_blob(entry["key"]) for entry in entries if "key" in entry})
    prints = sorted({_digest(entry["fingerprint"]) for entry in entries if "fingerprint" in entry})
    if serials or ids:
        every_authority = _string(b"") + _string(b"")
        listed = _section(SERIALS, b"".join(struct.pack(">Q", serial) for serial in serials)) if serials else b""
        named = _section(IDS, b"".join(map(_string, ids))) if ids else b""
        yield _section(CERTIFICATES, every_authority + listed + named)
    if keys:
        yield _section(KEYS, b"".join(map(_string, keys)))
    if prints:
        yield _section(FINGERPRINTS, b"".join(map(_string, prints)))


def _section(kind: int, content: bytes) -> bytes:
    return struct.pack(">B", kind) + _string(content)


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _blob(line: str) -> bytes:
    return base64.b64decode(line.split()[1])


def _digest(fingerprint: str) -> bytes:
    return base64.b64decode(f"{fingerprint.removeprefix('SHA256:')}=")


def _fingerprint(entry: Entry) -> str:
    if "fingerprint" in entry:
        return str(entry["fingerprint"])
    digest = hashlib.sha256(_blob(entry["key"])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
