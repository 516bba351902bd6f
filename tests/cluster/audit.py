"""What the API server was asked, from its own audit log: so tests count the writes that arrived, not those that a client believes it sent.

`control_plane.py` has it written, and waits for it before it reads.
"""

import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata}]
"""
WRITING_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Request:
    """One request that was answered, whatever the answer."""

    verb: str
    """get, list, watch, create, update, patch, delete or deletecollection."""
    resource: str
    """In the plural, for example arbmarkets; empty for what is no resource, as /version."""
    subresource: str
    namespace: str
    name: str
    """Empty for a list, and for what was created: there the path does not say it and only some answers do."""
    user: str
    code: int
    dry_run: bool
    field_manager: str
    user_agent: str
    audit_id: str

    @property
    def writes(self) -> bool:
        """Whether it meant to change something that is stored."""
        return self.verb in WRITING_VERBS and not self.dry_run


class AuditLog:
    """The log of one API server, which appends to it over its restarts."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def mark(self) -> int:
        """The place where the log ends now: hand it to `requests` to see only what comes after."""
        return self.file.stat().st_size if self.file.exists() else 0

    def requests(self, since: int = 0) -> Iterator[Request]:
        """Everything that was answered after a mark, in the order of the answers."""
        if not self.file.exists():
            return
        with self.file.open("rb") as log:
            log.seek(since)
            for line in log:
                if line.endswith(b"\n"):
                    yield _request(msgspec.json.decode(line))


def _request(event: dict[str, Any]) -> Request:
    about = event.get("objectRef", {})
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(event["requestURI"]).query)
    return Request(
        verb=event["verb"],
        resource=about.get("resource", ""),
        subresource=about.get("subresource", ""),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        user=event["user"].get("username", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        dry_run="dryRun" in query,
        field_manager=query.get("fieldManager", [""])[0],
        user_agent=event.get("userAgent", ""),
        audit_id=event["auditID"],
    )
