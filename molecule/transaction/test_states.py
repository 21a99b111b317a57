"""What counts as a difference, what does not, and what a prediction is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import PENDING, until

if TYPE_CHECKING:
    from conftest import Host, Plays

TREE = "find /etc /usr/local /var/lib /root -xdev -printf '%p %m %U %G %l %C@\\n' | sha256sum"


def test_nothing_is_left_pending(lantern: Host, plays: Plays) -> None:
    done = plays.run()
    assert (done.status, done.changed) == (0, False), done.output
    assert not lantern.pending()
    assert lantern.says("systemctl list-timers --all 'art32-revert-*' --no-legend | wc -l") == "0"


def test_check_mode_predicts_everything_and_touches_nothing(fresh: Host, plays: Plays) -> None:
    fresh.says(TREE)  # sudo's and the shell's own first traces
    before = fresh.says(TREE)
    predicted = plays.result("--check", "--diff")
    assert fresh.says(TREE) == before
    assert fresh.ssh("test -e /var/lib/art32 -o -e /run/art32").returncode != 0
    real = plays.result("--diff")
    assert predicted["state"] == "predicted"
    assert predicted["changes"] == real["changes"]
    assert predicted["diff"] == real["diff"]
    assert "Make /etc/lantern/lantern.json" in real["changes"]
    again = plays.result("--check", "--diff")
    assert (again["changed"], again["changes"]) == (False, [])


def test_check_mode_waits_with_a_validation_that_needs_a_package(fresh: Host, plays: Plays) -> None:
    fresh.says("apt-get -q -y purge tree || true")
    result = plays.result("--check", packages=["tree"], playbook="package.yml")
    assert result["notes"] == ["not validated yet: /usr/bin/tree is not installed"]
    assert "Install the package tree" in result["changes"]


def test_check_mode_fails_where_the_run_would(lantern: Host, plays: Plays) -> None:
    result = plays.result("--check", word='quo"te')
    assert "Validation failed" in result["msg"]


def test_a_file_changed_by_hand_is_repaired_and_loaded(lantern: Host, plays: Plays) -> None:
    lantern.says("sed -i s/first/edited/ /etc/lantern/lantern.json; systemctl reload lantern")
    until(lambda: lantern.word() == "edited", "the service reads what was edited")
    result = plays.result()
    assert result["changes"] == ["Change the content of /etc/lantern/lantern.json", "Reload lantern.service"]
    assert lantern.word() == "first"


def test_what_undoes_changes_is_laid_down_again_where_somebody_changed_it(lantern: Host, plays: Plays) -> None:
    program, units = "/usr/local/sbin/art32-revert", "/etc/systemd/system"
    boot, drop_in = f"{units}/art32-revert-boot.service", f"{units}/art32-revert-boot.service.d/other.conf"
    link = f"{units}/sysinit.target.wants/art32-revert-boot.service"
    state = f"sha256sum {program} {boot}; stat -c '%n %U %a %N' {program} {boot} {link}; cat {units}/art32-revert-*.d/*"
    assert plays.result()["changed"] is False
    before = lantern.ssh(state).stdout
    lantern.says(f"echo >>{program}; chmod 0666 {boot}; rm {link}; install -D /dev/null {drop_in}")
    predicted, result = plays.result("--check"), plays.result()
    changed = [f"Lay down {path} again: it is not what was laid down" for path in (program, boot, link, drop_in)]
    assert (predicted["changes"], result["changes"], result["state"]) == (changed, changed, "committed")
    assert lantern.ssh(state).stdout == before
    assert plays.result()["changed"] is False


def test_owner_and_mode_are_repaired(lantern: Host, plays: Plays) -> None:
    lantern.says("chmod 0600 /etc/lantern/lantern.json; chown daemon:daemon /etc/lantern/words")
    result = plays.result("--diff")
    assert result["changes"][:2] == [
        "Change /etc/lantern/words: owner from daemon to root, group from daemon to root",
        "Change /etc/lantern/lantern.json: mode from 0600 to 0644",
    ]
    assert lantern.says("stat -c '%a %U' /etc/lantern/lantern.json /etc/lantern/words").split() == [
        "644",
        "root",
        "755",
        "root",
    ]


def test_a_service_with_an_older_configuration_than_its_file_is_found(lantern: Host, plays: Plays) -> None:
    lantern.says("sed -i s/first/second/ /etc/lantern/lantern.json")
    assert lantern.word() == "first"
    result = plays.result(word="second")
    assert result["changes"] == [
        "Reload lantern.service: it runs with an older configuration than /etc/lantern/lantern.json"
    ]
    assert lantern.word() == "second"


def test_a_restart_by_hand_is_no_difference(lantern: Host, plays: Plays) -> None:
    lantern.says("systemctl restart lantern")
    assert not plays.result()["changed"]
    lantern.says("systemctl reload lantern")
    assert not plays.result()["changed"]


def test_a_reboot_is_no_difference(lantern: Host, plays: Plays) -> None:
    lantern.reboot()
    assert lantern.ssh("test -e /run/art32/stamps/lantern.json").returncode != 0
    assert not plays.result()["changed"]
    assert lantern.ssh("test -e /run/art32/stamps/lantern.json").returncode == 0


def test_a_stopped_and_disabled_unit_is_a_difference(lantern: Host, plays: Plays) -> None:
    lantern.says("systemctl disable --now lantern")
    assert plays.result()["changes"][0] == "Enable and start lantern.service"
    assert lantern.word() == "first"


def test_an_undeclared_file_in_an_owned_place_is_removed(lantern: Host, plays: Plays) -> None:
    lantern.says("echo mine > /etc/lantern/words/mine")
    result = plays.result()
    assert result["changes"][0] == "Remove /etc/lantern/words/mine, which nobody declared"
    assert lantern.says("ls /etc/lantern/words") == "now"


LIST = "/var/lib/art32/transaction/manifest/lantern.json"
KEY = "/var/lib/art32/transaction/manifest.key"


def test_the_list_of_what_is_declared_comes_changes_and_goes_back_with_it(lantern: Host, plays: Plays) -> None:
    lantern.says(f"rm -f {LIST}")
    first = plays.result(manifest=True)
    assert first["changes"][-1] == f"Make {LIST}"
    assert "nothing to hide" not in lantern.says(f"cat {LIST}")
    assert not plays.result(manifest=True)["changed"]
    before = lantern.says(f"cat {LIST}")
    assert plays.result(manifest=True, word="second", probes=[{"port": 9, "timeout": 1}])["state"] == "reverted"
    assert lantern.says(f"cat {LIST}") == before
    assert plays.result(manifest=True, word="second")["changes"] == [
        *("Change the content of /etc/lantern/lantern.json", "Reload lantern.service"),
    ]
    assert lantern.says(f"cat {LIST}") != before
    lantern.says(f"rm {LIST}")
    assert plays.result(manifest=True, word="second")["changes"] == [f"Make {LIST}"]
    lantern.says(f"rm {KEY}")
    assert f"Make {KEY}" in plays.result(manifest=True, word="second")["changes"]
    assert not plays.result(manifest=True, word="second")["changed"]
    assert lantern.says(f"stat -c '%U %a' {KEY}") == "root 600"
    assert plays.result()["changed"]


def test_what_was_loaded_is_compared_with_what_is(lantern: Host, plays: Plays) -> None:
    lantern.says("echo one > /run/lantern.state")
    loaded = ["cat /run/lantern.state"]
    assert plays.result(loaded=loaded)["changed"]
    assert not plays.result(loaded=loaded)["changed"]
    lantern.says("echo two > /run/lantern.state")
    assert plays.result(loaded=loaded)["changes"] == [
        "Activate again: `cat /run/lantern.state` prints something else than what was confirmed"
    ]


FINISHED = "/root/finished"
# Succeeds only where nothing is pending any more.
FINISH = {"command": ["sh", "-c", f"test ! -e {PENDING} && echo done >>{FINISHED}"], "files": ["/etc/lantern/*"]}


@pytest.mark.parametrize("login", [False, True], ids=["by probes", "by a login"])
def test_what_follows_is_run_once_the_change_is_final(lantern: Host, plays: Plays, *, login: bool) -> None:
    lantern.says(f"rm -f {FINISHED}")
    predicted = plays.result("--check", word="second", login=login, finish=[FINISH])
    assert lantern.file(FINISHED) == ""
    result = plays.result(word="second", login=login, finish=[FINISH])
    assert (result["state"], lantern.file(FINISHED)) == ("committed", "done")
    assert result["changes"][-1].startswith("Run sh -c ")
    assert predicted["changes"] == result["changes"]
    assert not plays.result(word="second", login=login, finish=[FINISH])["changed"]
    assert lantern.file(FINISHED) == "done"


def test_what_follows_is_not_run_when_the_change_is_taken_back(lantern: Host, plays: Plays) -> None:
    lantern.says(f"rm -f {FINISHED}")
    result = plays.result(word="second", finish=[FINISH], probes=[{"port": 7778, "timeout": 1}])
    assert result["state"] == "reverted"
    assert lantern.file(FINISHED) == ""
    # Nor is it owed.
    assert "Run sh" not in str(plays.result(finish=[FINISH], word="first")["changes"])


@pytest.mark.parametrize("login", [False, True], ids=["by probes", "by a login"])
def test_what_could_not_follow_stays_owed(lantern: Host, plays: Plays, *, login: bool) -> None:
    lantern.says(f"rm -f {FINISHED} /root/allowed")
    needs = {"command": ["sh", "-c", f"cat /root/allowed && echo done >>{FINISHED}"], "files": ["/etc/lantern/*"]}
    failed = plays.result(word="second", login=login, finish=[needs])
    assert (failed["failed"], failed["state"], lantern.word()) == (True, "committed", "second")
    assert "The change of lantern is final, but what has to follow failed: sh -c" in failed["msg"]
    lantern.says("echo yes >/root/allowed")
    result = plays.result(word="second", login=login, finish=[needs])
    assert [change.rpartition(": ")[2] for change in result["changes"]] == [
        "it was not run when the last change became final"
    ]
    assert (result["notes"], lantern.file(FINISHED)) == (["yes"], "done")
    assert not plays.result(word="second", login=login, finish=[needs])["changed"]


def test_what_a_package_has_is_kept_while_nobody_changed_it(lantern: Host, plays: Plays) -> None:
    """Beside a stranger's file; which configuration file it is does not matter."""
    lantern.says("echo stranger >/etc/sudo_stranger; cp /etc/sudo.conf /root/")
    try:
        result = plays.result(playbook="shipped.yml")
        assert result["changes"] == ["Remove /etc/sudo_stranger, which nobody declared"]
        lantern.says("echo '# changed' >>/etc/sudo.conf")
        assert plays.result("--check", playbook="shipped.yml")["changes"] == [
            "Remove /etc/sudo.conf, which nobody declared"
        ]
    finally:
        lantern.says("cp /root/sudo.conf /etc/sudo.conf")
