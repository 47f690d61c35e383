"""What templates write values and parts with. The words are in `connections.wording`."""

import json as json_text
from collections.abc import Sequence
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

from django import template
from django.http import HttpRequest
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from connections import wording
from connections.models import Connection
from connections.options import Direction

register = template.Library()

NOTHING = SafeString("")
PAGING = "after"
NOTE_ICONS = {
    "info": "info-circle",
    "go": "clock",
    "ok": "check",
    "warn": "alert-triangle",
    "bad": "x",
}
DIRECTIONS = {
    Direction.BOTH: ("arrows-left-right", "in both directions"),
    Direction.LEFT_TO_RIGHT: ("arrow-right", "from left to right"),
    Direction.RIGHT_TO_LEFT: ("arrow-left", "from right to left"),
}


# Values


@register.filter
def duration(seconds: int | None) -> str:
    """`1 h 30 m`, units quieter than figures, the seconds in the tooltip."""
    return NOTHING if seconds is None else _duration(int(seconds))


# Kept, as icons and states are: a long list holds hundreds of the same few.
@lru_cache(maxsize=2048)
def _duration(seconds: int) -> SafeString:
    parts = format_html_join(
        " ",
        '{}<span class="tl-unit">\N{NO-BREAK SPACE}{}</span>',
        wording.duration_parts(seconds),
    )
    return format_html('<span class="tl-duration" title="{} s">{}</span>', wording.number(seconds), parts)


@register.filter
def duration_text(seconds: int | None) -> str:
    return "" if seconds is None else wording.duration_text(int(seconds))


@register.filter
def number(value: int | None) -> str:
    """Thousands separated; zero is quiet, absent is empty."""
    if value is None:
        return NOTHING
    return wording.number(value) if value else SafeString('<span class="tl-quiet">0</span>')


@register.filter
def percent(part: float, whole: float) -> str:
    return wording.percent(part, whole)


@register.filter(expects_localtime=True)
def moment(when: datetime | None) -> str:
    """The time, or day and time; near ones with how long ago it was on a second line."""
    if when is None:
        return NOTHING
    now = timezone.now()
    shown = _time(when, wording.moment_text(when, timezone.localtime(now)))
    if not wording.is_near(when, now):
        return shown
    return format_html('{}<span class="tl-second">{}</span>', shown, wording.ago(when, now))


@register.filter(expects_localtime=True)
def clock(when: datetime | None) -> str:
    return NOTHING if when is None else _time(when, f"{when:%H:%M:%S}")


@register.filter(expects_localtime=True)
def ago(when: datetime | None) -> str:
    return NOTHING if when is None else _time(when, wording.ago(when, timezone.now()))


def _time(when: datetime, shown: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        when.isoformat(timespec="seconds"),
        wording.full_text(when),
        shown,
    )


@register.filter(expects_localtime=True)
def day(value: date | None) -> str:
    return "" if value is None else wording.day_text(value)


@register.filter(expects_localtime=True)
def short_day(value: date | None) -> str:
    return "" if value is None else wording.short_day_text(value)


@register.filter
def wall_clock(start: time | None) -> str:
    return "" if start is None else wording.wall_clock_text(start)


@register.filter
def short_id(value: object) -> str:
    """Eight characters of a long id, the whole of it in the tooltip."""
    whole = str(value)
    if len(whole) <= 12:
        return format_html('<span class="tl-id">{}</span>', whole)
    return format_html('<span class="tl-id" title="{}">{}</span>', whole, whole[:8])


@register.filter
def json(value: Any) -> str:
    """Readable JSON, to stand in `<pre class="tl-pre">`."""
    return json_text.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.simple_tag
def counted(count: int, one: str, many: str = "") -> str:
    return wording.counted(count, one, many)


# Marks


@register.simple_tag
@lru_cache(maxsize=512)
def icon(name: str, label: str = "", small: bool = False) -> SafeString:
    """A symbol of the sprite; without a label it is decoration and hidden from screen readers."""
    return format_html(
        '<svg class="tl-icon{}" {}><use href="{}#{}"/></svg>',
        " tl-icon-s" if small else "",
        format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"'),
        static("icons.svg"),
        name,
    )


@register.simple_tag
@lru_cache(maxsize=512)
def state(value: str | None, tag: bool = False, word: str = "", of: str = "") -> SafeString:
    """The one badge for every state: icon, word, and colour last."""
    found = wording.state_word(str(value or ""), of)
    return format_html(
        '<span class="tl-state is-{}{}">{}{}</span>',
        found.tone,
        " tl-tag" if tag else "",
        icon(found.icon),
        word or found.word,
    )


@register.simple_tag
def side(which: str, name: object) -> str:
    """A side is a shape: a square whose left or right half is filled, before the site's name."""
    return format_html(
        '<span class="tl-side">{}{}</span>', icon(f"side-{which}", label=f"{which} side"), str(name)
    )


@register.simple_tag
def sides(connection: Connection) -> str:
    """Both sides, and which way worklogs go between them."""
    arrow, label = DIRECTIONS[_direction(connection)]
    return format_html(
        '<span class="tl-sides">{} {} {}</span>',
        side("left", connection.left),
        icon(arrow, label=label, small=True),
        side("right", connection.right),
    )


def _direction(connection: Connection) -> Direction:
    if connection.is_migration:
        return Direction.LEFT_TO_RIGHT
    return Direction(connection.options.get("direction", Direction.BOTH))


@register.simple_tag
def code(value: str) -> str:
    """A code never stands alone: its plain title, then the code."""
    if not value:
        return NOTHING
    return format_html('{} <code class="tl-code">{}</code>', wording.title_of(value), value)


@register.filter
def code_title(value: str) -> str:
    return wording.title_of(value) if value else ""


@register.filter
def code_kind(value: str) -> str:
    return wording.kind_of(value)


@register.simple_tag
def crumb() -> str:
    return icon("chevron-right", small=True)


# Figures as pictures


@register.simple_tag
def meter(
    total: int, good: int = 0, rest: int = 0, warn: int = 0, bad: int = 0, label: str = "Progress"
) -> str:
    """How far something is, and what became of it: a bar a thousand units wide."""
    done = good + rest + warn + bad
    whole = max(total, done, 1)
    pieces = []
    at = 0.0
    for tone, count in (("accent", good), ("rest", rest), ("warn", warn), ("bad", bad)):
        width = 1000 * count / whole
        pieces.append((f"{at:.1f}", f"{width:.1f}", tone))
        at += width
    return format_html(
        '<svg class="tl-meter" viewBox="0 0 1000 10" preserveAspectRatio="none" role="progressbar"'
        ' aria-label="{}" aria-valuemin="0" aria-valuemax="{}" aria-valuenow="{}">'
        '<rect class="tl-fill-track" width="1000" height="10"/>{}</svg>',
        label,
        whole,
        done,
        _rects(pieces),
    )


def _rects(pieces: Sequence[tuple[str, str, str]]) -> SafeString:
    shown = [piece for piece in pieces if piece[1] != "0.0"]
    return format_html_join("", '<rect x="{}" width="{}" height="10" class="tl-fill-{}"/>', shown)


@register.simple_tag
def bar(value: float, most: float, tone: str = "accent") -> str:
    """A thin bar under a line of a list, as long as its share of the longest."""
    width = 1000 * value / most if most else 0
    return format_html(
        '<svg class="tl-bar" viewBox="0 0 1000 4" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="tl-fill-track" width="1000" height="4"/>'
        '<rect class="tl-fill-{}" width="{}" height="4"/></svg>',
        tone,
        f"{width:.1f}",
    )


@register.simple_tag
def spark(numbers: Sequence[float]) -> str:
    """One small bar a day, the last one stronger."""
    most = max(numbers, default=0) or 1
    heights = [max(1, round(22 * value / most)) for value in numbers]
    bars = [
        (3 * place, 22 - height, height, "is-last" if place == len(heights) - 1 else "")
        for place, height in enumerate(heights)
    ]
    return format_html(
        '<svg class="tl-spark" viewBox="0 0 {} 22" preserveAspectRatio="none" aria-hidden="true">{}</svg>',
        max(3 * len(bars), 1),
        format_html_join("", '<rect x="{}" y="{}" width="2" height="{}" class="{}"/>', bars),
    )


GRID_LIMIT = 300
GRID_COLUMNS = 15


@register.inclusion_tag("includes/step_grid.html")
def step_grid(done: int = 0, running: int = 0, waiting: int = 0, open: int = 0) -> dict[str, Any]:
    """Steps as little squares; of very many, each square stands for several."""
    kinds = [("done", done), ("running", running), ("waiting", waiting), ("to come", open)]
    each = max(1, -(-sum(count for _, count in kinds) // GRID_LIMIT))
    names = [name for name, count in kinds for _ in range(-(-count // each))]
    cells = [
        {"kind": name.replace(" ", "-"), "x": 22 * (place % GRID_COLUMNS), "y": 22 * (place // GRID_COLUMNS)}
        for place, name in enumerate(names)
    ]
    return {
        "cells": cells,
        "height": 22 * -(-len(cells) // GRID_COLUMNS),
        "legend": [(name.replace(" ", "-"), name, count) for name, count in kinds if count],
        "each": each,
    }


@register.inclusion_tag("includes/chart.html")
def chart(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Stacked bars by day with a readout, and the same as a table.

    `data`: `days` (ISO), one or two `series` of `label` and `values`, `unit` "seconds" or "count", `label`.
    """
    columns = [series["values"] for series in data["series"]]
    rows = [
        (date.fromisoformat(day), [values[place] for values in columns])
        for place, day in enumerate(data["days"])
    ]
    return {"name": name, "data": data, "rows": rows, "in_seconds": data.get("unit") != "count"}


# Ways to go, and things to press


def _request(context: Context) -> HttpRequest:
    request: HttpRequest = context["request"]
    return request


@register.simple_tag(takes_context=True)
def chip(context: Context, title: str, count: int | None = None, **parameter: str | None) -> str:
    """A filter of this page as a link: sets one parameter, or with None takes it away, and begins at the top."""
    request = _request(context)
    ((name, value),) = parameter.items()
    query = request.GET.copy()
    query.pop(PAGING, None)
    query.pop(name, None)
    if value:
        query[name] = value
    chosen = request.GET.get(name, "") == (value or "")
    return format_html(
        '<li><a class="tl-chip" href="?{}"{}>{}{}</a></li>',
        query.urlencode(),
        SafeString(' aria-current="true"') if chosen else "",
        title,
        "" if count is None else format_html(" <b>{}</b>", wording.number(count)),
    )


@register.simple_tag(takes_context=True)
def kept(context: Context, *names: str) -> str:
    """Hidden inputs for parameters that a filter form must not lose."""
    chosen = _request(context).GET
    pairs = [(name, value) for name in names for value in chosen.getlist(name) if value]
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', pairs)


@register.simple_tag
def live(url: str, while_: bool = True, every: str = "2s") -> str:
    """Attributes of a fragment that fetches itself anew for as long as there is something to see."""
    if not while_:
        return NOTHING
    return format_html('hx-get="{}" hx-trigger="every {}" hx-swap="outerMorph" data-live', url, every)


@register.simple_tag(takes_context=True)
def tab(context: Context, title: str, url: str, count: int | None = None, tone: str = "") -> str:
    return format_html(
        '<a href="{}"{}>{}{}</a>',
        url,
        SafeString(' aria-current="page"') if _request(context).path == url else "",
        title,
        format_html(' <span class="tl-count is-{}">{}</span>', tone or "rest", wording.number(count))
        if count
        else "",
    )


@register.inclusion_tag("includes/action.html")
def action(url: str, label: str, **options: Any) -> dict[str, Any]:
    """A POST form of one button. Options: icon, primary, danger, small, fields (hidden inputs)."""
    return {"url": url, "label": label, **options}


@register.inclusion_tag("includes/confirm.html")
def confirm(url: str, label: str, **options: Any) -> dict[str, Any]:
    """A question before a POST. Options: question, text, button, keep, icon, danger, word, fields."""
    return {"url": url, "label": label, **options}


# Parts with something inside


@register.simple_block_tag
def note(content: str, tone: str = "info", **options: str) -> str:
    """A boxed remark. `icon` names another icon than the tone's own."""
    name = options.get("icon", NOTE_ICONS[tone])
    return format_html('<div class="tl-note is-{}">{}<div>{}</div></div>', tone, icon(name), content)


@register.simple_block_tag
def empty(content: str, title: str, kind: str = "left", level: int = 3) -> str:
    """Nothing "yet" (what comes first), nothing "left" (a good thing), nothing "found" (which filter is to blame)."""
    drawing = NOTHING if kind == "found" else SafeString(DRAWINGS[kind])
    heading = format_html("<h{}>{}</h{}>", level, title, level)
    return format_html('<div class="tl-empty">{}{}<div>{}</div></div>', drawing, heading, content)


_RAILS = '<path d="M57.5 2v36M62.5 2v36" stroke="currentColor"/>'
_BLOCK = '<rect x="{}.5" y="14.5" width="{}" height="11" rx="2.5" fill="none" stroke="currentColor"{}/>'
DRAWINGS = {
    "yet": f'<svg viewBox="0 0 120 40" aria-hidden="true">{_RAILS}{_BLOCK.format(10, 34, "")}'
    f"{_BLOCK.format(75, 34, ' stroke-dasharray="3 3"')}</svg>",
    "left": f'<svg viewBox="0 0 120 40" aria-hidden="true">{_RAILS}{_BLOCK.format(10, 34, "")}'
    f"{_BLOCK.format(75, 34, '')}</svg>",
}


@register.simple_tag
def waiting(whom: str, since: datetime | None = None) -> str:
    """The shape of what is still to come: whom is asked, and since when."""
    asked = format_html("{} since {}", whom, clock(since)) if since else whom
    return format_html(
        '<div class="tl-wait" role="status"><p class="tl-small tl-quiet">{}</p>'
        "<span></span><span></span><span></span></div>",
        asked,
    )
