"""Tempo's webhook subscriptions."""

import secrets
import string
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from connections.sandbox.news import Letter, TempoSubscription
from connections.sandbox.routes import Reply, is_safe_target
from connections.sandbox.tempo.changes import precise
from connections.sandbox.tempo.door import API, ROUTES, TempoRequest, refuse
from connections.sandbox.tempo.reading import body_json
from connections.sandbox.tempo.shapes import page

SUBSCRIPTIONS = f"{API}/webhooks/subscriptions"
MOST = 25
_EVENTS = {
    "worklog.created", "worklog.updated", "worklog.deleted", "plan.created", "plan.updated", "plan.deleted",
    "team.memberships.created", "team.memberships.updated", "team.memberships.deleted", "team.created",
    "team.updated", "team.deleted", "workload.scheme.created", "workload.scheme.updated", "workload.scheme.deleted",
    "workload.scheme.users.moved", "users.working.days.updated", "holiday.created", "holiday.deleted",
    "holiday.updated", "holiday.scheme.deleted", "holiday.scheme.created", "holiday.scheme.updated",
    "plan.issue.sync.config.updated",
}  # fmt: skip
_LETTERS = string.ascii_letters + string.digits


@ROUTES.on("POST", SUBSCRIPTIONS)
def create_subscription(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, createSubscription: one event and one address; inactive until the handshake was answered."""
    site, body = request.site, body_json(request, dict)
    event, url = str(body.get("event") or ""), str(body.get("url") or "")
    if event not in _EVENTS:
        raise refuse(site, 400, f"'{event}' is not an event")
    if not is_safe_target(url):
        raise refuse(site, 400, f"'{url}' must be a valid URL that uses HTTPS")
    with site.lock:
        if any((known.event, known.url) == (event, url) for known in site.subscriptions.values()):
            raise refuse(site, 409, "A subscription with this url and event already exist")
        if len(site.subscriptions) >= MOST:
            raise refuse(site, 400, f"There can be only {MOST} subscriptions")
        subscription = _new(request, event, url, body)
        site.subscriptions[subscription.id] = subscription
    _shake_hands(request, subscription)
    return Reply(200, _subscription_json(request, subscription))


def _new(request: TempoRequest, event: str, url: str, body: dict[str, Any]) -> TempoSubscription:
    name, description = str(body.get("name") or ""), str(body.get("description") or "")
    now = datetime.fromtimestamp(request.now(), UTC)
    return TempoSubscription(str(uuid.uuid4()), event, url, name, description, _random_text(), now, now)


def _random_text() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(128))


def _shake_hands(request: TempoRequest, subscription: TempoSubscription) -> None:
    """Tempo v4, "Subscription verification": the only GET that is made to the address."""
    joint = "&" if "?" in subscription.url else "?"
    url = f"{subscription.url}{joint}{urlencode({'randomString': _random_text()})}"
    request.site.outbox.append(Letter("GET", url, b"", {}, subscription.id))


@ROUTES.on("GET", SUBSCRIPTIONS)
def list_subscriptions(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, getSubscriptions."""
    envelope, shown = page(request, list(request.site.subscriptions.values()))
    return Reply(200, envelope | {"results": [_subscription_json(request, known) for known in shown]})


@ROUTES.on("GET", f"{SUBSCRIPTIONS}/{{number}}")
def get_subscription(request: TempoRequest, number: str) -> Reply:
    """Tempo v4 OpenAPI, getSubscription."""
    return Reply(200, _subscription_json(request, _known(request, number)))


@ROUTES.on("DELETE", f"{SUBSCRIPTIONS}/{{number}}")
def delete_subscription(request: TempoRequest, number: str) -> Reply:
    """Tempo v4 OpenAPI, deleteSubscription: 204."""
    del request.site.subscriptions[_known(request, number).id]
    return Reply(204)


@ROUTES.on("PATCH", f"{SUBSCRIPTIONS}/{{number}}/refresh")
def refresh_subscription(request: TempoRequest, number: str) -> Reply:
    """Tempo v4 OpenAPI, refreshSubscription: 204; where the handshake never succeeded it is tried once more."""
    subscription = _known(request, number)
    subscription.active = subscription.verified
    subscription.updated = datetime.fromtimestamp(request.now(), UTC)
    if not subscription.verified:
        _shake_hands(request, subscription)
    return Reply(204)


def _known(request: TempoRequest, number: str) -> TempoSubscription:
    if number not in request.site.subscriptions:
        raise refuse(request.site, 404, "Subscription does not exist")
    return request.site.subscriptions[number]


def _subscription_json(request: TempoRequest, known: TempoSubscription) -> dict[str, Any]:
    return {
        "self": f"{request.home}{SUBSCRIPTIONS}/{known.id}",
        "id": known.id,
        "active": known.active,
        "event": known.event,
        "url": known.url,
        "name": known.name,
        "description": known.description,
        "sharedSecret": known.secret,
        "createdAt": precise(known.created),
        "updatedAt": precise(known.updated),
    }
