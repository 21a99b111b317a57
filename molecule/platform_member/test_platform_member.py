"""What the platform's database holds after platform_member, and what the host's logs do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controls.machine import Machine


def ask(server: Machine, query: str) -> list[str]:
    """The rows that a query gives, columns apart by a bar."""
    found = server.check_output("runuser -u postgres -- psql -XAtq -d platform -c %s", query)
    return str(found).splitlines()


def test_accounts_are_as_declared_and_nobody_is_removed(server: Machine) -> None:
    query = "SELECT email, is_active, is_staff, is_administrator FROM accounts_account ORDER BY email"
    assert ask(server, query) == [
        "ada@customer.example|f|f|f",
        "audit@provider.example|t|f|f",
        "grace@customer.example|t|f|f",
        "jane@provider.example|t|t|f",
    ]


def test_roles_are_as_declared(server: Machine) -> None:
    query = (
        "SELECT email, organisation.name, role, membership.until IS NOT NULL FROM customers_membership membership"
        " JOIN accounts_account account ON account.id = account_id"
        " JOIN customers_organisation organisation ON organisation.id = organisation_id ORDER BY email"
    )
    assert ask(server, query) == [
        "audit@provider.example|Audit|20|f",
        "grace@customer.example|Customer GmbH|30|f",
        "jane@provider.example|Customer GmbH|10|t",
    ]


def test_sessions_of_who_left_are_ended(server: Machine) -> None:
    assert ask(server, "SELECT count(*) FROM accounts_session") == ["0"]


def test_passwords_are_bcrypt_or_nobody_can_log_in(server: Machine) -> None:
    query = (
        "SELECT email, CASE WHEN password LIKE '!%' THEN 'none' ELSE left(password, 21) END"
        " FROM accounts_account WHERE is_active ORDER BY email"
    )
    assert ask(server, query) == [
        "audit@provider.example|bcrypt_sha256$$2b$12$",
        "grace@customer.example|none",
        "jane@provider.example|none",
    ]


def test_invitations_wait_without_a_token(server: Machine) -> None:
    query = (
        "SELECT email, purpose, digest = '', mailed_at IS NULL FROM accounts_link"
        " JOIN accounts_account account ON account.id = account_id ORDER BY email"
    )
    assert ask(server, query) == [
        "ada@customer.example|invitation|t|t",
        "grace@customer.example|invitation|t|t",
        "jane@provider.example|invitation|t|t",
    ]


def test_every_change_is_in_the_activity_log_and_its_chain(server: Machine) -> None:
    actors = ask(server, "SELECT DISTINCT account FROM activity_activity WHERE database_role = 'postgres'")
    assert "platform_member" in actors
    kinds = "SELECT DISTINCT kind || ' ' || action FROM activity_activity WHERE account = 'platform_member' ORDER BY 1"
    assert ask(server, kinds) == [
        "accounts.account change",
        "accounts.account insert",
        "accounts.link insert",
        "customers.membership insert",
        "customers.membership removal",
        "customers.organisation insert",
    ]
    assert ask(server, "SELECT (SELECT count(*) FROM activity_activity) = (SELECT count(*) FROM activity_link)") == [
        "t"
    ]


def test_no_password_is_in_the_logs(server: Machine) -> None:
    log = server.check_output("journalctl --no-pager -q; cat /var/log/postgresql/*.log /var/log/syslog 2>/dev/null")
    assert "platform_member" in log  # it is in there, with its arguments
    assert "planted-secret" not in log
    assert "bcrypt_sha256$$" not in log.replace("bcrypt_sha256$$2b$12$chosen", "")
