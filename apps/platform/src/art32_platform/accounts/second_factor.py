"""The second factor: a code from an authenticator application (TOTP), and the step between password and code."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import segno
from django.conf import settings
from django_otp.oath import TOTP

from art32_platform.accounts import sealing
from art32_platform.accounts.models import Account, Authenticator, BackupCode

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = [
    "Pending",
    "codes_left",
    "device_of",
    "enrol",
    "forget",
    "new_codes",
    "new_key",
    "pending",
    "picture",
    "readable",
    "set_up_key",
    "use_code",
    "wait_for_code",
]

PENDING = "pending"
PATIENCE = timedelta(minutes=5)
KEY_BYTES = 20
STEP_SECONDS = 30
CODES = 10
CODE_BYTES = 15  # 24 characters in base 32
IN_SESSION = "authenticator in a session"


class Pending:
    """Somebody whose password was right, and who is not logged in before the code is, too."""

    def __init__(self, account: Account, *, key: str, target: str) -> None:
        """`key` is the one that is being set up, in hexadecimal; empty for an account that has a device."""
        self.account, self.key, self.target = account, key, target


def device_of(account: Account) -> Authenticator | None:
    """The account's authenticator."""
    found: Authenticator | None = Authenticator.objects.devices_for_user(account, confirmed=True).first()
    return found


def wait_for_code(request: HttpRequest, account: Account, target: str) -> None:
    """Remember that the password was right; the session gets a new key, and is nobody's yet."""
    request.session.cycle_key()
    request.session[PENDING] = {
        "account": account.pk,
        "until": (datetime.now(tz=UTC) + PATIENCE).timestamp(),
        "key": "" if device_of(account) else _kept(new_key()),
        "target": target,
    }


def pending(request: HttpRequest) -> Pending | None:
    """Whose code is waited for, or None: nobody's, or for too long."""
    kept = request.session.get(PENDING)
    if not kept or kept["until"] < datetime.now(tz=UTC).timestamp():
        return None
    account = Account.objects.filter(pk=kept["account"]).first()
    if account is None or not account.may_log_in:
        return None
    return Pending(account, key=_shown(kept["key"]), target=kept["target"])


def set_up_key(request: HttpRequest) -> str:
    """The key that somebody who is logged in is setting up; the session keeps it sealed, for it is in the database."""
    key = _shown(request.session.get("key", "")) or new_key()
    request.session["key"] = _kept(key)
    return key


def new_key() -> str:
    """A secret key, in hexadecimal."""
    return secrets.token_hex(KEY_BYTES)


def enrol(account: Account, key: str, code: str) -> Authenticator | None:
    """Make the device of this key the account's only one if the code is its code; otherwise None."""
    secret = bytes.fromhex(key)
    totp = TOTP(secret, STEP_SECONDS)
    if not (code.isdecimal() and totp.verify(int(code), tolerance=1)):
        return None
    forget(account)
    device: Authenticator = Authenticator.objects.create(
        user=account,
        name="Authenticator",
        key=sealing.sealed(secret, about=Authenticator.about(account.pk)),
        confirmed=True,
        last_t=totp.t(),
    )
    return device


def forget(account: Account) -> bool:
    """Forget the account's authenticator, and the codes that stand in for it; False when it has none."""
    account.backup_codes.all().delete()
    return bool(Authenticator.objects.filter(user=account).delete()[0])


def new_codes(account: Account) -> list[str]:
    """Make backup codes, in the place of those that are left. Nobody can read them again."""
    account.backup_codes.all().delete()
    codes = [base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode().lower() for _ in range(CODES)]
    BackupCode.objects.bulk_create([BackupCode(account=account, digest=_digest(code)) for code in codes])
    return ["-".join(code[start : start + 4] for start in range(0, len(code), 4)) for code in codes]


def use_code(account: Account, code: str) -> bool:
    """Use up a backup code of an account that has a device; False when it is none, or was used."""
    unused = account.backup_codes.filter(digest=_digest(code), used_at=None)
    return bool(device_of(account) and unused.update(used_at=datetime.now(tz=UTC)))


def codes_left(account: Account) -> int:
    """How many backup codes an account has left."""
    return account.backup_codes.filter(used_at=None).count()


def picture(account: Account, key: str) -> str:
    """The key as a QR code, an SVG element without styles, so that the page's policy lets it be seen."""
    issuer = settings.PLATFORM_DOMAIN
    values = urlencode({"secret": readable(key).replace(" ", ""), "issuer": issuer}, quote_via=quote)
    uri = f"otpauth://totp/{quote(f'{issuer}:{account.email}')}?{values}"
    return str(segno.make(uri, micro=False).svg_inline(scale=5, border=3, dark="#000", light="#fff", svgclass="qr"))


def readable(key: str) -> str:
    """The key as people type it: base 32, in groups of four."""
    text = base64.b32encode(bytes.fromhex(key)).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def _kept(key: str) -> str:
    return sealing.sealed(bytes.fromhex(key), about=IN_SESSION)


def _shown(text: str) -> str:
    return sealing.opened(text, about=IN_SESSION).hex() if text else ""


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
