"""Asks the sites to call us when a worklog changes, sees that they go on doing so, and asks them to stop.

Webhooks make a sync quicker, nothing more: whatever they miss the feeds tell.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host
from django.urls import reverse
from django.utils import timezone

from connections.budgets import budget_for
from connections.clients.http import Gate, SiteError
from connections.clients.jira import JiraClient, webhook_id
from connections.clients.tempo import TempoClient
from connections.models import Connection, Delivery, Site, Webhook
from connections.opening import open_client
from connections.tokens import TokenError, keep_secret, open_secret

NAME = "Twinlog"
PATIENCE = 10.0
# Both vendors have long given up repeating a delivery by then.
DELIVERIES_KEPT = timedelta(days=7)
_UNSURE = "unknown_outcome"


class State(StrEnum):
    """How a webhook stands after it was looked at."""

    ACTIVE = "active"
    AWAITED = "awaited"
    WOKEN = "woken"
    INACTIVE = "inactive"
    GONE = "gone"
    KEPT = "kept"
    REMOVED = "removed"
    FAILED = "failed"


GOOD = frozenset({State.ACTIVE, State.AWAITED, State.WOKEN, State.KEPT, State.REMOVED})


@dataclass(frozen=True, slots=True)
class Finding:
    """One webhook of one site (`event` "" where none was come by): its state, and what is to be said of it."""

    site: str
    event: str
    state: State
    message: str = ""
    code: str = ""


class AddressError(Exception):
    """There is no address that a vendor could call; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A webhook as it stands at the vendor. `secret` is "" where the vendor does not tell it."""

    id: str
    url: str
    active: bool
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where one vendor takes orders. `events` are the webhooks a site needs to tell of all its worklogs.

    `ask` gets event, url and a secret, for vendors that let us choose it; `withdraw` and `wake` get the vendor's id.
    There is no `wake` where only a person puts a webhook to sleep.
    """

    events: tuple[str, ...]
    standing: Callable[[], list[Standing]]
    ask: Callable[[str, str, str], Standing]
    withdraw: Callable[[str], None]
    wake: Callable[[str], None] | None = None


def tempo_desk(client: TempoClient) -> Desk:
    """Tempo v4, "Using Tempo Webhooks": one subscription an event; Tempo makes the secret and tells it again."""
    return Desk(
        events=("worklog.created", "worklog.updated", "worklog.deleted"),
        standing=lambda: [_subscription(row) for row in client.webhooks()],
        ask=lambda event, url, _: _subscription(client.subscribe(event, url, NAME)),
        withdraw=client.unsubscribe,
        wake=client.refresh_webhook,
    )


def jira_desk(client: JiraClient) -> Desk:
    """Developer page "Webhooks": an administrator's webhook tells of all three events; the secret is never shown."""

    def ask(event: str, url: str, secret: str) -> Standing:
        events = [f"{event}_{what}" for what in ("created", "updated", "deleted")]
        body = {"name": NAME, "url": url, "events": events, "secret": secret, "excludeBody": False}
        return _admin_webhook(client.register_admin_webhook(body))

    return Desk(
        events=("worklog",),
        standing=lambda: [_admin_webhook(row) for row in client.admin_webhooks()],
        ask=ask,
        withdraw=client.delete_admin_webhook,
    )


def sites_of(connection: Connection) -> list[Site]:
    """The sites whose worklogs a sync compares."""
    return list({site.pk: site for site in (connection.left, connection.right)}.values())


def register(site: Site) -> list[Finding]:
    """Have the site call us about its worklogs; what is registered already stays as it is.

    Raises SiteError, TokenError, and AddressError where PUBLIC_URL is no address a vendor could call.
    """
    check_public_url()
    desk = _desk(site)
    standing = desk.standing()
    return [_registered(desk, _webhook(site, event), standing) for event in desk.events]


def keep_alive(site: Site) -> list[Finding]:
    """Look after the site's webhooks: wakes those that fell asleep, notes what is active, forgets old deliveries.

    Raises SiteError and TokenError.
    """
    Delivery.objects.filter(webhook__site=site, at__lt=timezone.now() - DELIVERIES_KEPT).delete()
    webhooks = list(Webhook.objects.filter(site=site))
    if not webhooks:
        return []
    desk = _desk(site)
    before = _by_id(desk.standing())
    woken = _woken(desk, [webhook.vendor_id for webhook in webhooks], before)
    now = _by_id(desk.standing()) if woken else before
    return [_looked_at(webhook, now.get(webhook.vendor_id), woken) for webhook in webhooks]


def remove(site: Site, but_for: Connection) -> list[Finding]:
    """Ask the site to call no more, unless a sync other than `but_for` still listens. Raises SiteError, TokenError."""
    webhooks = list(Webhook.objects.filter(site=site))
    if not webhooks:
        return []
    others = _listeners(site, but_for)
    if others:
        return [
            Finding(site.name, webhook.event, State.KEPT, f"{', '.join(others)} still listens.")
            for webhook in webhooks
        ]
    desk = _desk(site)
    standing = desk.standing()
    return [_removed(desk, webhook, standing) for webhook in webhooks]


def check_public_url() -> None:
    """Raises AddressError where PUBLIC_URL is missing, not HTTPS, which both vendors insist on, or not served here."""
    parts = urlsplit(settings.PUBLIC_URL)
    if not settings.PUBLIC_URL:
        raise AddressError(
            "PUBLIC_URL is not set: say where the vendors reach this installation from outside."
        )
    if not parts.hostname or not (
        parts.scheme == "https" or (settings.ALLOW_LOCAL_SITES and parts.scheme == "http")
    ):
        raise AddressError(f'PUBLIC_URL is "{settings.PUBLIC_URL}": vendors call https:// addresses only.')
    if not validate_host(parts.hostname, settings.ALLOWED_HOSTS):
        raise AddressError(
            f"{parts.hostname} of PUBLIC_URL is not among ALLOWED_HOSTS: calls would be refused."
        )


def address_of(webhook: Webhook) -> str:
    return settings.PUBLIC_URL.rstrip("/") + reverse("worklogs:hook", args=[webhook.key])


def _desk(site: Site) -> Desk:
    client = open_client(site, Gate(budget_for(site), patience=PATIENCE))
    if isinstance(client, TempoClient):
        return tempo_desk(client)
    if isinstance(client, JiraClient):
        return jira_desk(client)
    raise TypeError(f"{site} has no webhooks")


def _webhook(site: Site, event: str) -> Webhook:
    """It is there before the vendor hears of its address: the handshake may come before the answer."""
    return Webhook.objects.get_or_create(site=site, event=event)[0]


def _registered(desk: Desk, webhook: Webhook, standing: Iterable[Standing]) -> Finding:
    url = address_of(webhook)
    found = _at(url, standing)
    for other in standing:
        if other.id == webhook.vendor_id and other.url != url:
            desk.withdraw(other.id)
    if found and not (found.secret or _opens(webhook)):
        desk.withdraw(found.id)
        found = None
    found = found or _asked(desk, webhook, url)
    if found.secret:
        keep_secret(webhook, found.secret)
    webhook.vendor_id, webhook.active, webhook.last_checked_at = found.id, found.active, timezone.now()
    webhook.save()
    return _finding(webhook, State.ACTIVE if found.active else State.AWAITED)


def _asked(desk: Desk, webhook: Webhook, url: str) -> Standing:
    """The new webhook; or the one that stands there after all, where the answer was lost or says so (409).

    The secret is kept before it is sent.
    """
    keep_secret(webhook, secrets.token_urlsafe(48))
    webhook.save()
    try:
        return desk.ask(webhook.event, url, open_secret(webhook))
    except SiteError as fault:
        found = _at(url, desk.standing()) if fault.status == 409 or fault.code == _UNSURE else None
        if found is None:
            _forget(webhook)
            raise
        return found


def _forget(webhook: Webhook) -> None:
    """A webhook that never came to be needs no looking after."""
    if not webhook.vendor_id:
        webhook.delete()


def _woken(desk: Desk, ours: Iterable[str], standing: dict[str, Standing]) -> set[str]:
    """Wakes those of ours that sleep, where that can be done."""
    if desk.wake is None:
        return set()
    asleep = {vendor_id for vendor_id in ours if vendor_id in standing and not standing[vendor_id].active}
    for vendor_id in asleep:
        desk.wake(vendor_id)
    return asleep


def _looked_at(webhook: Webhook, standing: Standing | None, woken: set[str]) -> Finding:
    webhook.active = bool(standing and standing.active)
    webhook.last_checked_at = timezone.now()
    webhook.save(update_fields=["active", "last_checked_at"])
    if standing is None:
        return _finding(webhook, State.GONE)
    if not webhook.active:
        return _finding(webhook, State.INACTIVE)
    return _finding(webhook, State.WOKEN if webhook.vendor_id in woken else State.ACTIVE)


def _removed(desk: Desk, webhook: Webhook, standing: Iterable[Standing]) -> Finding:
    """By its id or, where the answer to its registration was lost, by its address."""
    ending = f"/{webhook.key}/"
    for each in standing:
        if each.id == webhook.vendor_id or each.url.endswith(ending):
            desk.withdraw(each.id)
    webhook.delete()
    return _finding(webhook, State.REMOVED)


_WORDS = {
    State.AWAITED: "Registered. It begins when the vendor has reached PUBLIC_URL.",
    State.WOKEN: "It was asleep and is awake again. What it missed the next run reads from the feeds.",
    State.INACTIVE: "The vendor does not call: see that PUBLIC_URL is reached from outside, or switch it on there.",
    State.GONE: "It is no longer known there: register it again.",
}


def _finding(webhook: Webhook, state: State) -> Finding:
    return Finding(webhook.site.name, webhook.event, state, _WORDS.get(state, ""))


def _subscription(row: dict[str, Any]) -> Standing:
    secret = str(row.get("sharedSecret") or "")
    return Standing(str(row["id"]), str(row.get("url")), bool(row.get("active")), secret)


def _admin_webhook(row: dict[str, Any]) -> Standing:
    return Standing(webhook_id(row), str(row.get("url")), bool(row.get("enabled", True)))


def _at(url: str, standing: Iterable[Standing]) -> Standing | None:
    return next((each for each in standing if each.url == url), None)


def _by_id(standing: Iterable[Standing]) -> dict[str, Standing]:
    return {each.id: each for each in standing}


def _opens(webhook: Webhook) -> bool:
    try:
        return bool(open_secret(webhook))
    except TokenError:
        return False


def _listeners(site: Site, but_for: Connection) -> list[str]:
    syncs = Connection.objects.filter(kind=Connection.Kind.SYNC).exclude(pk=but_for.pk)
    return [sync.name for sync in syncs if site.pk in (sync.left_id, sync.right_id)]
