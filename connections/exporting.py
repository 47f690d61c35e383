"""The file that `apply` reads, from the database, without secrets."""

import re
from typing import Any

from connections.models import Connection, Site
from connections.toml_text import table


def export(connection: Connection | None = None) -> str:
    """TOML of one connection and its sites, or of everything. Tokens are named, never given."""
    if connection:
        connections, sites = [connection], _sites_of(connection)
    else:
        connections, sites = (
            list(Connection.objects.with_sites()),
            list(Site.objects.select_related("jira", "azure")),
        )
    sites.sort(key=lambda site: (bool(site.companion), site.name))
    parts = [_site(site) for site in sites] + [_connection(each) for each in connections]
    return "\n\n".join(parts) + "\n" if parts else ""


def variable(site: Site, email: str = "") -> str:
    """The environment variable an export names for a token: JCA_TOKEN, JCA_ALICE_EXAMPLE_COM_TOKEN."""
    name = re.sub(r"[^A-Z0-9]+", "_", f"{site.name} {email}".strip().upper())
    return f"SITE_{name}_TOKEN" if name[0].isdecimal() else f"{name}_TOKEN"


def _sites_of(connection: Connection) -> list[Site]:
    ends = [connection.left, connection.right]
    every = [*ends, *(site.companion for site in ends if site.companion)]
    return list({site.pk: site for site in every}.values())


def _site(site: Site) -> str:
    keys: dict[str, Any] = {"name": site.name, "kind": site.kind, "url": site.url}
    keys |= {
        "email": site.email,
        "jira": site.jira.name if site.jira else "",
        "azure": site.azure.name if site.azure else "",
        "identities_url": site.identities_url,
        "marker_attribute": site.marker_attribute,
        "token": {"env": variable(site)},
        "personal_tokens": [
            {"email": token.email, "env": variable(site, token.email)}
            for token in site.tokens.all()
            if token.email
        ],
    }
    return table("[[site]]", {key: entry for key, entry in keys.items() if entry})


def _connection(connection: Connection) -> str:
    options = connection.get_options().dump()
    ends = ("source", "target") if connection.is_migration else ("left", "right")
    if connection.is_migration:
        options["issues"].pop("on")
    inner: dict[str, Any] = {
        name: options.pop(name) for name in ("issues", "people", "rules") if name in options
    }
    scripts = {
        f"{end}.{way}": text
        for side, end in zip(("left", "right"), ends, strict=True)
        for way, text in options.get("scripts", {}).get(side, {}).items()
    }
    options.pop("scripts", None)
    head = {
        "name": connection.name,
        "kind": connection.kind,
        ends[0]: connection.left.name,
        ends[1]: connection.right.name,
    }
    if scripts:
        inner["scripts"] = scripts
    return "\n".join(
        [
            table("[[connection]]", head | options),
            *(table(f"[connection.{name}]", keys) for name, keys in inner.items()),
        ]
    )
