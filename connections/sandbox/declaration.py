"""The TOML text that declares a world's sites and connections, and the tokens its environment needs."""

import json
import re
from typing import Any

from connections.sandbox.world import AzureOrg, JiraSite, SevenPaceOrg, TempoSite, World


def secrets(world: World) -> dict[str, str]:
    """Variable -> token, for every site and person."""
    return {token.variable: token.token for site in world.sites() for token in site.tokens}


def declaration(world: World, url: str, connection: str | None, changes: dict[str, Any]) -> str:
    """Sites and connections in the form `apply` reads. `changes` replace keys of the connection; None removes one.

    A table among the changes replaces the whole table.
    """
    chosen = [connection] if connection else list(world.connections)
    parts = [_site(site, url) for site in _needed(world, chosen)]
    for name in chosen:
        values = {"name": name} | world.connections[name] | changes
        parts.append(_connection({key: value for key, value in values.items() if value is not None}))
    return "\n".join(parts)


def _needed(world: World, names: list[str]) -> list[Any]:
    """The sites those connections name, and the sites these stand on, in the world's order."""
    by_name = {site.name: site for site in world.sites()}
    wanted: set[str] = set()
    for name in names:
        options = world.connections[name]
        wanted |= {options[side] for side in ("left", "right", "source", "target") if side in options}
    for site in map(by_name.__getitem__, list(wanted)):
        if isinstance(site, TempoSite):
            wanted.add(site.jira.name)
        if isinstance(site, SevenPaceOrg):
            wanted.add(site.azure)
    return [site for name, site in by_name.items() if name in wanted]


def _site(site: JiraSite | TempoSite | SevenPaceOrg | AzureOrg, url: str) -> str:
    home = url + site.path
    own = site.tokens[0]
    values: dict[str, Any] = {"name": site.name, "kind": site.kind, "url": home}
    if isinstance(site, JiraSite):
        values["email"] = site.tokens[0].email
    if isinstance(site, TempoSite):
        values["jira"] = site.jira.name
    if isinstance(site, SevenPaceOrg):
        values |= {"url": f"{home}/api/rest", "azure": site.azure}
    if isinstance(site, AzureOrg):
        values["identities_url"] = home
    values["token"] = {"env": own.variable}
    if isinstance(site, JiraSite) and site.tokens[1:]:
        values["personal_tokens"] = [
            {"email": token.email, "env": token.variable} for token in site.tokens[1:]
        ]
    return "[[site]]\n" + _lines(values)


def _connection(values: dict[str, Any]) -> str:
    tables = {key: value for key, value in values.items() if key in {"issues", "people", "rules", "scripts"}}
    text = "[[connection]]\n" + _lines({key: value for key, value in values.items() if key not in tables})
    return text + "".join(f"[connection.{name}]\n{_lines(table)}" for name, table in tables.items())


def _lines(values: dict[str, Any]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in values.items())


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(held)}" for key, held in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
