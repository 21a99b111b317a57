"""In the end nginx serves the newest certificate, for exactly the declared names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controls.machine import Machine

NAME = "platform.example.test"


def test_the_newest_certificate_is_served(server: Machine) -> None:
    newest = server.check_output(f"openssl x509 -noout -fingerprint -in /etc/letsencrypt/live/{NAME}/cert.pem")
    shown = f"openssl s_client -connect localhost:443 -servername {NAME} </dev/null 2>/dev/null"
    assert server.check_output(f"{shown} | openssl x509 -noout -fingerprint") == newest


def test_it_is_for_the_declared_names_only(server: Machine) -> None:
    names = server.check_output(f"openssl x509 -noout -ext subjectAltName -in /etc/letsencrypt/live/{NAME}/cert.pem")
    assert names.split("\n")[-1].strip() == f"DNS:{NAME}"


def test_there_is_one_lineage(server: Machine) -> None:
    assert server.check_output("ls /etc/letsencrypt/renewal") == f"{NAME}.conf"


def test_two_versions_are_kept(server: Machine) -> None:
    assert len(server.check_output(f"ls -d /etc/nginx/certificates/versions/{NAME}-*").split()) == 2
