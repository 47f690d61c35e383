"""A call is believed to be a vendor's by its signature over the raw body, and tells one thing: where to look."""

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vendor_sheets import example

from worklogs.notices import Notice, is_jiras, is_tempos, read_jiras, read_tempos

SECRET = "composed-test-secret"
TEMPO_BODY = b'{"eventId":"e1","eventType":"worklog.created","payload":{"tempoWorklogId":37}}'
TEMPO_HEADERS = {
    "Tempo-Timestamp": "2023-05-08T15:03:35.786Z",
    "Tempo-Signature": "db8eeaebfd33e708a42e65c014c562a096862aa306844bfc58ac9451abe3490c",
}
JIRA_SECRET = "It's a Secret to Everybody"
JIRA_SIGNATURE = "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"


def hexed(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


# --- whose call it is


def test_tempos_own_signature_is_taken():
    assert is_tempos(SECRET, TEMPO_BODY, TEMPO_HEADERS)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Tempo-Timestamp": ""},
        {"Tempo-Signature": ""},
        {"Tempo-Signature": "é" * 64},
        {"Tempo-Signature": "0" * 64},
        {"Tempo-Timestamp": "2023-05-08T15:03:35.787Z"},
    ],
)
def test_a_call_of_tempo_without_its_time_or_with_another_signature_is_not(headers):
    sent = TEMPO_HEADERS | headers if headers else {}
    assert not is_tempos(SECRET, TEMPO_BODY, sent)


def test_a_signature_over_the_body_alone_is_not_tempos():
    assert not is_tempos(SECRET, TEMPO_BODY, {"Tempo-Signature": hexed(SECRET, TEMPO_BODY)})


def test_jiras_own_signature_is_taken_with_the_method_it_names():
    assert is_jiras(JIRA_SECRET, b"Hello World!", {"X-Hub-Signature": f"sha256={JIRA_SIGNATURE}"})


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        JIRA_SIGNATURE,
        f"sha1={JIRA_SIGNATURE}",
        f"md5={JIRA_SIGNATURE}",
        "sha256=",
        f"sha256={JIRA_SIGNATURE[:-1]}",
        "sha1=" + hmac.new(JIRA_SECRET.encode(), b"Hello World!", "sha1").hexdigest(),
    ],
)
def test_a_call_of_jira_without_a_signature_or_by_a_weaker_method_is_not(header):
    assert not is_jiras(JIRA_SECRET, b"Hello World!", {} if header is None else {"X-Hub-Signature": header})


def test_nobody_signs_with_an_empty_secret():
    headers = TEMPO_HEADERS | {
        "Tempo-Signature": hexed("", TEMPO_BODY + TEMPO_HEADERS["Tempo-Timestamp"].encode())
    }
    assert not is_tempos("", TEMPO_BODY, headers)
    assert not is_jiras("", b"x", {"X-Hub-Signature": f"sha256={hexed('', b'x')}"})


@given(st.text(min_size=1), st.binary(), st.binary(min_size=1))
def test_any_change_of_any_body_is_noticed(secret, body, more):
    jiras = {"X-Hub-Signature": f"sha256={hexed(secret, body)}"}
    tempos = {"Tempo-Timestamp": "now", "Tempo-Signature": hexed(secret, body + b"now")}
    assert is_jiras(secret, body, jiras)
    assert is_tempos(secret, body, tempos)
    assert not is_jiras(secret, body + more, jiras)
    assert not is_tempos(secret, body + more, tempos)
    assert not is_jiras(secret + "x", body, jiras)


# --- what it tells


@pytest.mark.parametrize("event", ["created", "updated", "deleted"])
def test_tempo_tells_the_event_and_the_worklog_as_in_the_vendors_examples(event):
    samples = example("tempo-webhook-worklog-events.official.json")
    sample = samples and samples[f"worklog.{event}"]
    body = sample or {"eventId": "e1", "eventType": f"worklog.{event}", "payload": {"tempoWorklogId": 37}}
    told = read_tempos(json.dumps(body).encode(), {})
    assert told == Notice(body["eventId"], event, str(body["payload"]["tempoWorklogId"]))


def test_jira_tells_the_event_and_the_worklog_as_in_a_captured_call():
    captured = example("jira-webhook-worklog_created.real-2021.json")
    body = captured or {"webhookEvent": "worklog_created", "worklog": {"id": "10005"}}
    told = read_jiras(json.dumps(body).encode(), {"X-Atlassian-Webhook-Identifier": "i1"})
    assert told == Notice("i1", "created", str(body["worklog"]["id"]))


@pytest.mark.parametrize("key", [None, "", 7, "x" * 201, "a\nb"])
def test_a_call_without_a_usable_key_is_known_again_by_its_body(key):
    body = json.dumps(
        {"eventId": key, "eventType": "worklog.updated", "payload": {"tempoWorklogId": "37"}}
    ).encode()
    assert read_tempos(body, {}) == Notice(hashlib.sha256(body).hexdigest(), "updated", "37")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"null",
        b"[]",
        b'{"eventType":"worklog.created"}',
        b'{"eventType":"worklog.created","payload":[]}',
        b'{"eventType":"worklog.created","payload":{"tempoWorklogId":"1; DROP TABLE"}}',
        b'{"eventType":"worklog.created","payload":{"tempoWorklogId":-1}}',
        b'{"eventType":"worklog.moved","payload":{"tempoWorklogId":1}}',
        b'{"eventType":"created","payload":{"tempoWorklogId":1}}',
        b'{"eventType":"plan.created","payload":{"id":1}}',
        b'{"eventType":["worklog.created"],"payload":{"tempoWorklogId":1}}',
    ],
)
def test_a_body_that_tells_of_no_worklog_tells_nothing(body):
    assert read_tempos(body, {}) is None
    assert read_jiras(body, {}) is None


@given(st.binary())
def test_no_body_is_too_odd_to_be_read(body):
    assert read_tempos(body, {}) is None
    assert read_jiras(body, {}) is None
