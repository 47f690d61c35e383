"""The sandbox's own page: what it holds, what fails on purpose, and forms to change both."""

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from connections.sandbox import byhand_pages
from connections.sandbox.byhand_pages import SITES, address_of, fields_of, is_json
from connections.sandbox.faults import Fault, FaultKind
from connections.sandbox.pages import document, table
from connections.sandbox.routes import HTML_TYPE, Reply
from connections.sandbox.world import AzureOrg, JiraSite, SevenPaceOrg, Site, TempoSite

if TYPE_CHECKING:
    from connections.sandbox.server import Sandbox


def answer(sandbox: "Sandbox", method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Everything that is no vendor's address."""
    if (method, path) == ("GET", "/"):
        return Reply(200, page(sandbox), content_type=HTML_TYPE)
    if (method, path) == ("GET", "/control.json"):
        return Reply(200, summary(sandbox))
    if (method, path) == ("POST", "/control/faults"):
        return change_faults(sandbox, headers, body)
    if path.startswith(SITES):
        return byhand_pages.answer(sandbox, method, path, headers, body)
    return Reply(404, {"error": f"nothing at {path}; see / for what is here"})


def change_faults(sandbox: "Sandbox", headers: Mapping[str, str], body: bytes) -> Reply:
    """`action` add (the default) or clear; the other fields are those of a Fault. JSON or a form."""
    as_json = is_json(headers)
    try:
        fields = fields_of(headers, body)
        if fields.pop("action", "add") == "clear":
            sandbox.faults.clear()
        else:
            sandbox.faults.add(fault_of(fields))
    except (ValueError, TypeError) as error:
        return Reply(400, {"error": str(error)})
    return Reply(200, summary(sandbox)) if as_json else Reply(303, headers={"Location": "/"})


def fault_of(fields: dict[str, Any]) -> Fault:
    """A fault from a form's texts; ValueError or TypeError for what is none."""
    readers = {
        "after": int, "every": int, "seed": int, "times": int, "status": int, "delay": float, "probability": float,
    }  # fmt: skip
    values = {name: value for name, value in fields.items() if value not in ("", None)}
    return Fault(**{name: readers.get(name, lambda held: held)(value) for name, value in values.items()})


def summary(sandbox: "Sandbox") -> dict[str, Any]:
    """The page as data."""
    calls = list(sandbox.calls)
    return {
        "url": sandbox.url,
        "sites": [
            {
                "name": site.name,
                "kind": site.kind,
                "url": sandbox.url + site.path,
                "counts": counts(site),
                "calls": sum(call.site == site.name for call in calls),
                "limits": site.limits,
                "latency": site.latency,
                "newest": newest(site),
            }
            for site in sandbox.world.sites()
        ],
        "faults": [fault.summary() for fault in sandbox.faults],
        "connections": list(sandbox.world.connections),
    }


def counts(site: Site) -> dict[str, int]:
    """How many of what this site holds."""
    match site:
        case JiraSite():
            held: dict[str, Any] = {"people": site.accounts, "issues": site.issues, "worklogs": site.worklogs}
            held["damaged totals"] = site.corrupted_issues
        case TempoSite():
            held = {"work attributes": site.attributes, "worklogs": site.worklogs}
        case SevenPaceOrg():
            held = {"people": site.users, "worklogs": site.worklogs}
        case AzureOrg():
            held = {"projects": site.projects, "work items": site.work_items, "identities": site.identities}
    return {name: len(rows) for name, rows in held.items()}


def newest(site: Site, number: int = 5) -> list[dict[str, Any]]:
    """The worklogs that came in last."""
    match site:
        case JiraSite():
            rows = [_jira_row(site, row) for row in list(site.worklogs.values())[-number:]]
        case TempoSite():
            rows = [_tempo_row(site, row) for row in list(site.worklogs.values())[-number:]]
        case SevenPaceOrg():
            rows = [_pace_row(site, row) for row in list(site.worklogs.values())[-number:]]
        case AzureOrg():
            rows = []
    return rows[::-1]


def _jira_row(site: JiraSite, row: Any) -> dict[str, Any]:
    author = site.accounts[row.author_id].name
    return _row(
        row.id, site.issues[row.issue_id].key, author, row.started.astimezone(UTC), row.seconds, row.text
    )


def _tempo_row(site: TempoSite, row: Any) -> dict[str, Any]:
    author = site.jira.accounts[row.author_id].name
    return _row(row.id, site.jira.issues[row.issue_id].key, author, row.started, row.seconds, row.description)


def _pace_row(site: SevenPaceOrg, row: Any) -> dict[str, Any]:
    return _row(
        row.id, row.work_item_id, site.users[row.user_id].name, row.timestamp, row.seconds, row.comment or ""
    )


def _row(
    number: Any, work: Any, author: str, started: datetime, seconds: int | None, text: str
) -> dict[str, Any]:
    return {
        "id": number, "on": work, "author": author, "started": started.isoformat(), "seconds": seconds,
        "text": text[:120],
    }  # fmt: skip


def page(sandbox: "Sandbox") -> str:
    """The summary as a page that needs no script."""
    data = summary(sandbox)
    sites = "".join(_site_section(site) for site in data["sites"])
    return document(
        "Twinlog sandbox",
        "<p>Four vendors’ APIs on this machine. Nothing here leaves it. "
        '<a href="/control.json">The same as JSON</a></p>'
        f"{_faults_section(data)}{sites}",
    )


def _site_section(site: dict[str, Any]) -> str:
    held = ", ".join(f"{count:,} {name}" for name, count in site["counts"].items())
    rows = [
        [row["id"], row["on"], row["author"], row["started"], row["seconds"], row["text"]]
        for row in site["newest"]
    ]
    title = f"<h2>{escape(site['name'])} <span class=quiet>{site['kind']}</span></h2>"
    state = f"rate limits {'on' if site['limits'] else 'off'}, latency {site['latency']} s, {site['calls']:,} calls"
    facts = f"<p><code>{escape(site['url'])}</code><br>{held}<br>{state}</p>"
    if site["kind"] != "azure":
        facts += f'<p><a href="{escape(address_of(site["name"]))}">See all, and log time here by hand</a></p>'
    return title + facts + table(["Id", "On", "Author", "Started", "Seconds", "Text"], rows)


def _faults_section(data: dict[str, Any]) -> str:
    rows = [
        [
            fault["what"],
            fault["site"],
            fault["method"],
            fault["path"],
            fault["hits"],
            fault["times"] or "no end",
        ]
        for fault in data["faults"]
    ]
    shown = table(["Fault", "Site", "Method", "Path", "Hits", "Times"], rows)
    return f"<h2>Faults</h2>{shown or '<p>None: every call succeeds.</p>'}{_form(data)}"


def _form(data: dict[str, Any]) -> str:
    kinds = "".join(f"<option>{kind}</option>" for kind in FaultKind)
    sites = "".join(f"<option>{escape(site['name'])}</option>" for site in data["sites"])
    numbers = "".join(
        f'<label>{name}<input class=n name="{name}" inputmode="decimal"></label>'
        for name in ("after", "every", "probability", "times", "status", "delay")
    )
    return (
        '<form method="post" action="/control/faults">'
        f'<label>what<select name="what">{kinds}</select></label>'
        f'<label>site<select name="site"><option>*</option>{sites}</select></label>'
        '<label>method<input class=n name="method" value="*"></label>'
        f'<label>path<input name="path" value="*"></label>{numbers}'
        '<button>Add this fault</button></form><form method="post" action="/control/faults">'
        '<button name="action" value="clear">Clear all faults</button></form>'
    )
