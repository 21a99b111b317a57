"""What gives more than is declared, or runs otherwise than the files say, where no list shows it."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

import pytest

from tests.mutants.trial import Console, audit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from controls.environment import Environment


def sql(statement: str, database: str = "platform") -> str:
    """A line for the shell of the server."""
    return f'runuser -u postgres -- psql -qXd {database} -v ON_ERROR_STOP=1 -c "{statement}"'


VERSION = "$(ls /etc/postgresql | grep -E '^[0-9]+$')"
RULES = "/srv/platform/current/lib/*/site-packages/art32_platform/access/rules.py"
RENEWAL = "/etc/letsencrypt/renewal/*.conf"


def loaded_and_moved_back(path: str, command: str, unit: str, until: str) -> tuple[str, str]:
    """What lets a unit read a file that is changed so, and puts the file back as old as it was; and what undoes it.

    `until` succeeds when the unit has read it.
    """
    changed = f"for file in {path}; do cp -p $file /root/as-it-was; {command} $file; systemctl reload '{unit}';"
    return f"{changed} until {until}; do sleep 0.1; done; mv /root/as-it-was $file; done", f"systemctl reload '{unit}'"


def is_read(path: str) -> str:
    """What succeeds when the database's server has read a file, and the second is over: it tells no finer."""
    read = f"pg_conf_load_time() > '$(stat -c %z {path})' AND date_trunc('second', now()) > pg_conf_load_time()"
    return sql(f"COPY (SELECT 1 WHERE {read}) TO PROGRAM 'grep -q 1'")


HBA, SETTINGS = "/etc/postgresql/*/main/pg_hba.conf", "/etc/postgresql/*/main/postgresql.conf"
DECLARED = "/etc/postgresql/*/main/conf.d/art32.conf"
RELOAD = "systemctl reload 'postgresql@*'"
# What is written now is younger than nginx's reload, on the coarser clock of files as well.
RELOADED = "$(systemctl show --timestamp=us+utc -P StateChangeTimestamp nginx)"
IS_LATER = f'{{ chmod 644 /root/as-it-was; find /root/as-it-was -newerct "{RELOADED}" | grep -q .; }}'
HANDED_ON = "PREROUTING -p tcp -d 192.0.2.10 --dport 443 -j DNAT --to-destination 192.0.2.99:443"
AREAS = ("database", "web", "platform", "network")
# How many are tried at a time. Whatever is undone by a reload of the database's server has no other such beside it.
ROW = 4
# By what the audit says of it: the control, what is done, and what undoes it.
HIDDEN: Mapping[str, tuple[str, str, str]] = {
    "platform_readonly has UPDATE on public.customers_contact.name": (
        "PUR-1",
        sql("GRANT UPDATE (name) ON customers_contact TO platform_readonly"),
        sql("REVOKE UPDATE (name) ON customers_contact FROM platform_readonly"),
    ),
    "the rule stranger rewrites what is done to public.activity_activity": (
        "PUR-1",
        sql("CREATE RULE stranger AS ON DELETE TO activity_activity WHERE false DO INSTEAD NOTHING"),
        sql("DROP RULE stranger ON activity_activity"),
    ),
    "the function public.stranger is postgres's, with whose rights it runs": (
        "PUR-1",
        sql("CREATE FUNCTION public.stranger() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"),
        sql("DROP FUNCTION public.stranger()"),
    ),
    "public.stranger stands in the database postgres": (
        "DB-1",
        sql("CREATE TABLE stranger ()", "postgres"),
        sql("DROP TABLE stranger", "postgres"),
    ),
    "there is another cluster": (
        "DB-1",
        f"pg_createcluster {VERSION} stranger >/dev/null",
        f"pg_dropcluster {VERSION} stranger; systemctl daemon-reload",
    ),
    "log_duration is set in /etc/postgresql/": (
        "DB-1",
        f"echo 'log_duration = on' >>$(ls {SETTINGS}); {RELOAD}",
        f"sed -i /log_duration/d {SETTINGS}; {RELOAD}",
    ),
    "What comes for this host's own programs is handed to others: port 443": (
        "NET-1",
        f"iptables -t nat -A {HANDED_ON}",
        f"iptables -t nat -D {HANDED_ON}",
    ),
    "has post_hook true": (
        "TLS-1",
        f"sed -i '/renewalparams/a post_hook = true' {RENEWAL}",
        f"sed -i /post_hook/d {RENEWAL}",
    ),
    "has server https://other.example.test/dir": (
        "TLS-1",
        f"sed -i 's,^server = .*,&\\nserver = https://other.example.test/dir,' {RENEWAL}",
        f"sed -i /other.example.test/d {RENEWAL}",
    ),
    "1 file of the release of platform changed since: lib/python3": (
        "ACC-3",
        f"echo '# hot fix' | tee -a {RULES}",
        f"sed -i '/# hot fix/d' {RULES}; touch /srv/platform/current/.complete",
    ),
    "nginx runs with older settings than /etc/nginx/mime.types": (
        "TLS-1",
        *loaded_and_moved_back("/etc/nginx/mime.types", "sed -i s,text/plain,text/html,", "nginx", IS_LATER),
    ),
    "pg_hba.conf was changed after the server loaded it": (
        "NET-2",
        *loaded_and_moved_back(HBA, "sed -i '1i local all nobody trust'", "postgresql@*", is_read(HBA)),
    ),
    "a file was changed after the server loaded it": (
        "DB-1",
        *loaded_and_moved_back(
            DECLARED, "sed -i 's/^log_connections.*/log_connections = off/'", "postgresql@*", is_read(DECLARED)
        ),
    ),
}


@pytest.fixture
def hidden(request: pytest.FixtureRequest, declaration: Environment) -> Iterator[Mapping[str, str]]:
    """The controls that are open, by what is said of them, until the test ends."""
    console, row = Console(declaration, "server"), {said: HIDDEN[said] for said in request.param}
    for _, done, _ in row.values():
        console(done)
    yield {said: control for said, (control, _, _) in row.items()}
    for _, _, undone in reversed(row.values()):
        console(undone)


@pytest.mark.parametrize(
    "hidden", [list(HIDDEN)[at : at + ROW] for at in range(0, len(HIDDEN), ROW)], indirect=True, ids=itemgetter(0)
)
def test_what_is_hidden_is_seen_and_named(hidden: Mapping[str, str], declaration: Environment, tmp_path: Path) -> None:
    found = audit(declaration.directory, "server", tmp_path / "hidden", areas=AREAS)
    assert set(found) == set(hidden.values())
    missing = [said for said, control in hidden.items() if said not in "\n".join(found[control])]
    assert not missing, found
