"""What the audit's judges say of a platform, from its answer alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from controls.judges import conformance as judges

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["problems"]


def problems(
    told: Mapping[str, Any], *, declared: Iterable[Mapping[str, str]], cost: int, database: str
) -> dict[str, list[str]]:
    """Each control with what speaks against it.

    Raises AssertionError when the answer has another form than the audit reads.
    """
    assert judges.form_problems(told) == []
    return {
        "ACC-1": judges.staff_problems(told["members"], declared) + judges.access_problems(told["staff_access"]),
        "ACC-2": judges.password_problems(told["passwords"], cost) + judges.login_problems(told["logins"]),
        "ACC-3": judges.policy_problems(told)
        + judges.url_problems(told["urls"], ["/admin/"])
        + judges.attempt_problems(told["attempts"], told["urls"]),
        "TLS-1": judges.mail_problems(told["mail"]),
        "LOG-1": judges.activity_problems(told["activity"]),
        "JOB-1": judges.training_problems(told["training"], datetime.now(tz=UTC).date())
        + ([] if told["help"]["address"] else ["help is mailed to nobody"]),
        "PUR-1": judges.store_problems(told["stores"], database, []),
    }
