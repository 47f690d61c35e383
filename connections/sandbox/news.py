"""What a site has to tell others: webhooks asked for, letters under way, its audit log, and what its mirror owes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(eq=False)
class Letter:
    """One call to a webhook that is still to be made."""

    method: str
    url: str
    body: bytes
    headers: dict[str, str]
    hook: str
    """Id of the webhook or subscription it belongs to."""
    due: float = 0.0
    """In seconds of the world's clock; 0 is at once."""
    retries: int = 0
    """How many failed attempts went before."""


@dataclass
class JiraWebhook:
    """An administrator's webhook. `jql` "" means every issue."""

    id: int
    name: str
    url: str
    events: list[str]
    jql: str = ""
    description: str = ""
    secret: str = field(default="", repr=False)
    enabled: bool = True
    exclude_body: bool = False
    by: str = ""
    updated: datetime | None = None


@dataclass
class TempoSubscription:
    """`verified`: the address once answered the handshake."""

    id: str
    event: str
    url: str
    name: str
    description: str
    secret: str = field(repr=False)
    created: datetime
    updated: datetime
    active: bool = False
    verified: bool = False


@dataclass(frozen=True)
class AuditRow:
    """One line of Tempo's audit log of worklogs. Field -> previous and new value."""

    action: Literal["Created", "Updated", "Deleted", "Synced"]
    tempo_id: int
    jira_id: int | None
    issue_id: int
    author_id: str
    worker_id: str
    at: datetime
    changes: dict[str, tuple[str | None, str | None]]
    deletes: bool = False


@dataclass(frozen=True)
class MirrorJob:
    """One side of a worklog changed; from `due` on the other side is to follow. An id of 0 is not known."""

    due: float
    changed: Literal["jira", "tempo"]
    tempo_id: int
    jira_id: int
