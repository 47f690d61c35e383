"""The pages on which a person logs time by hand: one of each site, and one of each worklog."""

import json
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote

from connections.sandbox.byhand import ByHandError, Entry, Hand, Row, fields_of_entry, hand_on, length_of
from connections.sandbox.pages import Link, document, table
from connections.sandbox.routes import HTML_TYPE, Reply

if TYPE_CHECKING:
    from connections.sandbox.server import Sandbox

SITES = "/control/sites/"
SHOWN = 100


def address_of(site: str, number: str = "") -> str:
    return f"{SITES}{quote(site, safe='')}" + (f"/{quote(number, safe='')}" if number else "")


def is_json(headers: Mapping[str, str]) -> bool:
    return "json" in headers.get("content-type", "")


def fields_of(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """JSON or a form; ValueError for neither."""
    return (
        dict(json.loads(body)) if is_json(headers) else dict(parse_qsl(body.decode(), keep_blank_values=True))
    )


def answer(sandbox: "Sandbox", method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """GET shows a site or one of its worklogs; POST to a site's address does what the form says."""
    name, _, number = path.removeprefix(SITES).partition("/")
    hand = hand_on(sandbox, unquote(name))
    if hand is None:
        return Reply(404, {"error": f"no worklogs at {path}"})
    if method == "POST":
        return _do(sandbox, hand, unquote(name), headers, body)
    try:
        row = hand.row(unquote(number)) if number else None
    except ByHandError as error:
        return Reply(404, {"error": str(error)})
    shown = worklog_page(unquote(name), row) if row else site_page(hand, unquote(name))
    return Reply(200, shown, content_type=HTML_TYPE)


def _do(sandbox: "Sandbox", hand: Hand, name: str, headers: Mapping[str, str], body: bytes) -> Reply:
    try:
        hand.do(fields_of(headers, body))
    except (ByHandError, ValueError, TypeError) as error:
        if is_json(headers):
            return Reply(400, {"error": str(error)})
        return Reply(400, site_page(hand, name, refused=str(error)), content_type=HTML_TYPE)
    sandbox.post.ring()
    return Reply(204) if is_json(headers) else Reply(303, headers={"Location": address_of(name)})


def site_page(hand: Hand, name: str, *, refused: str = "") -> str:
    """The form to log time, and what was changed last."""
    rows = hand.newest(SHOWN)
    heads = ["", "On", "Author", "Started", "Length", "Text", "Mirrored as"]
    alarm = f'<p role="alert"><strong>Refused.</strong> {escape(refused)}</p>' if refused else ""
    return document(
        f"{name}: worklogs",
        f'<p><a href="/">Back to all sites</a></p>{alarm}'
        f"<h2>Log time</h2>{_log_form(hand, name)}"
        f"<h2>Changed last (at most {SHOWN})</h2>{table(heads, [_cells(name, row) for row in rows])}",
    )


def _cells(name: str, row: Row) -> list[Any]:
    entry = row.entry
    link = Link(address_of(name, row.number), row.number)
    return [
        link, entry.on, row.author_name, _wall(entry), length_of(entry.seconds), entry.text[:120], row.twin,
    ]  # fmt: skip


def _wall(entry: Entry) -> str:
    return entry.started.isoformat(sep=" ", timespec="minutes")


def worklog_page(name: str, row: Row) -> str:
    """Forms to change, move and delete one worklog."""
    entry = row.entry
    return document(
        f"{name}: worklog {row.number}",
        f'<p><a href="{escape(address_of(name))}">Back to {escape(name)}</a></p>'
        f"<p>{escape(row.author_name)} on {escape(entry.on)}</p>"
        + _form(name, "change", "Change it", row.number, _entry_inputs(fields_of_entry(entry)))
        + _form(name, "move", "Move it", row.number, _input("on", "Move to", entry.on))
        + _form(name, "delete", "Delete it", row.number, ""),
    )


def _log_form(hand: Hand, name: str) -> str:
    people = "".join(
        f'<option value="{escape(number)}">{escape(person)}</option>' for number, person in hand.people()
    )
    who = f'<label>Who<select name="author">{people}</select></label>'
    return _form(
        name, "log", "Log it", "", who + _input("on", hand.place, "") + _entry_inputs({"started": hand.now()})
    )


def _entry_inputs(held: dict[str, str]) -> str:
    """Start, length and text, with what is held already."""
    text = escape(held.get("text", ""))
    return (
        _input(
            "started",
            "Started, by the author’s own clock",
            held.get("started", ""),
            kind="datetime-local",
            step="1",
        )
        + _input("length", "Length, such as 1h 30m", held.get("length", ""))
        + f'<label>Text<textarea name="text" rows="2">\n{text}</textarea></label>'
    )


def _input(name: str, label: str, value: str, **more: str) -> str:
    kind = more.pop("kind", "text")
    extra = "".join(f' {key}="{escape(held)}"' for key, held in more.items())
    return f'<label>{escape(label)}<input type="{kind}" name="{name}" value="{escape(value)}" required{extra}></label>'


def _form(name: str, action: str, verb: str, number: str, inputs: str) -> str:
    return (
        f'<form method="post" action="{escape(address_of(name))}">'
        f'<input type="hidden" name="number" value="{escape(number)}">{inputs}'
        f'<button name="action" value="{action}">{escape(verb)}</button></form>'
    )
