"""Times are shown in the reader's own zone: the browser names it in a cookie, without one it is UTC."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

COOKIE = "twinlog_zone"


def reader_zone(answer: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def in_zone(request: HttpRequest) -> HttpResponse:
        with timezone.override(known_zone(request.COOKIES.get(COOKIE, ""))):
            return answer(request)

    return in_zone


def known_zone(name: str) -> ZoneInfo:
    """The zone of that name; UTC where the cookie holds none, or anything else."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
