"""What can go wrong with a managed object: each operation as a shell script for the host."""

from __future__ import annotations

__all__ = ["Mutant", "mutants", "without_mutant"]

import re
import shlex
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .objects import Object

Operation = Literal[
    "removed",
    "changed",
    "added",
    "overridden",
    "opened",
    "owned",
    "unread",
    "disabled",
    "enabled",
    "masked",
    "stopped",
]
TABLE = Path(__file__).with_name("controls.yml")
STRANGER = "mutant"
# Whose files all belong to root, which every other mutant of theirs shows as well.
WAY_IN = ("base", "firewall", "sshd")
# sshd was built without it: the setting is read and means nothing.
MEANINGLESS = ("setting KerberosAuthentication",)
# Which systemd itself leaves out in a container: it has the machine's clock.
NOT_IN_A_CONTAINER = ("systemd-timesyncd.service",)
RELOAD_POSTGRESQL = "systemctl reload 'postgresql@*'"
RELOAD, RELOAD_SSHD = "systemctl daemon-reload", "systemctl reload ssh.service"
NEW_KEY = "rm -f /run/mutant*; ssh-keygen -q -t ed25519 -N '' -C mutant -f /run/mutant"
# How a transaction says that something takes effect.
ACTIVATED = re.compile(r"(Run|Activate again|Reload|Restart|Reload-or-restart|Start|Certify the (?:host's )?key)\b")
# Where one more line or another value says something; any other file gets a comment.
CHANGES: Mapping[str, str] = {
    "/etc/sudoers": "echo 'joe ALL=(ALL:ALL) NOPASSWD: ALL' >>{path}",
    "/etc/sudoers.d/art32-admin": "echo '%art32-people ALL=(ALL) NOPASSWD: ALL' >>{path}",
    "/etc/default/ufw": "sed -i 's/^DEFAULT_INPUT_POLICY=.*/DEFAULT_INPUT_POLICY=\"ACCEPT\"/' {path}",
    "/etc/ufw/ufw.conf": "sed -i s/^ENABLED=.*/ENABLED=no/ {path}",
    "/etc/ufw/user.rules": "sed -i '/END RULES/i -A ufw-user-input -p tcp --dport 8081 -j ACCEPT' {path}",
    "/etc/ufw/user6.rules": "sed -i '/END RULES/i -A ufw6-user-input -p tcp --dport 8081 -j ACCEPT' {path}",
    "/etc/ufw/before.rules": "sed -i '/^COMMIT/i -A ufw-before-input -p tcp --dport 8081 -j ACCEPT' {path}",
    "/etc/ufw/before6.rules": "sed -i '/^COMMIT/i -A ufw6-before-input -p tcp --dport 8081 -j ACCEPT' {path}",
    "/etc/ssh/sshd_config": f"sed -i 's/^Ciphers .*/Ciphers aes128-ctr/' {{path}}; {RELOAD_SSHD}",
    "/etc/ssh/user_ca.pub": f"{NEW_KEY}; cat /run/mutant.pub >{{path}}",
    "/etc/ssh/revoked_keys": "ssh-keygen -q -k -f {path}",
    "/etc/localtime": "ln -sfn /usr/share/zoneinfo/Asia/Tokyo {path}",
    "/etc/letsencrypt/renewal-hooks/deploy/art32": "ln -sfn /bin/true {path}",
    "/usr/local/sbin/art32-restore": "ln -sfn /bin/true {path}",
    "/etc/logrotate.d/nginx": "sed -i 's/rotate .*/rotate 7/; s/maxage .*/maxage 7/' {path}",
    "/etc/ssh/ssh_host_ed25519_key-cert.pub": (
        f"{NEW_KEY}; cp -p /etc/ssh/ssh_host_ed25519_key.pub /run/mutant-host.pub;"
        " ssh-keygen -q -s /run/mutant -h -I mutant -n server /run/mutant-host.pub;"
        " cat /run/mutant-host-cert.pub >{path}"
    ),
}
# Further ways, each of a single file.
FURTHER: Mapping[str, Mapping[Operation, str]] = {
    "/etc/ssh/user_ca.pub": {"added": f"{NEW_KEY}; cat /run/mutant.pub >>{{path}}"},
    "/etc/default/ssh": {
        "overridden": "echo \"SSHD_OPTS='-o MaxSessions=99'\" >{path}; systemctl restart ssh.service",
    },
    "/etc/ssh/sshd_config": {
        # The server goes on with what the file no longer says.
        "unread": (
            f"cp -p {{path}} /run/mutant; echo 'Banner /etc/issue' >>{{path}}; {RELOAD_SSHD}; sleep 1.1;"
            " cp -p /run/mutant {path}"
        ),
    },
}
PLACED: Mapping[str, str] = {
    "/etc/systemd/system/postgresql@*.service.d/*": "[Service]\nNoNewPrivileges=no",
    "/etc/postgresql/*/conf.d/*": "log_connections = off",
    "/etc/pgbackrest/conf.d/*": "[global]\nrepo1-retention-full=1",
    "/etc/nginx/sites-enabled/*": "server { listen 8081; }",
    "/etc/ssh/principals/*": "jane",
    "/etc/sudoers.d/*": "joe ALL=(ALL:ALL) NOPASSWD: ALL",
    "/etc/ssh/sshd_config.d/*": "PasswordAuthentication yes",
    "*ssh.service.d/*": "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -o MaxSessions=99",
    "*.service.d/*": "[Service]\nExecStart=\nExecStart=/bin/true",
    "*.timer.d/*": "[Timer]\nOnCalendar=\nOnCalendar=yearly",
    "*": "#!/bin/sh\nexit 0",
}


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """An object with something wrong, and the controls that have to say so; all of the host's when nobody gets in."""

    subject: Object
    operation: Operation
    script: str
    controls: frozenset[str]
    shuts_out: bool

    def __str__(self) -> str:
        """Its name in lists and samples."""
        where = "" if self.subject.host == "server" else f" on {self.subject.host}"
        return f"{self.subject}{where}: {self.operation}"

    def concerns(self, change: str) -> bool:
        """Whether a sentence about what a run changes is about this object, or about its taking effect."""
        return bool(ACTIVATED.match(change)) or _SAID[self.subject.kind](self.subject.name) in change


def mutants(objects: Iterable[Object]) -> list[Mutant]:
    """Everything that can go wrong with the objects, as far as the table says what has to come of it."""
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    found = []
    for subject in objects:
        for operation, script in _scripts(subject):
            entry = _entry(table, subject, operation)
            if entry is not None:
                controls = frozenset(entry.get("controls", ()))
                shuts_out = entry.get("shuts_out", False)
                made = Mutant(
                    subject=subject, operation=operation, script=script, controls=controls, shuts_out=shuts_out
                )
                found.append(made)
    return found


def without_mutant(objects: Iterable[Object]) -> list[str]:
    """The objects that nothing is done to."""
    covered = {str(mutant.subject) for mutant in mutants(objects)}
    return [str(subject) for subject in objects if str(subject) not in covered]


def _entry(table: Iterable[Mapping[str, Any]], subject: Object, operation: Operation) -> Mapping[str, Any] | None:
    fitting = (
        entry
        for entry in table
        if fnmatchcase(str(subject), entry["object"])
        and subject.role in entry.get("roles", (subject.role,))
        and subject.host == entry.get("host", subject.host)
    )
    return next((entry for entry in fitting if operation in entry.get("operations", (operation,))), None)


def _scripts(subject: Object) -> Iterator[tuple[Operation, str]]:
    if str(subject) not in MEANINGLESS and subject.kind in _OF_KIND:
        yield from _OF_KIND[subject.kind](subject)


def _file(subject: Object) -> Iterator[tuple[Operation, str]]:
    path = subject.name
    yield "removed", f"rm {path}"
    other = "ln -sfn /dev/null {path}" if subject.state.get("link") else "echo '# changed' >>{path}"
    yield "changed", CHANGES.get(path, other).format(path=path)
    if not subject.state.get("link"):
        yield "opened", f"chmod go+w {path}"
    if subject.role not in WAY_IN and not subject.state.get("link"):
        yield "owned", f"chown nobody {path}"
    for operation, script in FURTHER.get(path, {}).items():
        yield operation, script.format(path=path)


def _setting(subject: Object) -> Iterator[tuple[Operation, str]]:
    value = subject.state["value"]
    other = {"yes": "no", "no": "yes"}[value]
    yield "changed", f"sed -i 's/^{subject.name} .*/{subject.name} {other}/' /etc/ssh/sshd_config"


def _principals(subject: Object) -> Iterator[tuple[Operation, str]]:
    path = f"/etc/ssh/principals/{subject.name}"
    yield "removed", f"rm {path}"
    yield "changed", f"echo {STRANGER} >{path}"
    yield "added", f"echo {STRANGER} >>{path}"
    yield "opened", f"chmod go+w {path}"


def _place(subject: Object) -> Iterator[tuple[Operation, str]]:
    path = _stranger_at(subject.name)
    content = next(text for pattern, text in PLACED.items() if fnmatchcase(path, pattern))
    after = f"; {RELOAD}" if "/systemd/" in path else ""
    yield "added", f"mkdir -p $(dirname {path}); printf '%s\\n' '{content}' >{path}{after}"


def _stranger_at(place: str) -> str:
    """A file that nobody declared in a place, where it is read."""
    if "/systemd/" in place and place.endswith(".d/*"):
        unit = re.sub(r"(\[-\.\]|\.)?\*(\.service)?$", "", place.removesuffix(".d/*"))
        return f"{unit if unit.endswith(('.service', '.socket', '.timer')) else f'{unit}.service'}.d/{STRANGER}.conf"
    # sudo passes over names with a dot.
    return place.replace("*", STRANGER) + (".conf" if re.search(r"/(conf|sshd_config)\.d/\*$", place) else "")


def _directory(subject: Object) -> Iterator[tuple[Operation, str]]:
    yield "opened", f"chmod o+w {subject.name}"


def _unit(subject: Object) -> Iterator[tuple[Operation, str]]:
    name, state = subject.name, subject.state
    if state.get("masked"):
        yield "enabled", f"systemctl unmask -q {name}"
    if state.get("enabled") is True:
        yield "disabled", f"systemctl disable -q {name}"
    if (state.get("state") == "started" and name not in NOT_IN_A_CONTAINER) or name == "ufw.service":
        yield "stopped", f"systemctl stop {name}"
    if state.get("enabled") is True and not name.startswith(("art32-", "ssh", "ufw")):
        yield "masked", f"systemctl mask -q {name}"
    if state.get("enabled") is False:
        # Of what may not be there at all, somebody makes one.
        made = (
            f"printf '[Timer]\\nOnCalendar=yearly\\n[Install]\\nWantedBy=timers.target\\n' >/etc/systemd/system/{name}"
        )
        there = f"systemctl cat {name} >/dev/null 2>&1 || {{ {made}; {RELOAD}; }}"
        yield "enabled", f"{there}; systemctl enable -q {name}"


def _rule(subject: Object) -> Iterator[tuple[Operation, str]]:
    family, rule = subject.name.split(" ", 1)
    command = "iptables" if family == "IPv4" else "ip6tables"
    yield "removed", f"{command} -D {rule}"
    unlimited = re.sub(r" -s \S+", "", rule)
    nobody = "192.0.2.0/24" if family == "IPv4" else "2001:db8::/32"
    other = unlimited if unlimited != rule else rule.replace(" -j ", f" -s {nobody} -j ")
    yield "changed", f"{command} -A {other}; {command} -D {rule}"


def _rules(subject: Object) -> Iterator[tuple[Operation, str]]:
    command = "iptables" if subject.name == "IPv4" else "ip6tables"
    yield "added", f"{command} -A INPUT -p tcp --dport 8081 -j ACCEPT"
    yield "changed", f"{command} -A OUTPUT -p tcp --dport 8081 -j DROP"
    yield "overridden", f"{command} -I INPUT -p tcp -j ACCEPT"


def _account(subject: Object) -> Iterator[tuple[Operation, str]]:
    name = subject.name
    if subject.state["ssh"] == "admin":
        yield "removed", f"gpasswd -d {name} art32-people"
    else:
        yield "removed", f"userdel {name}"
        yield "changed", f"usermod -aG art32-admin {name}"
    yield "opened", f"echo '{name}:works-only-for-a-mutant' | chpasswd"


def _cluster(_: Object) -> Iterator[tuple[Operation, str]]:
    yield "added", _sql("CREATE ROLE mutant LOGIN")
    # From PostgreSQL 17 on the server itself refuses it, and the file is all that is left.
    system = _sql("ALTER SYSTEM SET log_connections = off")
    file = "echo 'log_connections = off' >>$(ls -d /var/lib/postgresql/*/main)/postgresql.auto.conf"
    yield "overridden", f"{system} 2>/dev/null || {file}; {RELOAD_POSTGRESQL}"
    yield "changed", _sql("ALTER ROLE ALL SET log_statement = 'none'")


def _line(subject: Object) -> Iterator[tuple[Operation, str]]:
    """A line of pg_hba.conf is missing, asks for less, or has one before it that lets in everybody."""
    line, path = subject.name, subject.state["path"]
    everybody = re.sub(r"^(\w+\s+\S+\s+)\S+(.*\s)\S+$", r"\1all\2trust", line.removesuffix(" map=art32"))
    yield "removed", _replaced(path, line, "")
    yield "changed", _replaced(path, line, re.sub(r"\b(peer|scram-sha-256)\b.*", "trust", line))
    yield "added", _replaced(path, line, f"{everybody}\n{line}")


def _replaced(path: str, line: str, instead: str) -> str:
    program = (
        "import pathlib, sys; name, old, new = sys.argv[1:]; path = pathlib.Path(name);"
        " path.write_text(path.read_text().replace(old, new, 1))"
    )
    return f"python3 -c {shlex.quote(program)} {path} {shlex.quote(line)} {shlex.quote(instead)}; {RELOAD_POSTGRESQL}"


def _certificate(subject: Object) -> Iterator[tuple[Operation, str]]:
    name = subject.name
    yield (
        "removed",
        f"rm -r /etc/letsencrypt/live/{name} /etc/letsencrypt/archive/{name} /etc/letsencrypt/renewal/{name}.conf",
    )
    yield "opened", f"chmod go+r /etc/letsencrypt/archive/{name}/privkey*.pem"
    yield "disabled", f"sed -i '/^\\[renewalparams\\]/a autorenew = False' /etc/letsencrypt/renewal/{name}.conf"
    served, other = f"/etc/nginx/certificates/{name}", "/etc/nginx/certificates/versions/mutant"
    serve_another = (
        f"rm -rf {other}; cp -rL {served} {other}; cd {other};"
        " openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout privkey.pem"
        f" -out fullchain.pem -subj /CN={name} -addext subjectAltName=DNS:{name} 2>/dev/null;"
        f" ln -sfn versions/mutant {served}; systemctl reload nginx.service"
    )
    yield "changed", serve_another


def _database(subject: Object) -> Iterator[tuple[Operation, str]]:
    name = subject.name
    yield "added", _sql("CREATE PUBLICATION mutant FOR ALL TABLES", name)
    yield "opened", _sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC", name)
    yield "removed", _sql(f"REVOKE CONNECT ON DATABASE {name} FROM {name}_readonly", name)
    yield "changed", _sql("CREATE EXTENSION postgres_fdw", name)
    yield "overridden", _sql(f"ALTER DATABASE {name} SET log_statement = 'none'", name)


def _login(subject: Object) -> Iterator[tuple[Operation, str]]:
    name = subject.name
    yield "removed", _sql(f"ALTER ROLE {name} NOLOGIN")
    yield "changed", _sql(f"ALTER ROLE {name} SUPERUSER")
    yield "opened", _sql(f"GRANT pg_read_all_data TO {name}")


def _sql(statement: str, database: str = "postgres") -> str:
    return f'cd /; runuser -u postgres -- psql -Xqv ON_ERROR_STOP=1 -d {database} -c "{statement}"'


_SAID: Mapping[str, Callable[[str], str]] = {
    "absent": str,
    "certificate": lambda _: "Have each service's certificate, and nginx serve it",
    "cluster": lambda _: "",
    "database": lambda _: "",
    "directory": str,
    "line": lambda _: "pg_hba.conf",
    "login": lambda _: "",
    "account": lambda name: f" {name}",
    "file": str,
    "place": _stranger_at,
    "principals": lambda name: f"/etc/ssh/principals/{name}",
    "rule": lambda _: "/usr/local/lib/art32/firewall",
    "rules": lambda _: "/usr/local/lib/art32/firewall",
    "setting": lambda _: "/etc/ssh/sshd_config",
    "unit": str,
}
_OF_KIND = {
    "absent": _place,
    "account": _account,
    "certificate": _certificate,
    "cluster": _cluster,
    "database": _database,
    "directory": _directory,
    "file": _file,
    "line": _line,
    "login": _login,
    "place": _place,
    "principals": _principals,
    "rule": _rule,
    "rules": _rules,
    "setting": _setting,
    "unit": _unit,
}
