"""What the vendors may call: verified, recorded, answered. The queue does the rest."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from django_q.models import OrmQ
from django_q.tasks import async_task

from connections.models import Delivery, Site, Webhook
from connections.tokens import TokenError, open_secret
from worklogs.notices import Notice, is_jiras, is_tempos, read_jiras, read_tempos

logger = logging.getLogger(__name__)

BELL = "worklogs.tasks.sync_after_hook"
MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Manner:
    """How one vendor signs its calls and words them."""

    is_genuine: Callable[[str, bytes, Mapping[str, str]], bool]
    read: Callable[[bytes, Mapping[str, str]], Notice | None]


MANNERS = {Site.Kind.TEMPO: Manner(is_tempos, read_tempos), Site.Kind.JIRA: Manner(is_jiras, read_jiras)}


@csrf_exempt
@login_not_required
@require_http_methods(["GET", "POST"])
def receive(request: HttpRequest, key: str) -> HttpResponse:
    """The address of one webhook. Its key opens nothing: what counts is the signature."""
    webhook = get_object_or_404(Webhook.objects.select_related("site"), key=key)
    return _shake_hands(request) if request.method == "GET" else _take(request, webhook)


def _shake_hands(request: HttpRequest) -> HttpResponse:
    """Tempo v4, "Subscription verification": the value comes back as plain text."""
    value = re.sub(r"[^A-Za-z0-9._~+/=-]", "", request.GET.get("randomString", ""))[:200]
    return HttpResponse(value, content_type="text/plain", status=200 if value else 400)


def _take(request: HttpRequest, webhook: Webhook) -> HttpResponse:
    try:
        body = _body(request)
    except UnreadablePostError:
        return HttpResponse(status=400)
    if body is None:
        return HttpResponse(status=413)
    manner = MANNERS[Site.Kind(webhook.site.kind)]
    if not manner.is_genuine(_secret_of(webhook), body, request.headers):
        logger.warning("a call of the webhook %s was not signed as it should be", webhook)
        return HttpResponse(status=401)
    _record(webhook, manner.read(body, request.headers))
    return HttpResponse(status=200)


def _body(request: HttpRequest) -> bytes | None:
    """None where it is too large."""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if not announced.isdecimal() or int(announced) > MOST_BYTES:
        return None
    return request.body


def _secret_of(webhook: Webhook) -> str:
    try:
        return open_secret(webhook)
    except TokenError as error:
        logger.warning("%s", error)
        return ""


@transaction.atomic
def _record(webhook: Webhook, notice: Notice | None) -> None:
    """One commit for what was told and the bell. A repetition is heard, and changes nothing."""
    Webhook.objects.filter(pk=webhook.pk).update(active=True, last_heard_at=timezone.now())
    if notice is None:
        return
    told = {"event": notice.event, "worklog": notice.worklog}
    _, is_new = Delivery.objects.get_or_create(webhook=webhook, key=notice.key, defaults=told)
    if is_new:
        ring_for(webhook.site)


def ring_for(site: Site) -> None:
    """Asks a worker to look at the site, unless the last one asked has not begun yet."""
    queue = settings.Q_CLUSTER["name"]
    waiting = OrmQ.objects.filter(key=queue, lock__lte=timezone.now())
    if not any(row.task.get("func") == BELL and row.task["args"] == (site.pk,) for row in waiting):
        async_task(BELL, site.pk)
