"""Work attributes and their values, and the ids Jira and Tempo give the same worklog."""

from typing import Any

from connections.sandbox.routes import Reply
from connections.sandbox.tempo.door import API, ROUTES, TempoRequest, refuse
from connections.sandbox.tempo.finding import seen_worklog, visible, visible_rows
from connections.sandbox.tempo.reading import body_json, check_attribute
from connections.sandbox.tempo.shapes import page, values_of
from connections.sandbox.world import TempoAttribute, TempoWorklog


@ROUTES.on("POST", f"{API}/worklogs/jira-to-tempo")
def jira_to_tempo(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, getWorklogIdsByJira: unknown ids are left out silently."""
    asked = set(_asked_ids(request, "jiraWorklogIds"))
    return _id_page(request, [row for row in visible_rows(request) if row.jira_worklog_id in asked])


@ROUTES.on("POST", f"{API}/worklogs/tempo-to-jira")
def tempo_to_jira(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, getWorklogIdsByTempo."""
    asked = set(_asked_ids(request, "tempoWorklogIds"))
    return _id_page(
        request, [row for row in visible_rows(request) if row.id in asked and row.jira_worklog_id]
    )


def _asked_ids(request: TempoRequest, name: str) -> list[int]:
    ids = body_json(request, dict).get(name)
    if not isinstance(ids, list) or not ids:
        raise refuse(request.site, 400, f"'{name}' must hold at least one id")
    return ids


def _id_page(request: TempoRequest, rows: list[TempoWorklog]) -> Reply:
    envelope, shown = page(request, rows)
    pairs = [{"jiraWorklogId": row.jira_worklog_id, "tempoWorklogId": row.id} for row in shown]
    return Reply(200, envelope | {"results": pairs})


@ROUTES.on("GET", f"{API}/worklogs/{{worklog}}/work-attribute-values")
def attribute_values(request: TempoRequest, worklog: str) -> Reply:
    """Tempo v4 OpenAPI, getWorkAttributeValues."""
    values = values_of(seen_worklog(request, worklog))
    body = {"self": f"{request.home}{request.path}", "metadata": {"count": len(values)}, "results": values}
    return Reply(200, body)


@ROUTES.on("GET", f"{API}/worklogs/{{worklog}}/work-attribute-values/{{key}}")
def attribute_value(request: TempoRequest, worklog: str, key: str) -> Reply:
    """Tempo v4 OpenAPI, getWorkAttributeValue."""
    held = seen_worklog(request, worklog).attributes
    if key not in held:
        raise refuse(request.site, 404, f"Work attribute '{key}' not found")
    return Reply(200, {"key": key, "value": held[key]})


@ROUTES.on("POST", f"{API}/worklogs/work-attribute-values")
def create_attribute_values(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, createWorkAttributeValues: creates only; a value that is there already is a 400."""
    pairs = [(seen_worklog(request, str(row.get("tempoWorklogId"))), row) for row in body_json(request, list)]
    for worklog, row in pairs:
        for value in row.get("attributeValues") or []:
            if value.get("key") in worklog.attributes:
                raise refuse(request.site, 400, f"Work attribute '{value['key']}' has a value already")
            known = request.site.attributes.get(value.get("key"))
            check_attribute(request.site, known, str(value.get("key")), str(value.get("value")))
    for worklog, row in pairs:
        worklog.attributes |= {value["key"]: str(value["value"]) for value in row["attributeValues"]}
    return Reply(204)


@ROUTES.on("POST", f"{API}/worklogs/work-attribute-values/search")
def search_attribute_values(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, searchWorkAttributeValues: 1 to 500 ids."""
    asked = _asked_ids(request, "tempoWorklogIds")
    if len(asked) > 500:
        raise refuse(request.site, 400, "'tempoWorklogIds' must hold between 1 and 500 ids")
    held = visible(request, [row for row in map(request.site.worklogs.get, asked) if row])
    return Reply(200, [{"tempoWorklogId": row.id, "workAttributeValues": values_of(row)} for row in held])


@ROUTES.on("GET", f"{API}/work-attributes")
def work_attributes(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, getWorkAttributes."""
    envelope, shown = page(request, list(request.site.attributes.values()))
    return Reply(200, envelope | {"results": [_attribute_json(request, known) for known in shown]})


@ROUTES.on("GET", f"{API}/work-attributes/{{key}}")
def work_attribute(request: TempoRequest, key: str) -> Reply:
    """Tempo v4 OpenAPI, getWorkAttribute."""
    known = request.site.attributes.get(key)
    if known is None:
        raise refuse(request.site, 404, f"Work attribute '{key}' not found")
    return Reply(200, _attribute_json(request, known))


def _attribute_json(request: TempoRequest, known: TempoAttribute) -> dict[str, Any]:
    shown = {
        "self": f"{request.home}{API}/work-attributes/{known.key}",
        "key": known.key,
        "name": known.name,
        "type": known.kind,
        "required": known.required,
    }
    return shown | (
        {"values": list(known.names), "names": known.names} if known.kind == "STATIC_LIST" else {}
    )
