"""What gives more than is declared, or runs otherwise than the files say, where no list shows it."""

from __future__ import annotations

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


def loaded_and_moved_back(path: str, command: str, unit: str, until: str = "true") -> tuple[str, str]:
    """What lets a unit read a file that is changed so, and puts the file back as old as it was; and what undoes it.

    `until` succeeds when the unit has read it.
    """
    changed = f"for file in {path}; do cp -p $file /root/as-it-was; {command} $file; systemctl reload '{unit}';"
    return f"{changed} until {until}; do sleep 0.1; done; mv /root/as-it-was $file; done", f"systemctl reload '{unit}'"


HBA = "/etc/postgresql/*/main/pg_hba.conf"
# And the second in which it was is over: of a file, PostgreSQL tells no finer.
IS_OVER = "date_trunc('second', now()) > pg_conf_load_time()"
HBA_IS_READ = sql(
    f"COPY (SELECT 1 WHERE pg_conf_load_time() > '$(stat -c %z {HBA})' AND {IS_OVER}) TO PROGRAM 'grep -q 1'"
)

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
    "pg_hba.conf was changed after the server loaded it": (
        "NET-2",
        *loaded_and_moved_back(HBA, "sed -i '1i local all nobody trust'", "postgresql@*", HBA_IS_READ),
    ),
    "nginx runs with older settings than /etc/nginx/mime.types": (
        "TLS-1",
        *loaded_and_moved_back("/etc/nginx/mime.types", "sed -i s,text/plain,text/html,", "nginx"),
    ),
    "1 file of the release of platform changed since: lib/python3": (
        "ACC-3",
        f"echo '# hot fix' | tee -a {RULES}",
        f"sed -i '/# hot fix/d' {RULES}; touch /srv/platform/current/.complete",
    ),
}


@pytest.fixture
def hidden(request: pytest.FixtureRequest, declaration: Environment) -> Iterator[tuple[str, str]]:
    """The control that is open and what is said of it, until the test ends."""
    said: str = request.param
    control, done, undone = HIDDEN[said]
    console = Console(declaration, "server")
    console(done)
    yield control, said
    console(undone)


@pytest.mark.parametrize("hidden", HIDDEN, indirect=True)
def test_what_is_hidden_is_seen_and_named(hidden: tuple[str, str], declaration: Environment, tmp_path: Path) -> None:
    control, said = hidden
    found = audit(declaration.directory, "server", tmp_path / "hidden", areas=["database", "web", "platform"])
    assert set(found) == {control}
    assert said in "\n".join(found[control])
