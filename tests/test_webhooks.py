"""Vendors call when a worklog changes: what is theirs is recorded once and rings the bell, all else is turned away."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest
import requests
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ
from sandbox_callers import ORDINARY, Caller, Person, adf

from connections import hooks
from connections.clients.http import SiteError
from connections.hooks import State
from connections.models import Connection, Delivery, Site, Webhook
from connections.sandbox import Fault, FaultKind, Sandbox, worlds
from connections.tokens import keep, keep_secret, open_secret
from worklogs.webhooks import BELL, MOST_BYTES

EVENTS = ["worklog.created", "worklog.deleted", "worklog.updated"]


@pytest.fixture
def sandbox():
    with Sandbox(worlds.small()) as running:
        yield running


@pytest.fixture
def home(live_server, settings):
    """Twinlog on the wire, where the vendors reach it."""
    settings.ALLOW_LOCAL_SITES = True
    settings.PUBLIC_URL = live_server.url
    return live_server.url


@pytest.fixture
def tempo(home, sandbox):
    """The Tempo on `jcb`."""
    return _site(sandbox, Site.Kind.TEMPO, "jcb-tempo", "JCB_TEMPO_TOKEN")


@pytest.fixture
def jira(home, sandbox):
    return _site(sandbox, Site.Kind.JIRA, "jca", "JCA_TOKEN", email="twinlog@jca.example")


def _site(sandbox, kind, name, variable, **more):
    site = Site.objects.create(name=name, kind=kind, url=f"{sandbox.url}/{kind}/{name}", **more)
    keep(site, "", sandbox.secrets()[variable])
    return site


@pytest.fixture
def sync(tempo, jira):
    return _sync("jcb-jca", tempo, jira)


def _sync(name, left, right):
    return Connection.objects.create(name=name, kind=Connection.Kind.SYNC, left=left, right=right)


@pytest.fixture
def listening(sandbox):
    """Has a site call us, and waits for the handshakes."""

    def listens(site):
        findings = hooks.register(site)
        sandbox.settle()
        return findings

    return listens


@pytest.fixture
def alice(sandbox):
    """She logs, changes and deletes worklogs in the Tempo on `jcb`."""
    return Alice(sandbox)


class Alice:
    def __init__(self, sandbox):
        self._site = sandbox.world.tempo["jcb-tempo"]
        self._call = Caller(sandbox)
        account = self._site.jira.account_of("alice@example.com").account_id
        self._body = {"authorAccountId": account, "startDate": "2024-05-02", "timeSpentSeconds": 600}

    def logs(self, text="Text"):
        issue = self._site.jira.issue("ABC-1").id
        body = self._body | {"issueId": issue, "description": text}
        return str(self._call("POST", "/worklogs", json=body).json()["tempoWorklogId"])

    def changes(self, number):
        self._call("PUT", f"/worklogs/{number}", json=self._body | {"timeSpentSeconds": 900})

    def deletes(self, number):
        self._call("DELETE", f"/worklogs/{number}")


def told():
    return list(Delivery.objects.values_list("event", "worklog"))


def bells():
    return [row.task["args"] for row in OrmQ.objects.all() if row.task["func"] == BELL]


# --- over the wire


def test_tempo_tells_what_alice_did(sandbox, tempo, listening, alice):
    listening(tempo)
    number = alice.logs("Grüße 🚀 \u202eעברית\u202c \u2028 Zeile")
    alice.changes(number)
    alice.deletes(number)
    sandbox.settle()
    assert told() == [("created", number), ("updated", number), ("deleted", number)]
    assert {attempt.status for attempt in sandbox.post.attempts} == {200}
    heard = Webhook.objects.exclude(last_heard_at=None).filter(active=True)
    assert sorted(heard.values_list("event", flat=True)) == EVENTS


def test_jira_tells_what_was_done_there(sandbox, jira, listening):
    listening(jira)
    person = Person(sandbox)
    number = person.log(comment=adf("Grüße 🚀")).json()["id"]
    person.change(number, timeSpentSeconds=900)
    person("DELETE", f"/issue/{ORDINARY}/worklog/{number}")
    sandbox.settle()
    assert told() == [("created", number), ("updated", number), ("deleted", number)]
    assert {attempt.status for attempt in sandbox.post.attempts} == {200}


def test_what_arrives_twice_is_answered_twice_and_recorded_once(sandbox, tempo, jira, listening, alice):
    listening(tempo)
    listening(jira)
    sandbox.post.attempts.clear()
    sandbox.post.copies = 2
    first, second = alice.logs(), Person(sandbox).log().json()["id"]
    sandbox.settle()
    assert sorted(told()) == sorted([("created", first), ("created", second)])
    assert [attempt.status for attempt in sandbox.post.attempts] == [200] * 4


def test_what_arrives_in_the_wrong_order_is_recorded_all_the_same(sandbox, tempo, listening, alice):
    listening(tempo)
    sandbox.post.hold()
    number = alice.logs()
    alice.deletes(number)
    sandbox.post.release(backwards=True)
    sandbox.settle()
    assert told() == [("deleted", number), ("created", number)]


def test_what_was_lost_on_the_way_comes_with_a_repetition(sandbox, tempo, listening, alice):
    listening(tempo)
    Webhook.objects.update(ciphertext="")
    number = alice.logs()
    sandbox.settle()
    assert told() == []
    listening(tempo)
    sandbox.world.later(901)
    sandbox.settle()
    assert told() == [("created", number)]


def test_the_bell_is_rung_once_a_site_until_it_is_heard(sandbox, tempo, jira, listening, alice):
    listening(tempo)
    listening(jira)
    for _ in range(3):
        alice.logs()
        Person(sandbox).log()
        sandbox.settle()
    assert len(told()) == 6
    assert sorted(bells()) == sorted([(tempo.pk,), (jira.pk,)])
    OrmQ.objects.update(lock=timezone.now() + timedelta(minutes=5))
    alice.logs()
    sandbox.settle()
    assert len(bells()) == 3


# --- calls that are turned away


@pytest.fixture
def post(client, settings):
    """Calls the address of a webhook as somebody would."""
    settings.PUBLIC_URL = "https://twinlog.example"

    def posted(webhook, body, **headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(
            reverse("worklogs:hook", args=[webhook.key]), body, "application/json", headers=sent
        )

    return posted


@pytest.fixture
def webhook(db):
    """Of a Jira; its secret is "s3cret"."""
    site = Site.objects.create(name="jca", kind=Site.Kind.JIRA, url="https://jca.example")
    made = Webhook(site=site, event="worklog")
    keep_secret(made, "s3cret")
    made.save()
    return made


BODY = (
    b'{"webhookEvent": "worklog_created", "worklog": {"id": "7", "comment": "Gr\xc3\xbc\xc3\x9fe \\u00fc"}}'
)


def signed(body, secret="s3cret", method="sha256"):
    return f"{method}={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def test_the_signature_is_over_the_bytes_that_came_and_not_over_what_they_mean(post, webhook):
    other = json.dumps(json.loads(BODY)).encode()
    assert post(webhook, other, X_Hub_Signature=signed(BODY)).status_code == 401
    assert post(webhook, BODY, X_Hub_Signature=signed(BODY)).status_code == 200
    assert told() == [("created", "7")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Hub_Signature": "sha256="},
        {"X_Hub_Signature": signed(BODY, "guessed")},
        {"X_Hub_Signature": signed(BODY, "")},
        {"X_Hub_Signature": signed(BODY, method="sha1")},
        {"Tempo_Signature": signed(BODY)[7:], "Tempo_Timestamp": ""},
    ],
)
def test_a_call_without_the_right_signature_learns_nothing_and_leaves_nothing(post, webhook, headers):
    answer = post(webhook, BODY, **headers)
    assert (answer.status_code, answer.content) == (401, b"")
    assert told() == bells() == []
    webhook.refresh_from_db()
    assert webhook.last_heard_at is None


def test_before_its_secret_is_known_a_webhook_believes_nobody(post, webhook):
    Webhook.objects.update(ciphertext="")
    assert post(webhook, BODY, X_Hub_Signature=signed(BODY, "")).status_code == 401


def test_a_secret_of_a_lost_key_believes_nobody(post, webhook):
    Webhook.objects.update(ciphertext="lost")
    assert post(webhook, BODY, X_Hub_Signature=signed(BODY)).status_code == 401


def test_a_genuine_call_about_something_else_is_heard_and_not_recorded(post, webhook):
    for body in (b"", b'{"webhookEvent": "jira:issue_updated", "issue": {"id": "7"}}'):
        assert post(webhook, body, X_Hub_Signature=signed(body)).status_code == 200
    assert told() == bells() == []
    webhook.refresh_from_db()
    assert webhook.last_heard_at is not None


def test_only_the_event_and_the_id_are_kept(post, webhook):
    body = b'{"webhookEvent": "worklog_updated", "worklog": {"id": "7", "comment": "Private"}}'
    post(webhook, body, X_Hub_Signature=signed(body), X_Atlassian_Webhook_Identifier="i1")
    (kept,) = Delivery.objects.values("key", "event", "worklog", "taken_at")
    assert kept == {"key": "i1", "event": "updated", "worklog": "7", "taken_at": None}


def test_what_is_too_large_is_not_read(post, webhook):
    body = b"x" * (MOST_BYTES + 1)
    assert post(webhook, body, X_Hub_Signature=signed(body)).status_code == 413


def test_an_address_nobody_gave_is_not_there(client, webhook):
    assert client.post("/hooks/guessed/", BODY, "application/json").status_code == 404
    assert client.get("/hooks/guessed/?randomString=a").status_code == 404
    assert client.put(reverse("worklogs:hook", args=[webhook.key])).status_code == 405


def test_no_session_and_no_form_token_are_asked_for(webhook):
    stranger = Client(enforce_csrf_checks=True)
    address = reverse("worklogs:hook", args=[webhook.key])
    answer = stranger.post(address, BODY, "application/json", headers={"X-Hub-Signature": signed(BODY)})
    assert answer.status_code == 200
    assert not answer.cookies


@pytest.mark.parametrize(
    ("sent", "status", "given"),
    [
        ("Ab0-_.~+/=", 200, "Ab0-_.~+/="),
        ("<script>alert(1)</script>", 200, "scriptalert1/script"),
        ("a\r\nSet-Cookie: b", 200, "aSet-Cookieb"),
        ("x" * 300, 200, "x" * 200),
        ("", 400, ""),
        ("☃", 400, ""),
    ],
)
def test_a_handshake_gives_the_value_back_as_plain_text(client, webhook, sent, status, given):
    answer = client.get(reverse("worklogs:hook", args=[webhook.key]), {"randomString": sent})
    assert (answer.status_code, answer.content.decode()) == (status, given)
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


# --- asking for calls


def test_registering_again_changes_nothing(sandbox, tempo, jira, listening):
    for site in (tempo, jira):
        listening(site)
    before = list(Webhook.objects.values("key", "vendor_id"))
    findings = [finding for site in (tempo, jira) for finding in listening(site)]
    assert {finding.state for finding in findings} == {State.ACTIVE}
    assert list(Webhook.objects.values("key", "vendor_id")) == before
    assert len(sandbox.world.tempo["jcb-tempo"].subscriptions) == 3
    assert len(sandbox.world.jira["jca"].webhooks) == 1


def test_what_is_registered_is_awaited_until_the_vendor_was_here(sandbox, tempo):
    sandbox.post.hold()
    assert {finding.state for finding in hooks.register(tempo)} == {State.AWAITED}
    sandbox.post.release()
    sandbox.settle()
    assert [(finding.event, finding.state) for finding in hooks.keep_alive(tempo)] == [
        (event, State.ACTIVE) for event in EVENTS
    ]


def test_a_secret_is_nowhere_but_sealed(sandbox, tempo, jira, listening, caplog):
    caplog.set_level("DEBUG")
    shown = str([listening(site) for site in (tempo, jira)]) + caplog.text
    theirs = [held.secret for held in sandbox.world.tempo["jcb-tempo"].subscriptions.values()]
    theirs += [held.secret for held in sandbox.world.jira["jca"].webhooks.values()]
    assert sorted(open_secret(webhook) for webhook in Webhook.objects.all()) == sorted(theirs)
    rows = str(list(Webhook.objects.values()))
    assert not [secret for secret in theirs if secret in rows or secret in shown]


def test_a_webhook_whose_answer_was_lost_is_found_again(sandbox, tempo, jira, listening):
    for path in ("*/subscriptions", "*/webhook"):
        sandbox.faults.add(Fault(FaultKind.CUT_AFTER, method="POST", path=path, times=1))
    for site in (tempo, jira):
        listening(site)
        assert {finding.state for finding in hooks.keep_alive(site)} == {State.ACTIVE}
    assert len(sandbox.world.tempo["jcb-tempo"].subscriptions) == 3
    assert len(sandbox.world.jira["jca"].webhooks) == 1


def test_a_secret_nobody_can_open_any_more_is_replaced(sandbox, jira, listening):
    listening(jira)
    Webhook.objects.update(ciphertext="lost")
    listening(jira)
    number = Person(sandbox).log().json()["id"]
    sandbox.settle()
    assert told() == [("created", number)]
    assert len(sandbox.world.jira["jca"].webhooks) == 1


def test_a_move_to_another_address_leaves_no_webhook_behind(sandbox, tempo, jira, listening, settings):
    for site in (tempo, jira):
        listening(site)
    settings.PUBLIC_URL = "https://new.example/"
    settings.ALLOWED_HOSTS = ["new.example"]
    for site in (tempo, jira):
        hooks.register(site)
    urls = [held.url for held in sandbox.world.tempo["jcb-tempo"].subscriptions.values()]
    urls += [held.url for held in sandbox.world.jira["jca"].webhooks.values()]
    assert len(urls) == 4
    assert all(url.startswith("https://new.example/hooks/") for url in urls)


def test_an_account_that_is_no_administrator_gets_no_webhook_and_is_told_why(sandbox, jira):
    site = sandbox.world.jira["jca"]
    site.accounts[site.tokens[0].account_id].permissions -= {"ADMINISTER"}
    with pytest.raises(SiteError, match="Administer Jira"):
        hooks.register(jira)
    assert not Webhook.objects.exists()


def test_a_webhook_the_vendor_refuses_is_not_looked_after(sandbox, tempo):
    sandbox.faults.add(Fault(FaultKind.STATUS, method="POST", path="*/subscriptions", status=400, times=1))
    with pytest.raises(SiteError):
        hooks.register(tempo)
    assert not Webhook.objects.exists()
    assert hooks.keep_alive(tempo) == []


# --- looking after them


def test_a_subscription_that_fell_asleep_is_woken_and_said_so(sandbox, tempo, listening, alice):
    listening(tempo)
    held = list(sandbox.world.tempo["jcb-tempo"].subscriptions.values())
    held[0].active = False
    states = {finding.event: finding.state for finding in hooks.keep_alive(tempo)}
    assert states.pop(held[0].event) is State.WOKEN
    assert set(states.values()) == {State.ACTIVE}
    assert held[0].active is True


def test_what_cannot_be_woken_is_marked_inactive(sandbox, tempo, jira, listening, settings):
    """Nobody answers Tempo's handshake any more, and a person switched Jira's webhook off."""
    for site in (tempo, jira):
        listening(site)
    for held in sandbox.world.tempo["jcb-tempo"].subscriptions.values():
        held.active = held.verified = False
        held.url = "http://127.0.0.1:9/"
    for held in sandbox.world.jira["jca"].webhooks.values():
        held.enabled = False
    findings = [*hooks.keep_alive(tempo), *hooks.keep_alive(jira)]
    assert {finding.state for finding in findings} == {State.INACTIVE}
    assert all("PUBLIC_URL" in finding.message for finding in findings)
    assert not Webhook.objects.filter(active=True).exists()


def test_a_webhook_somebody_deleted_at_the_vendors_is_gone_until_it_is_registered_again(
    sandbox, jira, listening
):
    listening(jira)
    sandbox.world.jira["jca"].webhooks.clear()
    (finding,) = hooks.keep_alive(jira)
    assert finding.state is State.GONE
    assert not Webhook.objects.get().active
    assert [finding.state for finding in listening(jira)] == [State.ACTIVE]


def test_deliveries_are_kept_as_long_as_they_may_be_repeated(jira, listening):
    listening(jira)
    old, new = (
        Delivery.objects.create(webhook=Webhook.objects.get(), key=key, event="created", worklog="1")
        for key in ("old", "new")
    )
    Delivery.objects.filter(pk=old.pk).update(at=timezone.now() - timedelta(days=8))
    hooks.keep_alive(jira)
    assert list(Delivery.objects.all()) == [new]


# --- the command


@pytest.fixture
def webhooks(capsys):
    """Runs the command; gives its status and its JSON."""

    def run(*arguments):
        status = 0
        try:
            call_command("webhooks", *arguments, "--json")
        except SystemExit as end:
            status = end.code
        return status, json.loads(capsys.readouterr().out)

    return run


def test_an_operator_registers_checks_and_removes_the_webhooks_of_a_sync(sandbox, sync, webhooks):
    status, done = webhooks("register", "jcb-jca")
    assert status == 0
    assert sorted((row["site"], row["event"]) for row in done["webhooks"]) == [
        ("jca", "worklog"), *(("jcb-tempo", event) for event in EVENTS)
    ]  # fmt: skip
    sandbox.settle()
    status, done = webhooks("check", "jcb-jca")
    assert (status, {row["state"] for row in done["webhooks"]}) == (0, {"active"})
    status, done = webhooks("remove", "jcb-jca")
    assert (status, {row["state"] for row in done["webhooks"]}) == (0, {"removed"})
    assert not Webhook.objects.exists()
    assert sandbox.world.tempo["jcb-tempo"].subscriptions == sandbox.world.jira["jca"].webhooks == {}
    assert webhooks("check", "jcb-jca") == (0, {"webhooks": []})


def test_a_site_that_another_sync_listens_to_keeps_its_webhooks(sandbox, sync, webhooks, tempo):
    _sync("other", tempo, tempo)
    webhooks("register", "jcb-jca")
    status, done = webhooks("remove", "jcb-jca")
    assert status == 0
    states = {row["site"]: (row["state"], row["message"]) for row in done["webhooks"]}
    assert states == {"jcb-tempo": ("kept", "other still listens."), "jca": ("removed", "")}


def test_one_site_that_fails_keeps_no_other_from_its_turn(sandbox, sync, webhooks):
    site = sandbox.world.jira["jca"]
    site.accounts[site.tokens[0].account_id].permissions -= {"ADMINISTER"}
    status, done = webhooks("register", "jcb-jca")
    assert status == 1
    assert [row["code"] for row in done["webhooks"]] == ["", "", "", "no_permission"]


def test_a_refused_token_is_status_2(sandbox, sync, webhooks, jira):
    keep(jira, "", "wrong")
    status, done = webhooks("register", "jcb-jca")
    assert status == 2
    assert done["webhooks"][-1]["code"] == "auth_failed"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "PUBLIC_URL is not set"),
        ("http://twinlog.example", "https:// addresses only"),
        ("twinlog", "https:// addresses only"),
        ("https://elsewhere.example", "not among ALLOWED_HOSTS"),
    ],
)
def test_without_an_address_vendors_can_call_nothing_is_begun(sandbox, sync, webhooks, settings, url, said):
    settings.PUBLIC_URL, settings.ALLOW_LOCAL_SITES = url, False
    status, done = webhooks("register", "jcb-jca")
    assert status == 2
    assert done["error"]["code"] == "bad_public_url"
    assert said in done["error"]["message"]


def test_a_migration_has_no_webhooks(sandbox, sync, webhooks):
    Connection.objects.update(kind=Connection.Kind.MIGRATION)
    status, done = webhooks("register", "jcb-jca")
    assert (status, done["error"]["code"]) == (2, "not_a_sync")


def test_the_words_for_people_name_site_and_event(sandbox, sync, capsys):
    call_command("webhooks", "register", "jcb-jca")
    shown = capsys.readouterr().out
    assert "awaited   jcb-tempo worklog.created" in shown
    assert "active    jca worklog" in shown


def test_the_address_answers_over_the_wire_without_a_session(home, webhook):
    answer = requests.get(f"{home}/hooks/{webhook.key}/", params={"randomString": "abc"}, timeout=10)
    assert (answer.status_code, answer.text) == (200, "abc")
