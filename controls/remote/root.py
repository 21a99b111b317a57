"""Prints what acts as root on the host it is run on, or lets somebody become root, and comes from no package as it is.

It is read by the host's Python from its command line, so it needs nothing but the standard library. Of what files say
it prints the lines of PAM, and the names of variables.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import stat
import subprocess
import sys
from hashlib import md5
from pathlib import Path

UNIT_PLACES = ("/etc", "/run", "/usr/local/lib", "/usr/lib")
# What root's programs are started by, or read first; what stands there says what root does.
PLACES = (
    *("/etc/crontab", "/etc/cron.*/*", "/var/spool/cron/**/*", "/etc/rc.local", "/etc/init.d/*"),
    *(f"{top}/systemd/{kind}/**/*" for top in UNIT_PLACES for kind in ("system", "user", "system-generators")),
    *(f"{top}/systemd/system.control/**/*" for top in ("/etc", "/run")),
    *(f"/run/systemd/transient/*.{kind}" for kind in ("service", "timer", "path", "socket")),
    *("/etc/systemd/*.conf", "/etc/systemd/*.conf.d/*", "/var/lib/systemd/linger/*"),
    *("/etc/profile", "/etc/profile.d/*", "/etc/bash.bashrc", "/etc/environment.d/*", "/etc/ld.so.conf"),
    *("/etc/ld.so.conf.d/*", "/etc/pam.d/*", "/etc/security/**/*", "/usr/share/pam-configs/*", "/etc/polkit-1/**/*"),
    *("/etc/apt/*.conf", "/etc/apt/apt.conf.d/*", "/etc/apt/sources.list", "/etc/apt/sources.list.d/*"),
    *(
        "/etc/apt/trusted.gpg",
        "/etc/apt/trusted.gpg.d/*",
        "/etc/apt/keyrings/*",
        "/etc/dpkg/dpkg.cfg",
        "/etc/dpkg/*.d/*",
    ),
    *("/etc/udev/rules.d/*", "/etc/modprobe.d/*", "/etc/modules-load.d/*", "/etc/network/if-*.d/*"),
    *("/etc/update-motd.d/*", "/etc/logrotate.conf", "/etc/logrotate.d/*", "/etc/rsyslog.conf", "/etc/rsyslog.d/*"),
    *("/etc/sudo.conf", "/usr/local/bin/*", "/usr/local/sbin/*", "/usr/local/share/ca-certificates/**/*"),
)
# Whoever may change one of these is root, and whoever may read the last two can try passwords.
GUARDED = (
    *("/", "/etc", "/usr", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/sbin"),
    *("/root", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"),
)
OWNERS_RIGHTS = stat.S_ISUID | stat.S_ISGID
# As the package made it, in whichever of its versions.
PROFILE, PROFILES_MADE = "/etc/profile", Path("/usr/share/base-files/profile.md5sums")
# What makes apt believe an archive that nobody signs, and by which key it believes another.
UNSIGNED = re.compile(
    r"\b(?:trusted|allow-insecure|allow-weak|allow-downgrade-to-insecure)\s*[=:]\s*yes\b", re.IGNORECASE
)
SIGNED_BY = re.compile(r"\bsigned-by\s*[=:]\s*([^\s\]]*)", re.IGNORECASE)
PASSWORD_IN_ADDRESS = re.compile(r"//[^/@\s]*@")
PACKAGES, STATUS, UCF = Path("/var/lib/dpkg/info"), Path("/var/lib/dpkg/status"), Path("/var/lib/ucf/hashfile")
CONFFILE = re.compile(r"^ (/\S+) ([0-9a-f]{32})$", re.MULTILINE)
COMMON = "/etc/pam.d/common-*"
# What pam-auth-update makes it of: packages' profiles, and the frame, whose lines begin with what they are for.
PROFILES, FRAME = "/usr/share/pam-configs/*", "/usr/share/pam/common-*"


def below(pattern: str) -> list[Path]:
    """The files and links that fit a pattern; a place that is one file fits itself."""
    return [path for path in Path("/").glob(pattern[1:]) if path.is_symlink() or path.is_file()]


def packaged() -> set[str]:
    """Every path that a package has, under /usr where Debian has moved it."""
    found: set[str] = set()
    for listed in PACKAGES.glob("*.list"):
        found.update(listed.read_text(encoding="utf-8", errors="replace").splitlines())
    return found | {f"/usr{path}" for path in found if path.startswith(("/bin/", "/lib", "/sbin/"))}


def digests() -> dict[str, set[str]]:
    """What the settings of packages are as the packages brought them, or as Debian's own tools laid them down."""
    known: dict[str, set[str]] = {}
    for path, digest in CONFFILE.findall(STATUS.read_text(encoding="utf-8", errors="replace")):
        known.setdefault(path, set()).add(digest)
    if UCF.exists():
        for line in UCF.read_text(encoding="utf-8").splitlines():
            digest, _, path = line.partition("  ")
            known.setdefault(path, set()).add(digest)
    if PROFILES_MADE.exists():
        known[PROFILE] = {line.split()[0] for line in PROFILES_MADE.read_text(encoding="utf-8").splitlines()}
    return known


def strangers(of_packages: set[str], brought: dict[str, set[str]]) -> dict[str, str]:
    """What stands in the places and is no package's, or not as the package has it; links by what they lead to."""
    found = {}
    for path in sorted({path for place in PLACES for path in below(place)}):
        name = str(path)
        if path.is_symlink():
            leads_to = os.path.normpath(path.parent / path.readlink())
            if name not in of_packages and not {leads_to, f"/usr{leads_to}"} & of_packages and leads_to != "/dev/null":
                found[name] = f"leads to {leads_to}"
        elif name in brought:
            digest = md5(path.read_bytes(), usedforsecurity=False).hexdigest()  # what dpkg keeps
            if digest not in brought[name]:
                found[name] = "is not as its package has it"
        elif name not in of_packages:
            found[name] = "comes from no package"
    return found


def attributes(path: str) -> dict[str, str]:
    """Who owns it, and its mode."""
    found = os.lstat(path)
    return {
        "owner": name_of(pwd.getpwuid, found.st_uid),
        "group": name_of(grp.getgrgid, found.st_gid),
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
    }


def name_of(lookup: object, number: int) -> str:
    """An account's or a group's name, or else its number."""
    try:
        return str(lookup(number)[0])  # type: ignore[operator]
    except KeyError:
        return str(number)


def mounts() -> list[str]:
    """Where file systems of this machine are mounted from which a program may take its owner's rights."""
    found = {"/"}
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        device, where, kind, options = line.split()[:4]
        if "nosuid" not in options.split(",") and (device.startswith("/dev/") or kind in ("tmpfs", "zfs")):
            found.add(where.encode().decode("unicode_escape"))
    return sorted(where for where in found if Path(where).is_dir())


def privileged(of_packages: set[str]) -> dict[str, dict[str, str]]:
    """Programs that run with their owner's rights, or with rights of the kernel, whoever starts them."""
    programs = executables()
    found = {path: {"rights": "its owner's"} for path, mode in programs.items() if mode & OWNERS_RIGHTS}
    asked = "\0".join(programs).encode(errors="surrogateescape")
    listed = subprocess.run(["xargs", "-0", "-r", "getcap"], input=asked, capture_output=True, check=False).stdout
    for line in listed.decode(errors="replace").splitlines():
        path, _, rights = line.replace(" = ", " ").rpartition(" ")
        found.setdefault(path, {})["rights"] = rights
    return {
        path: {**entry, **attributes(path), "package": "yes" if path in of_packages else "no"}
        for path, entry in sorted(found.items())
        if os.path.lexists(path)
    }


def executables() -> dict[str, int]:
    """The modes of all that can be started, but for where only root gets; one walk over this machine's file systems."""
    roots_own = ["-type", "d", "!", "-perm", "-0001", "-user", "root", "-group", "root", "-prune"]
    started = ["-type", "f", "-perm", "/6111", "-printf", r"%m %p\0"]
    command = ["find", *mounts(), "-xdev", *roots_own, "-o", *started]
    printed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    entries = (entry.partition(" ") for entry in printed.decode(errors="surrogateescape").split("\0") if entry)
    return {path: int(mode, 8) for mode, _, path in entries}


def lines(pattern: str) -> list[str]:
    """The lines of files, without what is a remark."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(below(pattern))]
    return [line.strip() for text in texts for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]


def believed(of_packages: set[str]) -> dict[str, str]:
    """What apt believes besides the keys that packages brought, by the line that says so: a key, or `anybody`."""
    found = {}
    for line in [*lines("/etc/apt/sources.list"), *lines("/etc/apt/sources.list.d/*")]:
        by = SIGNED_BY.search(line)
        key = by[1] if by else None
        if UNSIGNED.search(line):
            found[line] = "anybody"
        elif key == "":
            found[line] = "a key of its own"
        elif key and key.startswith("/") and key not in of_packages:
            found[line] = key
    return {PASSWORD_IN_ADDRESS.sub("//", line): key for line, key in found.items()}


def managers() -> list[str]:
    """Who may bring others into a group: whoever administers it, or knows its password."""
    told = []
    for line in lines("/etc/gshadow"):
        group, password, administrators, *_ = [*line.split(":"), "", ""]
        told += [f"{name} administers the group {group}" for name in administrators.split(",") if name]
        told += [f"the group {group} has a password"] if password and password[0] not in "!*" else []
    return told


def variables() -> list[str]:
    """The names of the variables that every session begins with."""
    found = [line for path in ("/etc/environment", "/etc/default/locale") for line in lines(path)]
    return sorted({line.removeprefix("export ").partition("=")[0] for line in found})


def main() -> None:
    """Print all of it."""
    of_packages = packaged()
    told = {
        "strangers": strangers(of_packages, digests()),
        "privileged": privileged(of_packages),
        "guarded": {path: attributes(path) for path in GUARDED if os.path.lexists(path)},
        "preloaded": lines("/etc/ld.so.preload"),
        "variables": variables(),
        "believed": believed(of_packages),
        "managers": managers(),
        "pam": lines(COMMON),
        "profiles": [*lines(PROFILES), *(line.split(None, 1)[-1] for line in lines(FRAME))],
    }
    json.dump(told, sys.stdout, indent=1)


main()
