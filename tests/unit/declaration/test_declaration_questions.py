"""What is asked for when no file of answers says it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.declaration.answers import check_answers, hosts_of
from ansible_collections.art32.server.plugins.module_utils.declaration.escrow import SheetError, retyped, sheet
from ansible_collections.art32.server.plugins.module_utils.declaration.questions import (
    answered,
    complete,
    missing,
    read,
)

SAID = {
    "answers.provider_name": "Provider GmbH",
    "answers.contact": "privacy@provider.example",
    "answers.domain": "platform.provider.example",
    "answers.operator.name": "jane",
    "answers.operator.email": "",
    "answers.region": "",
    "answers.management": "198.51.100.5/32, 2001:db8:5::/64",
    "answers.cloud": "",
    "answers.hosts.server": "203.0.113.10, 2001:db8::10",
    "answers.hosts.backup": "203.0.113.11",
    "answers.first_user": "",
    "answers.first_key": "~/.ssh/first",
    "answers.mail_relay": "",
}


def told(said: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The answers that follow from what was said, and the names of what was asked."""
    answers: dict[str, Any] = {}
    asked = []
    for question in missing(answers):
        if not question.only(answers):
            continue
        asked.append(question.name)
        value, problems = read(question, said[question.name], answers)
        assert problems == []
        if value is not None:
            answers = answered(answers, question.path, value)
    return answers, asked


def test_the_questions_lead_to_answers_that_stand() -> None:
    answers, asked = told(SAID)
    assert asked == list(SAID)
    assert check_answers("production", answers) == []
    assert complete(answers)
    assert answers["operator"] == {"name": "jane", "email": "privacy@provider.example"}
    assert answers["hosts"]["server"] == {"address": "203.0.113.10", "ipv6": "2001:db8::10"}


def test_of_machines_that_aws_makes_no_address_is_asked() -> None:
    answers, asked = told(SAID | {"answers.cloud": "aws", "answers.bucket": ""})
    assert answers["bucket"] == "platform-provider-example-backups"
    assert not [name for name in asked if "hosts" in name]
    assert check_answers("production", answers) == []
    hosts, groups = hosts_of(answers)
    assert hosts == {"server": {}, "backup": {}}
    assert list(groups["backup_repository"]["hosts"]) == ["backup"]


@pytest.mark.parametrize(
    ("name", "said", "message"),
    [
        ("answers.contact", "nobody", "answers.contact: nobody is not allowed; an e-mail address"),
        ("answers.region", "us-east-1", "answers.region: us-east-1 is not allowed; eu-central-1"),
        (
            "answers.management",
            "0.0.0.0/0",
            "answers.management[0]: 0.0.0.0/0 is not allowed; a network of /8 or narrower (write anywhere",
        ),
        ("answers.operator.name", "root", "answers.operator.name: root is not allowed; "),
        ("answers.hosts.server", "somewhere", "answers.hosts.server.address: somewhere is not allowed; an IPv4 or"),
        ("answers.cloud", "azure", "answers.cloud: azure is not allowed; aws (playbooks/cloud.yml makes the machines)"),
        ("answers.provider_name", "", 'answers.provider_name: "" is not allowed; the provider\'s name'),
    ],
)
def test_a_wrong_answer_is_refused_by_itself(name: str, said: str, message: str) -> None:
    [question] = [question for question in missing({}) if question.name == name]
    _, problems = read(question, said, {"contact": "x"})
    assert [str(problem)[: len(message)] for problem in problems] == [message]


def test_a_sheet_can_be_typed_again() -> None:
    secret = "AbCd-0123_" * 7
    page = sheet("production", date(2026, 11, 24), {"Key": ("What it opens.", secret)})
    assert max(map(len, page.splitlines())) <= 78
    lines = [line for line in page.splitlines() if line.startswith("    ")]
    assert retyped(lines) == secret
    assert retyped(line.replace(" ", "") for line in lines) == secret
    with pytest.raises(SheetError, match=r"^line 1: .*; its check does not match"):
        retyped([lines[0].replace("A", "B", 1), *lines[1:]])
    with pytest.raises(SheetError, match=r"^line 1: "):
        retyped(reversed(lines))
