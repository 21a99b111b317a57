# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked of an operator who gives no file of answers, one question at a time."""

from __future__ import annotations

__all__ = ["QUESTIONS", "Question", "answered", "complete", "missing", "read"]

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .answers import check_answers

if TYPE_CHECKING:
    from .problems import Problem

# A name that stands for the environment's while single answers are checked.
ANY = "any"


def _text(said: str) -> str:
    return said


def _list(said: str) -> list[str]:
    return [word for word in re.split(r"[,\s]+", said) if word]


def _host(said: str) -> dict[str, Any]:
    """The addresses of one host; the first may be of either family."""
    words = _list(said)
    extra = {"ipv6": words[1]} if len(words) > 1 else {}
    return {"address": words[0], **extra} if words else {}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked for one answer; `only` tells whether it is asked at all, `default` what Enter stands for."""

    path: tuple[str, ...]
    text: str
    default: Callable[[Mapping[str, Any]], str] = lambda _: ""
    read: Callable[[str], Any] = _text
    only: Callable[[Mapping[str, Any]], bool] = lambda _: True
    optional: bool = False

    @property
    def name(self) -> str:
        """The answer's name in a file of answers and in messages."""
        return ".".join(("answers", *self.path))


def missing(answers: Mapping[str, Any]) -> list[Question]:
    """The questions that these answers leave open."""
    return [question for question in QUESTIONS if not _has(answers, question.path)]


def complete(answers: Mapping[str, Any]) -> bool:
    """Whether nothing that is needed has to be asked."""
    return all(question.optional or not question.only(answers) for question in missing(answers))


def read(question: Question, said: str, answers: Mapping[str, Any]) -> tuple[Any, list[Problem]]:
    """The answer that a text means, and what is wrong with it; None when an optional one is left empty."""
    text = said.strip() or question.default(answers)
    if not text and question.optional:
        return None, []
    value = question.read(text)
    together = answered(answers, question.path, value)
    found = [problem for problem in check_answers(ANY, together) if _concerns(problem, question)]
    return value, found


def answered(answers: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:  # noqa: ANN401
    """The answers with one more."""
    below = answered(answers.get(path[0], {}), path[1:], value) if len(path) > 1 else value
    return {**answers, path[0]: below}


def _concerns(problem: Problem, question: Question) -> bool:
    return re.match(rf"{re.escape(question.name)}(?![a-z_])", problem.variable) is not None


def _has(answers: Any, path: Sequence[str]) -> bool:  # noqa: ANN401 - what the operator wrote
    for key in path:
        if not isinstance(answers, Mapping) or key not in answers:
            return False
        answers = answers[key]
    return True


def _machine(name: str) -> Callable[[Mapping[str, Any]], bool]:
    """Machines are asked for one by one unless a file of answers has named any."""
    return lambda answers: (
        answers.get("cloud") != "aws" and set(answers.get("hosts", {})) <= {"server", "backup"} - {name}
    )


QUESTIONS: Sequence[Question] = (
    Question(path=("provider_name",), text="The provider's name, as customers know it"),
    Question(path=("contact",), text="The address that reaches the provider's team"),
    Question(path=("domain",), text="The platform's domain"),
    Question(path=("operator", "name"), text="Your account's name on the servers"),
    Question(
        path=("operator", "email"),
        text="Your e-mail address",
        default=lambda answers: str(answers.get("contact", "")),
    ),
    Question(path=("region",), text="The region of every machine and backup", default=lambda _: "eu-central-1"),
    Question(
        path=("management",),
        text="The networks that your people sit in (only these reach the database), with commas",
        read=_list,
    ),
    Question(
        path=("cloud",),
        text="Who makes the machines: aws (playbooks/cloud.yml does) or none (they are there)",
        default=lambda _: "none",
        only=lambda answers: "hosts" not in answers,
    ),
    Question(
        path=("bucket",),
        text="The name of the bucket for backups; nobody in the world may have it yet",
        default=lambda answers: f"{str(answers.get('domain', '')).replace('.', '-')}-backups",
        only=lambda answers: answers.get("cloud") == "aws",
    ),
    Question(
        path=("hosts", "server"),
        text="The server's addresses, IPv4 and IPv6, with a comma",
        read=_host,
        only=_machine("server"),
    ),
    Question(
        path=("hosts", "backup"),
        text="The addresses of the machine that keeps the backups",
        read=_host,
        only=_machine("backup"),
    ),
    Question(path=("first_user",), text="The account that a new machine has", default=lambda _: "admin"),
    Question(
        path=("first_key",),
        text="The private key that a new machine accepts",
        default=lambda _: "~/.ssh/id_ed25519",
    ),
    Question(path=("mail_relay",), text="Your mail relay, HOST:PORT (Enter: none)", optional=True),
)
