"""The second factor: a code from an authenticator application (TOTP), and the step between password and code."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import segno
from django.conf import settings
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from art32_platform.accounts.models import Account

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["Pending", "device_of", "enrol", "new_key", "pending", "picture", "readable", "wait_for_code"]

PENDING = "pending"
PATIENCE = timedelta(minutes=5)
KEY_BYTES = 20
STEP_SECONDS = 30


class Pending:
    """Somebody whose password was right, and who is not logged in before the code is, too."""

    def __init__(self, account: Account, *, key: str, target: str) -> None:
        """`key` is the one that is being set up, in hexadecimal; empty for an account that has a device."""
        self.account, self.key, self.target = account, key, target


def device_of(account: Account) -> TOTPDevice | None:
    """The account's authenticator."""
    found: TOTPDevice | None = TOTPDevice.objects.devices_for_user(account, confirmed=True).first()
    return found


def wait_for_code(request: HttpRequest, account: Account, target: str) -> None:
    """Remember that the password was right; the session gets a new key, and is nobody's yet."""
    request.session.cycle_key()
    request.session[PENDING] = {
        "account": account.pk,
        "until": (datetime.now(tz=UTC) + PATIENCE).timestamp(),
        "key": "" if device_of(account) else new_key(),
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
    return Pending(account, key=kept["key"], target=kept["target"])


def new_key() -> str:
    """A secret key, in hexadecimal."""
    return secrets.token_hex(KEY_BYTES)


def enrol(account: Account, key: str, code: str) -> TOTPDevice | None:
    """Make the device of this key the account's only one if the code is its code; otherwise None."""
    totp = TOTP(bytes.fromhex(key), STEP_SECONDS)
    if not (code.isdecimal() and totp.verify(int(code), tolerance=1)):
        return None
    TOTPDevice.objects.filter(user=account).delete()
    device: TOTPDevice = TOTPDevice.objects.create(
        user=account, name="Authenticator", key=key, confirmed=True, last_t=totp.t()
    )
    return device


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
