"""What can go wrong between us and the API server, in the few kinds that call for different answers.

`rest.py` translates statuses and broken connections into them; `reconcile.py`, `leader.py` and the work queue decide by them.
All of them are retried sooner or later: what the API server refuses today, an administrator may allow tomorrow.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class ClusterError(Exception):
    """The API server did not do what it was asked. `retry_after_s` is the pause it asked for, 0 when it asked for none."""

    def __init__(self, text: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Conflict(ClusterError):  # noqa: N818
    """The object is not what we thought it was (409): read it again. Also a name that is taken, and a JSON patch whose test failed."""


class NotFound(ClusterError):  # noqa: N818
    """There is no such object (404)."""


class Expired(ClusterError):  # noqa: N818
    """The rest of a list is no longer to be had (410): begin it again."""


class Invalid(ClusterError):  # noqa: N818
    """The request is wrong (422 and the other 4xx): repeating it does not help before somebody changes something.

    `fields` are those the API server complains about.
    """

    def __init__(self, text: str, *, fields: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.fields = fields


class Denial(StrEnum):
    """Why something is forbidden."""

    QUOTA = "quota"
    """A ResourceQuota of the namespace is used up."""
    RIGHTS = "rights"
    """Our service account may not do that: the chart's roles are not those of this version, or were changed."""
    ENDING = "namespace_ending"
    """The namespace is being deleted."""
    CREDENTIALS = "credentials"
    """The API server does not know our token (401)."""
    POLICY = "policy"
    """An admission policy or webhook objects."""


class Forbidden(ClusterError):  # noqa: N818
    """We may not do that (403, 401); `denial` says why."""

    def __init__(self, text: str, *, denial: Denial) -> None:
        super().__init__(text)
        self.denial = denial


class Throttled(ClusterError):  # noqa: N818
    """The API server has too much to do (429)."""


class Unavailable(ClusterError):  # noqa: N818
    """No answer, or not from a working API server: 5xx, a timeout, a broken connection. What was asked for may have been done."""


class NotLeading(ClusterError):  # noqa: N818
    """This process does not lead, or cannot be sure of it: it must not write."""


UNFIT = "failed to create typed patch object"
"""How a 500 begins that is our own mistake: what was applied does not fit the kind's schema."""


def from_status(code: int, status: Mapping[str, Any], *, what: str, retry_after_s: float = 0.0) -> ClusterError:
    """Translate a `Status` of the API server. `what` names the request; `status` may be empty when a proxy answered instead."""
    said = str(status.get("message") or status.get("reason") or "no explanation")
    text = f"{what}: {code} {said}"
    match code:
        case 401 | 403:
            return Forbidden(text, denial=_denial(code, status))
        case 404:
            return NotFound(text)
        case 409:
            return Conflict(text)
        case 410:
            return Expired(text)
        case 429:
            return Throttled(text, retry_after_s=retry_after_s)
        case 408:
            return Unavailable(text, retry_after_s=retry_after_s)
        case _ if code >= 500 and not said.startswith(UNFIT):
            return Unavailable(text, retry_after_s=retry_after_s)
        case _:
            return Invalid(text, fields=tuple(str(cause["field"]) for cause in _causes(status) if cause.get("field")))


def _denial(code: int, status: Mapping[str, Any]) -> Denial:
    if code == 401:
        return Denial.CREDENTIALS
    message = str(status.get("message", ""))
    if any(cause.get("reason") == "NamespaceTerminating" for cause in _causes(status)):
        return Denial.ENDING
    if "exceeded quota" in message or "failed quota" in message:
        return Denial.QUOTA
    return Denial.RIGHTS if " cannot " in message else Denial.POLICY


def _causes(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [cause for cause in causes or [] if isinstance(cause, dict)]
