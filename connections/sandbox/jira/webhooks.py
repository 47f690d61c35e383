"""Jira's webhooks: an administrator's, which know worklogs, and those of apps, which do not."""

from datetime import UTC, datetime
from typing import Any

from connections.sandbox import jql
from connections.sandbox.jira.access import may
from connections.sandbox.jira.door import API, ROUTES, JiraRequest, refuse
from connections.sandbox.jira.reading import body_object
from connections.sandbox.news import JiraWebhook
from connections.sandbox.routes import Reply, is_safe_target
from connections.sandbox.world import milliseconds

HOOKS = "/rest/webhooks/1.0/webhook"
_SECTION = "issue-related-events-section"


@ROUTES.on("POST", HOOKS)
def create_webhook(request: JiraRequest) -> Reply:
    """Developer page "Webhooks", registering by REST: 201, for administrators; the secret is never told again."""
    _check_administrator(request)
    number = max(request.site.webhooks, default=0) + 1
    hook = _described(request, JiraWebhook(number, "", "", []))
    request.site.webhooks[number] = hook
    return Reply(201, _hook_json(request, hook), {"Location": f"{request.home}{HOOKS}/{number}"})


@ROUTES.on("GET", HOOKS)
def list_webhooks(request: JiraRequest) -> Reply:
    """Developer page "Webhooks": a bare array."""
    _check_administrator(request)
    return Reply(200, [_hook_json(request, hook) for hook in request.site.webhooks.values()])


@ROUTES.on("GET", f"{HOOKS}/{{number}}")
def get_webhook(request: JiraRequest, number: str) -> Reply:
    """Developer page "Webhooks"."""
    return Reply(200, _hook_json(request, _known(request, number)))


@ROUTES.on("PUT", f"{HOOKS}/{{number}}")
def update_webhook(request: JiraRequest, number: str) -> Reply:
    """Developer page "Webhooks": fields that are not sent stay, the secret among them."""
    return Reply(200, _hook_json(request, _described(request, _known(request, number))))


@ROUTES.on("DELETE", f"{HOOKS}/{{number}}")
def delete_webhook(request: JiraRequest, number: str) -> Reply:
    """Developer page "Webhooks": 204."""
    del request.site.webhooks[_known(request, number).id]
    return Reply(204)


@ROUTES.on("POST", f"{API}/webhook")
def register_dynamic_webhooks(_request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, registerDynamicWebhooks: for Connect and OAuth 2.0 apps only, and without worklog events."""
    raise refuse(403, "Only Connect and OAuth 2.0 apps can use this operation.")


def _check_administrator(request: JiraRequest) -> None:
    if not may(request.caller, "ADMINISTER"):
        raise refuse(403, "Only administrators can manage webhooks.")


def _known(request: JiraRequest, number: str) -> JiraWebhook:
    _check_administrator(request)
    hook = request.site.webhooks.get(int(number)) if number.isdecimal() else None
    if hook is None:
        raise refuse(404, f"Webhook with id {number} does not exist.")
    return hook


def _described(request: JiraRequest, hook: JiraWebhook) -> JiraWebhook:
    """Takes over what the body says; refuses one without a name, an address or events."""
    body = body_object(request)
    hook.name = str(body.get("name") or hook.name)
    hook.url = str(body.get("url") or hook.url)
    hook.events = list(body.get("events") or hook.events)
    if not hook.name or not hook.events:
        raise refuse(400, "A webhook needs a name and at least one event.")
    if not is_safe_target(hook.url):
        raise refuse(400, f"The URL '{hook.url}' must use HTTPS.")
    hook.jql = _checked_jql(request, (body.get("filters") or {}).get(_SECTION, hook.jql))
    hook.description = str(body.get("description", hook.description))
    hook.secret = str(body.get("secret", hook.secret) or "")
    hook.enabled = bool(body.get("enabled", hook.enabled))
    hook.exclude_body = bool(body.get("excludeBody", hook.exclude_body))
    hook.by, hook.updated = request.caller.account_id, datetime.fromtimestamp(request.now(), UTC)
    return hook


def _checked_jql(request: JiraRequest, text: str) -> str:
    try:
        if text:
            jql.find(request.site, text)
    except jql.JqlError as error:
        raise refuse(400, str(error)) from None
    return text


def _hook_json(request: JiraRequest, hook: JiraWebhook) -> dict[str, Any]:
    by = request.site.accounts[hook.by]
    return {
        "name": hook.name,
        "description": hook.description,
        "url": hook.url,
        "excludeBody": hook.exclude_body,
        "filters": {_SECTION: hook.jql},
        "events": hook.events,
        "enabled": hook.enabled,
        "self": f"{request.home}{HOOKS}/{hook.id}",
        "lastUpdatedUser": hook.by,
        "lastUpdatedDisplayName": by.name,
        "lastUpdated": milliseconds(hook.updated) if hook.updated else None,
        "isSigned": bool(hook.secret),
    }
