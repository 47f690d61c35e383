"""How Jira lets callers in, limits them and refuses them; its table of routes."""

import math
from datetime import UTC, datetime

from connections.sandbox.limits import TokenBucket
from connections.sandbox.routes import RefusalError, Reply, Request, Route, Routes, basic
from connections.sandbox.world import JiraAccount, JiraIssue, JiraSite

type JiraRequest = Request[JiraSite, JiraAccount]

ROUTES = Routes()
API = "/rest/api/3"
WORKLOGS = f"{API}/issue/{{key}}/worklog"
WORKLOG = f"{WORKLOGS}/{{number}}"

_PER_SECOND = {"GET": 100, "POST": 100, "PUT": 50, "DELETE": 50}
_FAST_READS = {f"{API}/issue/{{key}}", f"{API}/user"}


def refuse(
    status: int, message: str = "", *, headers: dict[str, str] | None = None, **errors: str
) -> RefusalError:
    """Jira's ErrorCollection."""
    body = {"errorMessages": [message] if message else [], "errors": errors}
    return RefusalError(Reply(status, body, headers or {}))


def lost(request: JiraRequest) -> Reply:
    body = {"message": f"null for uri: {request.home}{request.path}", "status-code": 404}
    return Reply(404, body)


def crash(what: str) -> Reply:
    return Reply(500, {"errorMessages": [f"Internal server error: {what}"], "errors": {}})


def admit(request: JiraRequest) -> None:
    """Basic with e-mail and API token; the caller's account id comes back as X-AAccountId (seen on live sites)."""
    given = basic(request)
    token = next((known for known in request.site.tokens if given == (known.email, known.token)), None)
    account = request.site.accounts.get(token.account_id) if token else None
    if account is None or not account.active:
        raise RefusalError(
            Reply(
                401,
                "Client must be authenticated to access this resource.",
                {"WWW-Authenticate": 'OAuth realm="sandbox"', "X-Seraph-LoginReason": "AUTHENTICATED_FAILED"},
                "text/plain;charset=UTF-8",
            )
        )
    request.called_by(account)
    request.extra_headers["X-AAccountId"] = account.account_id


def throttle(request: JiraRequest, route: Route) -> None:
    """Developer page "Rate limiting": token buckets by endpoint and method, and windows for the writes of one issue."""
    if not request.site.limits:
        return
    bucket = _bucket(request.site, route)
    wait = bucket.wait(request.now())
    request.extra_headers["X-RateLimit-Limit"] = str(int(bucket.rate))
    request.extra_headers["X-RateLimit-Remaining"] = str(bucket.remaining)
    if wait:
        raise too_many(request, wait, "jira-burst-based")


def _bucket(site: JiraSite, route: Route) -> TokenBucket:
    with site.lock:
        rate = 150 if route.method == "GET" and route.pattern in _FAST_READS else _PER_SECOND[route.method]
        return site.buckets.setdefault((route.method, route.pattern), TokenBucket(rate))


def throttle_writes(request: JiraRequest, issue: JiraIssue) -> None:
    """20 writes in 2 s and 100 in 30 s to one issue."""
    if not request.site.limits:
        return
    wait = issue.pace.wait(request.now())
    if wait:
        raise too_many(request, wait, "jira-per-issue-on-write")


def too_many(request: JiraRequest, wait: float, reason: str) -> RefusalError:
    reset = datetime.fromtimestamp(request.now() + wait, UTC)
    headers = {
        "Retry-After": str(max(1, math.ceil(wait))),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": reset.strftime("%Y-%m-%dT%H:%MZ"),
        "RateLimit-Reason": reason,
    }
    return refuse(429, "Rate limit exceeded.", headers=headers)
