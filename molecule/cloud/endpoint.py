"""AWS for the scenario: moto's server behind TLS, with an authority of its own, that fails when it is told to.

    python endpoint.py up DIRECTORY [ADDRESS]    starts it and writes what AWS's tools read: config, credentials, image
    python endpoint.py down DIRECTORY            ends it

It answers on ADDRESS, 127.0.0.1 unless another one of this machine is named.

A file DIRECTORY/fault, `{"after": 3, "kind": "refused"}`, lets three changing calls through. `refused`: no more.
`lost`: the next one is carried out, but its answer does not arrive; the file is removed then.
"""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import BytesIO
from pathlib import Path
from ssl import create_default_context
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ADDRESS = "127.0.0.1"
REGION = "eu-central-1"
PATIENCE = 60
FAULT = b"<Response><Errors><Error><Code>Unavailable</Code><Message>Fault</Message></Error></Errors></Response>"
READING = ("Describe", "Get", "List")


class Faulty:
    """moto's application, before which calls fail as the file says."""

    def __init__(self, application: Callable[..., Iterable[bytes]], fault: Path) -> None:
        """Nothing fails while there is no file."""
        self.application = application
        self.fault = fault

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer, or fail as AWS does: with a 503 instead of the answer."""
        if not self.fault.is_file() or not changing(environ):
            return self.application(environ, start_response)
        told = json.loads(self.fault.read_text(encoding="utf-8"))
        if told["after"] > 0:
            self.fault.write_text(json.dumps(told | {"after": told["after"] - 1}), encoding="utf-8")
            return self.application(environ, start_response)
        if told["kind"] == "lost":
            self.fault.unlink()
            list(self.application(environ, lambda *_: None))
        start_response("503 Service Unavailable", [("Content-Type", "text/xml")])
        return [
            b"<Response><Errors><Error><Code>Unavailable</Code><Message>Fault</Message></Error></Errors></Response>"
        ]


def changing(environ: dict[str, Any]) -> bool:
    """Whether a call changes anything: by EC2's action, by S3's method."""
    if environ["REQUEST_METHOD"] != "POST":
        return environ["REQUEST_METHOD"] in ("PUT", "DELETE")
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    [action] = parse_qs(body.decode(errors="replace")).get("Action", ["Describe"])
    return not action.startswith(READING)


def serve(directory: Path, address: str, port: int) -> None:
    """Answer until the process is ended."""
    server: Any = import_module("moto.server")
    application = server.DomainDispatcherApplication(server.create_backend_app)
    serving: Any = import_module("werkzeug.serving")
    pair = str(directory / "server.pem"), str(directory / "server.key")
    serving.BaseWSGIServer.shutdown_request = ended(serving.BaseWSGIServer.shutdown_request)
    serving.run_simple(address, port, Faulty(application, directory / "fault"), threaded=True, ssl_context=pair)


def ended(close: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Say that a connection ends before it does: pgBackRest takes an answer without that for a broken one."""

    def say_and_close(server: Any, connection: Any) -> None:  # noqa: ANN401 - werkzeug's own
        with suppress(OSError, ValueError):
            connection.settimeout(PATIENCE)
            connection.unwrap()
        close(server, connection)

    return say_and_close


def up(directory: Path, address: str) -> None:
    """Start the endpoint, wait until it answers, and write what AWS's tools read."""
    directory.mkdir(parents=True, exist_ok=True)
    certificates(directory, address)
    with socket.socket() as free:
        free.bind((address, 0))
        port = free.getsockname()[1]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, __file__, "serve", str(directory), address, str(port)],
            env={**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "true"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (directory / "pid").write_text(str(process.pid), encoding="utf-8")
    url, authority = f"https://{address}:{port}", directory / "authority.pem"
    wait(f"{url}/moto-api/", authority, process)
    settings = f"[default]\nregion = {REGION}\nendpoint_url = {url}\n"
    (directory / "config").write_text(settings, encoding="utf-8")
    keys = "[default]\naws_access_key_id = testing\naws_secret_access_key = testing\n"
    (directory / "credentials").write_text(keys, encoding="utf-8")
    boto3: Any = import_module("boto3")
    ec2 = boto3.client(
        "ec2",
        region_name=REGION,
        endpoint_url=url,
        verify=str(authority),
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106 - moto asks for any
    )
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    (directory / "image").write_text(str(image), encoding="utf-8")


def wait(url: str, authority: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the endpoint answers over TLS.

    Raises SystemExit when it ended or never answers.
    """
    context, end = create_default_context(cafile=str(authority)), time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(url, timeout=5, context=context).close()  # noqa: S310 - our own address
        except OSError as error:
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"endpoint: it does not answer: {error}") from error
            time.sleep(0.2)
        else:
            return


def down(directory: Path) -> None:
    """End the endpoint, if its process is still the one that was started."""
    file = directory / "pid"
    if not file.is_file():
        return
    command = Path("/proc", file.read_text(encoding="utf-8"), "cmdline")
    if command.is_file() and str(directory).encode() in command.read_bytes():
        os.kill(int(file.read_text(encoding="utf-8")), signal.SIGTERM)
    file.unlink()


def certificates(directory: Path, address: str) -> None:
    """An authority of a day, and the endpoint's certificate by it."""
    now = datetime.now(tz=UTC)
    keys = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in ("art32 test authority", address)]

    def certificate(subject: int, *extensions: x509.ExtensionType) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(names[subject]).issuer_name(names[0])
        builder = builder.public_key(keys[subject].public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(hours=1))
        builder = builder.not_valid_after(now + timedelta(days=1))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(keys[0], hashes.SHA256())

    identity = x509.SubjectKeyIdentifier.from_public_key(keys[0].public_key())
    authority = certificate(0, x509.BasicConstraints(ca=True, path_length=0), identity)
    own = certificate(
        1,
        x509.BasicConstraints(ca=False, path_length=None),
        # pgBackRest compares with names only.
        x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName(address)]),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity),
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (directory / "authority.pem").write_bytes(authority.public_bytes(pem))
    (directory / "server.pem").write_bytes(own.public_bytes(pem))
    (directory / "server.key").write_bytes(keys[1].private_bytes(pem, *plain))


if __name__ == "__main__":
    verb, place = sys.argv[1], Path(sys.argv[2])
    if verb == "serve":
        serve(place, sys.argv[3], int(sys.argv[4]))
    elif verb == "up":
        up(place, *(sys.argv[3:] or [ADDRESS]))
    else:
        down(place)
