"""The sandbox calls webhooks as Tempo and Jira do: signed, again after a failure, and in any order one likes."""

import hashlib
import hmac
import json
import uuid
from contextlib import suppress

import pytest
from sandbox_callers import ORDINARY, Caller, Person, adf
from vendor_sheets import check, check_keys, example
from werkzeug import Response

from connections.sandbox import Sandbox, worlds

SUBSCRIPTIONS = "/webhooks/subscriptions"
EVENTS = ["worklog_created", "worklog_updated", "worklog_deleted"]


class Receiver:
    """Somebody who is called. `status` is what they answer to a delivery; a handshake is answered rightly."""

    def __init__(self, httpserver):
        self.url = httpserver.url_for("/hook")
        self.status = 200
        self.shakes_hands = True
        self.calls = []
        httpserver.expect_request("/hook").respond_with_handler(self._answer)

    def _answer(self, request):
        if request.method == "GET":
            text = request.args["randomString"] if self.shakes_hands else "What?"
            return Response(text, content_type="text/plain")
        self.calls.append((request.get_data(), dict(request.headers)))
        return Response(status=self.status)

    @property
    def bodies(self):
        return [json.loads(body) for body, _ in self.calls]

    def header(self, name):
        return [headers.get(name) for _, headers in self.calls]


@pytest.fixture
def receiver(httpserver):
    return Receiver(httpserver)


@pytest.fixture
def sandbox():
    with Sandbox(worlds.small()) as running:
        stopped = running.world.clock()
        running.world.clock = lambda: stopped
        yield running


@pytest.fixture
def site(sandbox):
    return sandbox.world.tempo["jcb-tempo"]


@pytest.fixture
def tempo(sandbox):
    return Caller(sandbox)


@pytest.fixture
def jira(sandbox):
    return Person(sandbox, "jcb", "twinlog@jcb.example", sandbox.secrets()["JCB_TOKEN"])


@pytest.fixture
def hooks(sandbox, jira):
    """Calls the webhooks of `jcb`, below another path than the rest."""
    home = f"{sandbox.url}/jira/jcb/rest/webhooks/1.0/webhook"
    return lambda method, path="", **more: jira.session.request(method, home + path, **more)


@pytest.fixture
def subscribe(sandbox, tempo, receiver):
    def subscribed(event="worklog.created", **changes):
        answer = tempo("POST", SUBSCRIPTIONS, json={"event": event, "url": receiver.url} | changes)
        sandbox.settle()
        return answer

    return subscribed


@pytest.fixture
def register(hooks, receiver):
    def registered(**changes):
        body = {"name": "Twinlog", "url": receiver.url, "events": EVENTS}
        return hooks("POST", json=body | changes)

    return registered


@pytest.fixture
def log(tempo, site):
    alice = site.jira.account_of("alice@example.com").account_id

    def logged(**changes):
        body = {
            "authorAccountId": alice, "issueId": site.jira.issue("ABC-1").id, "startDate": "2024-05-02",
            "startTime": "09:00:00", "timeSpentSeconds": 600, "description": "Text",
        }  # fmt: skip
        return tempo("POST", "/worklogs", json=body | changes).json()["tempoWorklogId"]

    return logged


# Tempo's subscriptions


def test_a_subscription_is_inactive_until_the_handshake_was_answered(sandbox, tempo, receiver):
    sandbox.post.hold()
    made = tempo("POST", SUBSCRIPTIONS, json={"event": "worklog.created", "url": receiver.url}).json()
    check("tempo", "Subscription", made)
    assert (made["active"], len(made["sharedSecret"])) == (False, 128)
    sandbox.post.release()
    sandbox.settle()
    shown = tempo("GET", f"{SUBSCRIPTIONS}/{made['id']}").json()
    assert shown["active"] is True
    listed = tempo("GET", SUBSCRIPTIONS).json()
    check("tempo", "SubscriptionResults", listed)
    assert listed["results"] == [shown]


def test_a_wrong_answer_to_the_handshake_leaves_it_inactive_until_it_is_refreshed(
    sandbox, tempo, subscribe, receiver, log
):
    receiver.shakes_hands = False
    number = subscribe().json()["id"]
    assert tempo("GET", f"{SUBSCRIPTIONS}/{number}").json()["active"] is False
    log()
    receiver.shakes_hands = True
    assert tempo("PATCH", f"{SUBSCRIPTIONS}/{number}/refresh").status_code == 204
    sandbox.settle()
    assert tempo("GET", f"{SUBSCRIPTIONS}/{number}").json()["active"] is True
    assert receiver.calls == []


@pytest.mark.parametrize(
    "changes",
    [
        {"event": "worklog.moved"},
        {"event": None},
        {"url": "http://example.com/hook"},
        {"url": "nonsense"},
        {"url": ""},
    ],
)
def test_a_subscription_tempo_cannot_take_is_a_400(subscribe, changes):
    assert subscribe(**changes).status_code == 400


def test_the_same_event_and_address_are_subscribed_once(subscribe):
    assert [subscribe().status_code, subscribe().status_code] == [200, 409]
    assert subscribe("worklog.deleted").status_code == 200


def test_there_are_at_most_25_subscriptions(tempo, receiver):
    def answer(number):
        body = {"event": "worklog.created", "url": f"{receiver.url}?n={number}"}
        return tempo("POST", SUBSCRIPTIONS, json=body).status_code

    assert [answer(number) for number in range(26)] == [200] * 25 + [400]


def test_a_deleted_subscription_is_gone_and_hears_nothing(sandbox, tempo, subscribe, receiver, log):
    number = subscribe().json()["id"]
    assert tempo("DELETE", f"{SUBSCRIPTIONS}/{number}").status_code == 204
    assert tempo("GET", f"{SUBSCRIPTIONS}/{number}").status_code == 404
    assert tempo("DELETE", f"{SUBSCRIPTIONS}/{number}").status_code == 404
    assert tempo("PATCH", f"{SUBSCRIPTIONS}/{number}/refresh").status_code == 404
    log()
    sandbox.settle()
    assert receiver.calls == []


def test_each_event_tells_the_worklogs_last_state(sandbox, tempo, subscribe, receiver, log, site):
    for event in ("worklog.created", "worklog.updated", "worklog.deleted"):
        subscribe(event)
    number, alice = log(), site.jira.account_of("alice@example.com").account_id
    changed = {"authorAccountId": alice, "startDate": "2024-05-03", "timeSpentSeconds": 900}
    tempo("PUT", f"/worklogs/{number}", json=changed)
    tempo("DELETE", f"/worklogs/{number}")
    sandbox.settle()
    sample = example("tempo-webhook-worklog-events.official.json")
    for body in receiver.bodies:
        check_keys(body, sample and sample[body["eventType"]])
        check_keys(body["payload"], sample and sample[body["eventType"]]["payload"])
        assert uuid.UUID(body["eventId"])
        assert {"attributes", "self", "jiraWorklogId", "startDateTimeUtc"}.isdisjoint(body["payload"])
        assert body["payload"]["tempoWorklogId"] == number
        assert body["payload"]["author"] == {"accountId": alice}
        assert body["payload"]["updater"] == {"accountId": site.tokens[0].account_id}
    told = [(body["eventType"], body["payload"]["timeSpentSeconds"]) for body in receiver.bodies]
    assert told == [("worklog.created", 600), ("worklog.updated", 900), ("worklog.deleted", 900)]


def test_a_delivery_is_signed_over_its_body_and_the_time(sandbox, subscribe, receiver, log):
    secret = subscribe().json()["sharedSecret"]
    log(description="Grüße 🚀")
    sandbox.settle()
    ((body, headers),) = receiver.calls
    message = body + headers["Tempo-Timestamp"].encode()
    assert headers["Tempo-Signature"] == hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    assert headers["Tempo-Timestamp"].endswith("Z")
    assert headers["Tempo-Jira-Client-Key"]
    assert headers["Tempo-Tenant-Id"]


def test_what_comes_from_jira_is_told_by_tempo_too(sandbox, jira, subscribe, receiver, site):
    subscribe()
    jira.log(comment=adf("In Jira"))
    sandbox.settle()
    (body,) = receiver.bodies
    assert body["payload"]["description"] == "In Jira"
    assert body["payload"]["tempoWorklogId"] in site.worklogs


def test_a_failed_delivery_is_made_ten_times_more_and_then_the_subscription_is_inactive(
    sandbox, tempo, subscribe, receiver, log
):
    number = subscribe().json()["id"]
    receiver.status = 400
    log()
    sandbox.settle()
    for attempts in range(1, 12):
        assert len(receiver.calls) == attempts
        sandbox.world.later(299)
        sandbox.settle()
        assert len(receiver.calls) == attempts
        sandbox.world.later(601)
        sandbox.settle()
    assert tempo("GET", f"{SUBSCRIPTIONS}/{number}").json()["active"] is False
    assert len({body for body, _ in receiver.calls}) == 1
    log()
    assert tempo("PATCH", f"{SUBSCRIPTIONS}/{number}/refresh").status_code == 204
    receiver.status = 200
    log()
    sandbox.settle()
    assert len(receiver.calls) == 12


def test_nobody_at_the_address_counts_as_a_failure(sandbox, site, subscribe, httpserver, log):
    subscribe()
    httpserver.stop()
    log()
    sandbox.settle()
    assert [attempt.status for attempt in sandbox.post.attempts][-1] is None
    assert len(site.outbox) == 1
    with suppress(Exception):
        httpserver.start()


# Jira's webhooks


def test_an_administrators_webhook_is_registered_and_its_secret_never_shown(register, hooks, site):
    made = register(
        secret="It's a Secret to Everybody", filters={"issue-related-events-section": "project = ABC"}
    )
    assert made.status_code == 201
    hook = made.json()
    assert (hook["isSigned"], hook["enabled"], hook["events"]) == (True, True, EVENTS)
    assert "Everybody" not in made.text
    path = "/" + hook["self"].rpartition("/")[2]
    assert hooks("GET", path).json() == hook
    assert hooks("GET").json() == [hook]
    assert hooks("PUT", path, json={"enabled": False}).json()["isSigned"] is True
    assert hooks("DELETE", path).status_code == 204
    assert hooks("GET", path).status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"events": []},
        {"url": "http://example.com/"},
        {"filters": {"issue-related-events-section": "labels"}},
    ],
)
def test_a_webhook_jira_cannot_take_is_a_400(register, hooks, changes):
    answer = register(**changes)
    assert answer.status_code == 400
    check("jira", "ErrorCollection", answer.json())
    assert hooks("GET").json() == []


def test_webhooks_are_for_administrators_and_the_route_for_apps_is_closed(register, site, jira):
    assert jira("POST", "/webhook", json={"url": "https://example.com", "webhooks": []}).status_code == 403
    site.jira.accounts[site.jira.tokens[0].account_id].permissions -= {"ADMINISTER"}
    assert register().status_code == 403


def test_jira_tells_the_worklog_without_issue_or_address(sandbox, register, receiver, jira):
    register()
    number = jira.log(comment=adf("Text")).json()["id"]
    jira.change(number, timeSpentSeconds=900)
    jira("DELETE", f"/issue/{ORDINARY}/worklog/{number}")
    sandbox.settle()
    sample = example("jira-webhook-worklog_created.real-2021.json")
    for body in receiver.bodies:
        check_keys(body, sample)
        check_keys(body["worklog"], sample and sample["worklog"])
        check_keys(body["worklog"]["author"], sample and sample["worklog"]["author"])
        assert set(body) == {"timestamp", "webhookEvent", "worklog"}
        assert "emailAddress" not in body["worklog"]["author"]
        assert (body["worklog"]["id"], body["worklog"]["comment"]) == (number, "Text")
        assert "/rest/api/2/issue/" in body["worklog"]["self"]
    told = [(body["webhookEvent"], body["worklog"]["timeSpentSeconds"]) for body in receiver.bodies]
    assert told == [("worklog_created", 600), ("worklog_updated", 900), ("worklog_deleted", 900)]


def test_jiras_delivery_is_signed_only_with_a_secret(sandbox, register, receiver, jira):
    register()
    register(secret="It's a Secret to Everybody")
    jira.log()
    sandbox.settle()
    (_, plain), (body, signed) = receiver.calls
    digest = hmac.new(b"It's a Secret to Everybody", body, hashlib.sha256).hexdigest()
    assert signed["X-Hub-Signature"] == f"sha256={digest}"
    assert "X-Hub-Signature" not in plain
    assert plain["X-Atlassian-Webhook-Identifier"] != signed["X-Atlassian-Webhook-Identifier"]
    assert plain["X-Atlassian-Webhook-Flow"] == "Primary"


def test_a_filter_keeps_other_projects_out(sandbox, register, receiver, jira):
    register(filters={"issue-related-events-section": "project = XYZ"})
    jira.log()
    number = jira.log("XYZ-1").json()["id"]
    sandbox.settle()
    assert [body["worklog"]["id"] for body in receiver.bodies] == [number]


def test_a_webhook_hears_only_its_events_and_nothing_when_it_is_switched_off(
    sandbox, register, hooks, receiver, jira
):
    path = "/" + register(events=["worklog_deleted"]).json()["self"].rpartition("/")[2]
    numbers = [jira.log().json()["id"] for _ in range(2)]
    jira("DELETE", f"/issue/{ORDINARY}/worklog/{numbers[0]}")
    sandbox.settle()
    hooks("PUT", path, json={"enabled": False})
    jira("DELETE", f"/issue/{ORDINARY}/worklog/{numbers[1]}")
    sandbox.settle()
    assert [body["worklog"]["id"] for body in receiver.bodies] == numbers[:1]


def test_what_tempo_writes_into_jira_is_told_as_its_apps_work(sandbox, register, receiver, log, site):
    register()
    log()
    sandbox.settle()
    (body,) = receiver.bodies
    author = body["worklog"]["author"]
    assert (author["accountId"], author["accountType"]) == (site.app.account_id, "app")


def test_a_bulk_move_tells_nobody_and_a_site_may_be_silent_about_bulk_deletions(
    sandbox, register, receiver, jira, site
):
    numbers = [int(jira.log().json()["id"]) for _ in range(3)]
    register()
    jira("POST", f"/issue/{ORDINARY}/worklog/move", json={"ids": numbers[:1], "issueIdOrKey": "XYZ-1"})
    jira("DELETE", f"/issue/{ORDINARY}/worklog", json={"ids": numbers[1:2]})
    site.jira.bulk_delete_fires = False
    jira("DELETE", f"/issue/{ORDINARY}/worklog", json={"ids": numbers[2:]})
    sandbox.settle()
    told = [(body["webhookEvent"], body["worklog"]["id"]) for body in receiver.bodies]
    assert told == [("worklog_deleted", str(numbers[1]))]


@pytest.mark.parametrize(
    ("status", "attempts"), [(503, 6), (429, 6), (408, 6), (425, 6), (409, 6), (400, 1), (404, 1), (301, 1)]
)
def test_jira_tries_again_five_times_where_that_may_help_under_the_same_identifier(
    sandbox, register, receiver, jira, status, attempts
):
    register()
    receiver.status = status
    jira.log()
    for _ in range(8):
        sandbox.settle()
        sandbox.world.later(901)
    assert len(receiver.calls) == attempts
    assert len(set(receiver.header("X-Atlassian-Webhook-Identifier"))) == 1
    assert receiver.header("X-Atlassian-Webhook-Retry") == [None, "1", "2", "3", "4", "5"][:attempts]


# What a test may do with the post


def test_everything_may_arrive_twice(sandbox, register, receiver, jira):
    register()
    sandbox.post.copies = 2
    jira.log()
    sandbox.settle()
    first, second = receiver.calls
    assert first[0] == second[0]
    assert first[1]["X-Atlassian-Webhook-Identifier"] == second[1]["X-Atlassian-Webhook-Identifier"]


def test_what_was_held_back_may_arrive_in_the_wrong_order(sandbox, register, receiver, jira):
    register()
    sandbox.post.hold()
    numbers = [jira.log().json()["id"] for _ in range(3)]
    sandbox.settle()
    assert receiver.calls == []
    assert len(sandbox.post.waiting()) == 3
    sandbox.post.release(backwards=True)
    sandbox.settle()
    assert [body["worklog"]["id"] for body in receiver.bodies] == numbers[::-1]


def test_a_stopped_sandbox_calls_nobody(sandbox, register, receiver, jira):
    register()
    sandbox.post.hold()
    jira.log()
    sandbox.stop()
    sandbox.post.release()
    assert receiver.calls == []
