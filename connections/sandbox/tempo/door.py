"""How Tempo lets callers in, limits them and refuses them; its table of routes."""

from typing import Any

from connections.sandbox.routes import HTML_TYPE, RefusalError, Reply, Request, Route, Routes, bearer
from connections.sandbox.world import JiraAccount, TempoSite

type TempoRequest = Request[TempoSite, JiraAccount]

ROUTES = Routes()
API = "/4"


def refuse(site: TempoSite, status: int, message: str) -> RefusalError:
    """One of the three error shapes clients have met."""
    shapes: dict[str, Any] = {
        "list": {"errors": [{"message": message}]},
        "object": {"errors": {"message": message}},
    }
    if site.error_shape == "text":
        return RefusalError(Reply(status, message, content_type="text/plain;charset=UTF-8"))
    return RefusalError(Reply(status, shapes[site.error_shape]))


def page_refusal(status: int, title: str) -> RefusalError:
    """401 and 403 come as HTML."""
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return RefusalError(Reply(status, page, content_type=HTML_TYPE))


def lost(request: TempoRequest) -> Reply:
    return refuse(request.site, 404, f"Nothing found at {request.path}").reply


def crash(what: str) -> Reply:
    return Reply(500, {"errors": [{"message": f"Internal server error: {what}"}]})


def admit(request: TempoRequest) -> None:
    """Tempo v4 OpenAPI, bearer token: acts with the permissions of the person who made it."""
    given = bearer(request)
    token = next((known for known in request.site.tokens if known.token == given), None)
    account = request.site.jira.accounts.get(token.account_id) if token else None
    if token is None or account is None or not account.active:
        raise page_refusal(401, "Unauthorized")
    if token.read_only and request.method != "GET":
        raise page_refusal(403, "Forbidden")
    request.called_by(account)


def throttle(request: TempoRequest, _route: Route) -> None:
    """Best-practices page: five requests a second."""
    wait = request.site.rate.wait(request.now()) if request.site.limits else 0.0
    if wait:
        raise RefusalError(Reply(429, {"errors": [{"message": "Too many requests"}]}, {"Retry-After": "1"}))
