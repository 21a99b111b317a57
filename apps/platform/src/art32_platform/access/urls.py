"""Every URL that the resolver knows, each with its policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.admindocs.views import simplify_regex
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

from art32_platform.access.policies import ADMIN, Policy, policy_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Page", "pages", "without_policy"]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One URL pattern."""

    pattern: str
    name: str
    policy: Policy

    @property
    def admin(self) -> bool:
        """Whether it is one of the administration's."""
        return self.name.startswith(ADMIN)


def pages() -> list[Page]:
    """All that have a policy, in the resolver's order."""
    return [page for page in _walk(get_resolver(), "/", "") if isinstance(page, Page)]


def without_policy() -> list[str]:
    """Patterns of those that have none, or no name by which one could be given; the gate refuses them to everybody."""
    return [page for page in _walk(get_resolver(), "/", "") if isinstance(page, str)]


def _walk(resolver: URLResolver, prefix: str, namespace: str) -> Iterator[Page | str]:
    for entry in resolver.url_patterns:
        pattern = prefix + _readable(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry, pattern, f"{namespace}{entry.namespace}:" if entry.namespace else namespace)
        elif isinstance(entry, URLPattern):
            name = namespace + (entry.name or "")
            try:
                yield Page(pattern=pattern, name=name, policy=policy_of(name))
            except ImproperlyConfigured:
                yield pattern


def _readable(pattern: object) -> str:
    """The pattern as people write it; Django's admin still has one that is a regular expression."""
    return simplify_regex(str(pattern)).lstrip("/") if isinstance(pattern, RegexPattern) else str(pattern)
