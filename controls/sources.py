"""What is asked of each host in the one round trip before the checks: every output by its name."""

from __future__ import annotations

__all__ = [
    "ACCESS_LOG",
    "LATER",
    "PINNED",
    "PLACEMENT",
    "PLACES",
    "SLOW",
    "WAY_IN_UNITS",
    "as_user",
    "fill",
    "for_host",
    "later",
    "metadata_endpoint",
    "reach",
    "sql",
]

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from . import declared, tools
from .evidence import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .environment import Environment

SLOW = "conformance-"  # so begin the names of what takes a host seconds to tell
SQL = Path(__file__).parent / "sql"
REMOTE = Path(__file__).parent / "remote"

# How certbot keeps each certificate: whether it is there and renewed, and whose its keys are.
LINEAGES = (
    "cd /etc/letsencrypt; for name in {names}; do"
    " test -e renewal/$name.conf -a -e live/$name/cert.pem && echo kept $name;"
    " grep -iqE '^autorenew *= *(false|no|off|0) *$' renewal/$name.conf && echo unrenewed $name;"
    ' sed -nE "s/^(server|[a-z_]*hook) *= */given $name \\1 /p" renewal/$name.conf;'
    r" find archive/$name -name 'privkey*' -printf 'key %m %U %p\n'; done 2>/dev/null; true"
)
PINNED = "/etc/postgresql/art32/server.crt"
ACCESS_LOG = "/var/log/nginx/access.log"
SSHD_LOG = "journalctl -q --no-pager -o short-iso --since={} -t sshd -t sshd-session"

WITHOUT_CUSTOMERS = """
import json, sys
told = json.load(sys.stdin)
for member in told.get("members", []):
    if not member["staff"]:
        member["email"] = "(no staff)"
json.dump(told, sys.stdout, indent=1)
"""

# What decides whether the way in is as strict after the next start as it is now.
WAY_IN_UNITS = (
    *("ssh.service", "ssh.socket", "art32-revocations.timer", "art32-revocations.service", "art32-break-glass.service"),
    *("ufw.service", "nftables.service", "netfilter-persistent.service", "firewalld.service"),
)
UNIT_STATE = "Id,ActiveState,UnitFileState,FragmentPath,DropInPaths,NeedDaemonReload"
# Who owns each managed file, its mode and its content's digest.
FILES = """set --
for path in {}; do [ -f $path ] && set -- "$@" $path; done
[ $# = 0 ] || {{ sha256sum "$@"; stat -c '%U:%G %a %n' "$@"; }} |
  awk 'length($1) == 64 {{ digest[$2] = $1; next }} {{ print $1, $2, digest[$3], $3 }}'"""
# What nobody but root may change.
WRITABLE = "find {} ! -type l '(' -perm /022 -o ! -user root ')'"
GUARDED = {
    "firewall": "/etc/ufw /etc/default/ufw",
    "sshd": "/etc/ssh /etc/default/ssh /etc/systemd/system/ssh.service.d",
    "sudoers": "/etc/sudoers /etc/sudoers.d",
}
# When a unit last read its files, in seconds.
READ = """when=$(systemctl show --timestamp=us+utc -P StateChangeTimestamp {})
echo "read $(date -d "${{when:-@0}}" +%s.%N)"
"""
SSHD_RUNNING = f"""set -e
pid=$(systemctl show -P MainPID ssh.service)
echo "process $(tr '\\0' ' ' </proc/$pid/cmdline)"
{READ.format("ssh.service")}
find /etc/ssh/sshd_config -printf 'written %C@ %p\\n'
echo "release $(. /etc/os-release; echo $VERSION_CODENAME)"
"""

NGINX_READ = f"""set -e
cd /etc/nginx
{READ.format("nginx.service")}
find /etc/nginx ! -type d -printf 'written %C@ %p\\n' | sort -n -k 2 | tail -n 1
"""
# What was changed since a release was built. What is known about it is written as it is learned.
RELEASE = "cd {} && find . -mindepth 1 -newercc .complete ! -path ./release.json -printf '%P\\n'"

PER_ACCOUNT = (
    "for account in root $(ls /etc/ssh/principals); do"
    ' sshd -T -C "user=$account,host=any,addr=203.0.113.9" | sed "s/^/$account /"; done'
)
# Both kinds of iptables and nft itself: engines use any of them.
TRANSLATIONS = (
    "set -e; for family in iptables ip6tables; do $family-save -t nat; $family-legacy-save -t nat 2>/dev/null || true;"
    " done; nft list ruleset"
)

# What the roles keep, as they noted it on the host, and what is there.
MANIFESTS = shlex.join(["python3", "-c", (REMOTE / "manifests.py").read_text(encoding="utf-8")])
# What acts as root, or lets somebody become root, and is no package's.
OF_ROOT = shlex.join(["python3", "-c", (REMOTE / "root.py").read_text(encoding="utf-8")])
# What alarms are sent through, as it meets whoever asks from there.
MAIL_RELAY = shlex.join(["python3", "-c", (REMOTE / "relay.py").read_text(encoding="utf-8")])
# How the account that fetches or hands over backups gets to the other side: its settings, a login, no session.
SSH_SETTINGS = "hostname user stricthostkeychecking userknownhostsfile globalknownhostsfile passwordauthentication"
SSH_TOLD = "Connecting to|onnect to host|cipher:|erver host key|known and matches|ermanently added|erification failed"
SSH_LOGIN = f"""folder=$(mktemp -d)
ssh -G $1 | grep -E '^({SSH_SETTINGS.replace(" ", "|")}) '
ssh -v -M -S $folder/way -f -N $1 </dev/null >/dev/null 2>$folder/told
grep -E '{SSH_TOLD}|accepts key|Authenticated to|ermission denied' $folder/told
ssh -S $folder/way -O exit $1 2>/dev/null
rm -r $folder; true
"""
BACKUP_WAYS = r"grep -E '^(\[|(pg|repo)[0-9]+-(host|type))' /etc/pgbackrest/pgbackrest.conf"

EVERY_HOST = {
    VERSIONS: tools.VERSIONS,
    "rules-ipv4": "iptables-save -t filter",
    "rules-ipv6": "ip6tables-save -t filter",
    "rules-of-the-next-start": "/usr/local/lib/art32/firewall compare",
    **{f"writable-{part}": WRITABLE.format(where) for part, where in GUARDED.items()},
    "translations": TRANSLATIONS,
    "ufw-commands": "ls /etc/ufw/*.init 2>/dev/null || true",
    "way-in-units": f"systemctl show --property={UNIT_STATE} {' '.join(WAY_IN_UNITS)}",
    "sshd-running": SSHD_RUNNING,
    "sshd-drop-ins": "ls -d /etc/ssh/sshd_config.d/*.conf 2>/dev/null || true",
    "host-certificate": "TZ=UTC ssh-keygen -L -f $(sshd -T | awk '$1 == \"hostcertificate\" { print $2 }')",
    # The first of its keys, which the certificate is for.
    "host-key": 'ssh-keygen -l -f $(sshd -T | awk \'$1 == "hostkey" { print $2 ".pub"; exit }\')',
    "listening": "ss -H -ltun",
    "sshd-effective": "sshd -T",
    "sshd-effective-for-root": declared.SSHD_FOR_ROOT,
    "sshd-per-account": PER_ACCOUNT,
    "revoked-keys": "base64 --wrap=0 /etc/ssh/revoked_keys",
    "own-login": "set -- $SSH_CONNECTION; " + SSHD_LOG.format("-2h") + ' | grep -F " port $2 " | grep Accepted',
    "ssh-authorities": "cat $(sshd -T | awk '$1 == \"trustedusercakeys\" { print $2 }')",
    "accounts": "getent passwd",
    "groups": "getent group",
    # The kind of each password, never the hash.
    "passwords": 'getent shadow | awk -F: \'{ print $1, $2 == "" ? "empty" : $2 ~ /^[!*]/ ? "locked" : "set" }\'',
    "principals": "cd /etc/ssh/principals && grep -H . *",
    "mail-relay": MAIL_RELAY,
    "manifests": MANIFESTS,
    "of-root": OF_ROOT,
    # `#1000` is an account, and `#include` a directive.
    "sudoers": r"grep -RhvE '^[[:space:]]*(#([^0-9i].*)?)?$' /etc/sudoers /etc/sudoers.d",
    "sudoers-files": r"find /etc/sudoers.d -mindepth 1 -printf '%y %f\n'",
}
# What is asked when something else was done or seen first. A word in braces is filled in then: PLACES says with what.
LATER = {
    "log-of-bare-key": SSHD_LOG.format("-2min"),
    "log-of-own-requests": f"grep -F audit={{mark}} {ACCESS_LOG}",
    "changes": shlex.join(["python3", "-c", (REMOTE / "changes.py").read_text(encoding="utf-8")]) + " {since}",
}
PLACES = {"mark": "[0-9a-f]{16}", "since": "[0-9]{1,12}"}
# The metadata service answers only who has asked for a token first, and only on the machine itself.
PLACEMENT = (
    "token=$(curl --silent --show-error --fail --max-time 5 --request PUT"
    " --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' {url}/latest/api/token)"
    ' && curl --silent --show-error --fail --max-time 5 --header "X-aws-ec2-metadata-token: $token"'
    " {url}/latest/meta-data/placement/region"
)
# Without the key.
BUCKET = "grep -E '^repo1-(type|s3-bucket|s3-endpoint|s3-region|storage-verify-tls)=' /etc/pgbackrest/pgbackrest.conf"
METADATA = "http://169.254.169.254"


def for_host(environment: Environment, host: str) -> dict[str, str]:
    """The shell lines for one host, by the names under which the checks find the outputs."""
    commands = {**EVERY_HOST, "managed-files": FILES.format(" ".join(sorted(declared.paths())))}
    for part, of_part in PARTS.items():
        if host in environment.hosts(part):
            commands |= of_part(environment, host)
    return commands


def later(environment: Environment, host: str) -> dict[str, str]:
    """The shell lines for one host that are asked in the course of the checks, or after them, by their names."""
    endpoint = metadata_endpoint(environment, host)
    placement = {"placement-region": PLACEMENT.format(url=endpoint)} if endpoint else {}
    return {**LATER, **placement, **declared.sshd_settings(environment, host)}


def fill(line: str, **values: str) -> str:
    """A line of LATER with its places filled in."""
    for place, value in values.items():
        line = line.replace(f"{{{place}}}", value)
    return line


def metadata_endpoint(environment: Environment, host: str) -> str:
    """Where a host is told in which region it stands; empty when nothing is declared."""
    on_aws = environment.get("cloud_provider", "none", host=host) == "aws"
    endpoint = environment.get("audit_metadata_endpoint", METADATA if on_aws else "", host=host)
    return str(endpoint or "").rstrip("/")


def as_user(user: str, *words: str) -> str:
    """A shell line that runs a program as another account."""
    return shlex.join(["runuser", "-u", user, "--", *words])


def sql(statement: str, database: str = "postgres", *, writing: bool = False) -> str:
    """A shell line that asks the local cluster as its superuser, read only unless it is to try a change."""
    options = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement]
    read_only = [] if writing else ["env", "PGOPTIONS=-c default_transaction_read_only=on"]
    return as_user("postgres", *read_only, *options)


def _database(environment: Environment, host: str) -> dict[str, str]:
    inside = (SQL / "database.sql").read_text(encoding="utf-8")
    names = [service["database"] for service in environment.services if service["database"]]
    return {
        "cluster": sql((SQL / "cluster.sql").read_text(encoding="utf-8")),
        **{f"database-{name}": sql(inside, name) for name in names},
        "database-certificate": f"cat {PINNED}",
        "clusters": "ls /etc/postgresql/*/*/postgresql.conf",
        "database-handshake": "openssl s_client -brief -starttls postgres -connect localhost:5432 </dev/null 2>&1",
        "restore-drill": "cat /var/lib/art32/drill/report.json",
        **_ways(environment, "postgres", environment.hosts("backup")),
    }


def _web(environment: Environment, host: str) -> dict[str, str]:
    names = shlex.join(service["domain"] for service in environment.services_on(host))
    return {
        "certificates-kept": LINEAGES.format(names=names),
        "nginx-effective": "nginx -T",
        "nginx-read": NGINX_READ,
        "nginx-logrotate": "cat /etc/logrotate.d/nginx",
        "nginx-log-ages": r"find /var/log/nginx -name 'access.log*' -size +0 -printf '%T@ %f\n'",
        "logrotate-timer": "systemctl show --value --property=ActiveState,UnitFileState logrotate.timer",
    }


def _app(environment: Environment, host: str) -> dict[str, str]:
    asked = [service for service in environment.services_on(host) if service["conformance"]]
    told = {f"{SLOW}{service['name']}": conformance(service["name"], service["conformance"]) for service in asked}
    for service in environment.services_on(host):
        told |= reach(service["name"], service["talks_to"])
        told[f"release-{service['name']}"] = RELEASE.format(shlex.quote(f"/srv/{service['name']}/current/"))
    return {**told, "resolvers": "awk '$1 == \"nameserver\" { print $2 }' /etc/resolv.conf"}


def reach(name: str, talks_to: Sequence[str]) -> dict[str, str]:
    """What a service's units may reach, what the names that it talks to mean now, and what they meant lately."""
    hosts = " ".join(shlex.quote(entry.rpartition(":")[0]) for entry in talks_to if entry[0] != "[")
    kinds = ("", "-candidate", "-migrate", "-restored", ".*")
    units = " ".join(f"art32-{name}{kind}.service" for kind in kinds)
    properties = "--property=Id,IPAddressAllow,IPAddressDeny,PrivateNetwork"
    return {
        f"units-{name}": f"cd /etc/systemd/system; systemctl show {properties} $(ls -d {units} 2>/dev/null)",
        f"names-{name}": f"for name in {hosts}; do getent ahosts $name | awk -v n=$name '{{ print n, $1 }}'; done",
        f"addresses-{name}": f"cat /run/art32-addresses/{name}.json 2>/dev/null || echo '{{}}'",
    }


def conformance(name: str, words: Sequence[str]) -> str:
    """A shell line that lets a service tell what it does, as its own account and with what its process was given.

    Addresses of people who are no staff are data of the customers and not written down.
    """
    current = shlex.quote(f"/srv/{name}/current")
    program = shlex.join([f"{current}/bin/{words[0]}", *words[1:]])
    run = f'cd {current} && exec runuser -u {shlex.quote(name)} -- env -i "$@" {program}'
    return (
        f"pid=$(systemctl show --value --property=MainPID {shlex.quote(f'art32-{name}.service')}); "
        f"xargs -0 -a /proc/$pid/environ sh -c {shlex.quote(run)} sh | python3 -c {shlex.quote(WITHOUT_CUSTOMERS)}"
    )


def _ways(environment: Environment, account: str, hosts: Sequence[str]) -> dict[str, str]:
    """Shell lines that tell how an account's backups go to or come from other hosts; in a bucket nobody logs in."""
    if environment.backs_up_to_bucket:
        return {}
    login = partial(as_user, account, "sh", "-c", SSH_LOGIN, "sh")
    return {f"backup-way-{host}": f"{BACKUP_WAYS}; {login(host)}" for host in hosts}


def _backup(environment: Environment, host: str) -> dict[str, str]:
    account = "postgres" if environment.backs_up_to_bucket else "pgbackrest"
    properties = "--property=ActiveState,UnitFileState,TimersCalendar,LastTriggerUSec,NextElapseUSecRealtime"
    return {
        "repository": as_user(account, "pgbackrest", "--output=json", "--log-level-console=warn", "info"),
        **({"backup-bucket": BUCKET} if environment.backs_up_to_bucket else {}),
        **{
            f"backup-timer-{source}": f"systemctl show {properties} art32-backup@{source}.timer"
            for source in environment.backed_up_by(host)
        },
        **{
            f"backup-verified-{source}": f"cat /var/lib/art32/backup/{shlex.quote(source)}.json"
            for source in environment.backed_up_by(host)
        },
        **_ways(environment, "pgbackrest", environment.hosts("database")),
    }


PARTS: Mapping[str, Callable[[Environment, str], dict[str, str]]] = {
    "database": _database,
    "web": _web,
    "app": _app,
    "backup": _backup,
}
