"""What a vendor's webhook says: whether the call is the vendor's own, and which worklog it speaks of.

Nothing else of a call is believed: whoever is told goes and looks.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_OF_A_KEY = 200


@dataclass(frozen=True, slots=True)
class Notice:
    """One event. `key` is the same for every repetition of it; `event` is created, updated or deleted."""

    key: str
    event: str
    worklog: str


def is_tempos(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Tempo v4, "Validation and security": hex HMAC-SHA256 of the raw body followed by the timestamp header."""
    timestamp = headers.get("Tempo-Timestamp", "")
    return bool(timestamp) and _agree(secret, body + _raw(timestamp), headers.get("Tempo-Signature", ""))


def is_jiras(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Developer page "Webhooks": `method=signature` of the raw body; Jira's method is sha256, and no other is taken."""
    method, _, signature = headers.get("X-Hub-Signature", "").strip().partition("=")
    return method == "sha256" and _agree(secret, body, signature)


def read_tempos(body: bytes, headers: Mapping[str, str]) -> Notice | None:  # noqa: ARG001
    """None where it tells of no worklog."""
    data = _object(_parsed(body))
    worklog = _number(_object(data.get("payload")).get("tempoWorklogId"))
    return _notice(data.get("eventId"), data.get("eventType"), "worklog.", worklog, body)


def read_jiras(body: bytes, headers: Mapping[str, str]) -> Notice | None:
    """None where it tells of no worklog. The identifier is the same across Jira's retries."""
    data = _object(_parsed(body))
    worklog = _number(_object(data.get("worklog")).get("id"))
    identifier = headers.get("X-Atlassian-Webhook-Identifier")
    return _notice(identifier, data.get("webhookEvent"), "worklog_", worklog, body)


def _agree(secret: str, signed: bytes, signature: str) -> bool:
    """An empty secret is no secret: anybody could sign with it."""
    right = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(right.encode(), _raw(signature.strip()))


def _raw(header: str) -> bytes:
    """A header as it was sent: HTTP's text is Latin-1."""
    return header.encode("latin-1", "replace")


def _notice(key: Any, event: Any, prefix: str, worklog: str, body: bytes) -> Notice | None:
    kind = event.removeprefix(prefix) if isinstance(event, str) else ""
    if not worklog or event != prefix + kind or kind not in {"created", "updated", "deleted"}:
        return None
    usable = isinstance(key, str) and 0 < len(key) <= MOST_OF_A_KEY and key.isprintable()
    return Notice(key if usable else hashlib.sha256(body).hexdigest(), kind, worklog)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> str:
    """Worklogs are numbered at both vendors, as numbers or as text. "" for anything else."""
    text = str(value)
    return text if text.isascii() and text.isdecimal() and len(text) <= 20 else ""
