"""One way to call a site: nothing is sent twice that may have been carried out, and no secret is kept."""

import json
import os
import socket
import threading
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from connections.clients import wire
from connections.clients.http import (
    Address,
    FaultKind,
    Gate,
    Http,
    Scope,
    SiteError,
    SiteHealth,
    is_object,
    retry_after,
    words_of,
)

TOKEN = "alices-own-secret-token"


class FakeTime:
    """A clock that moves only when somebody waits."""

    def __init__(self, step: float = 0.0):
        self.now, self.step, self.waits = 1000.0, step, []

    def clock(self) -> float:
        self.now += self.step
        return self.now

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class FreeBudget:
    """Lets everything pass, and remembers what was held."""

    def __init__(self):
        self.held, self.answers = [], []

    def take(self, bucket: str) -> float:
        return self.answers.pop(0) if self.answers else 0.0

    def hold(self, bucket, seconds) -> None:
        self.held.append((bucket, seconds))


class ScriptedServer:
    """Answers each request with the next of its replies: bytes, or None to cut the connection."""

    def __init__(self):
        self.replies: list[bytes | None] = []
        self.requests: list[str] = []
        self.connections = 0
        self.hung_up = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._converse(connection)
        finally:
            connection.close()
            self.hung_up.set()

    def _converse(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while request := self._read(connection):
            self.requests.append(request)
            reply = self.replies.pop(0) if self.replies else ok()
            if reply is None:
                return
            connection.sendall(reply)
            if b"Connection: close" in reply or b"X-Cut" in reply:
                return

    def _read(self, connection: socket.socket) -> str:
        data = b""
        try:
            while b"\r\n\r\n" not in data:
                part = connection.recv(65536)
                if not part or part.startswith(b"\x16"):
                    return ""
                data += part
            head, _, body = data.partition(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            while len(body) < length:
                body += connection.recv(65536)
        except OSError:
            return ""
        return (head + b"\r\n\r\n" + body).decode()


def reply(status: int, body: str = "", **headers: str) -> bytes:
    lines = {
        "Content-Length": str(len(body.encode())),
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Reason\r\n{head}\r\n{body}".encode()


def ok(data: object = None, status: int = 200) -> bytes:
    return reply(status, json.dumps({"id": "1"} if data is None else data))


@pytest.fixture
def server():
    running = ScriptedServer()
    yield running
    running.close()


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def budget():
    return FreeBudget()


@pytest.fixture
def site(server, time, budget):
    """Calls the scripted server as Alice, without ever sleeping."""
    return make_site(server.url, time, budget)


def make_site(url, time, budget, *, auth=f"Bearer {TOKEN}", allow_local=True, patience=None, **options):
    gate = Gate(budget, pause=time.pause, patience=patience)
    address = Address("jca", url, allow_local)
    return Http(address, auth, gate, clock=time.clock, jitter=lambda: 1.0, **options)


def read(site, path="/issues", **options):
    return site.request("GET", path, bucket="reads", repeatable=True, **options)


def create(site, **options):
    body = {"timeSpentSeconds": 60}
    return site.request(
        "POST",
        "/worklogs",
        json=body,
        bucket="writes",
        repeatable=False,
        ok=(201,),
        well_formed=is_object,
        **options,
    )


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


# What is read is tried again


@pytest.mark.parametrize(
    "trouble",
    [
        reply(503),
        reply(500, "oops"),
        reply(408),
        None,
        reply(200, '{"id": '),
        reply(200, "<html>sign in</html>"),
        reply(200, '"text"'),
        reply(200, ""),
        reply(200, '{"id": "1"}', Content_Length="500", X_Cut="1"),
    ],
    ids=["503", "500", "408", "cut", "half JSON", "HTML", "wrong type", "empty", "cut body"],
)
def test_a_read_that_fails_is_tried_again_until_it_succeeds(server, site, time, trouble):
    server.replies = [trouble, trouble, ok({"id": "7"})]
    assert read(site, well_formed=is_object).data == {"id": "7"}
    assert time.waits == [1.0, 2.0]


def test_the_waits_grow_to_half_a_minute_and_jitter(server, time, budget):
    server.replies = [reply(503)] * 8
    spread = Http(
        Address("jca", server.url, True),
        "Bearer x",
        Gate(budget, time.pause),
        clock=time.clock,
        jitter=lambda: 1.3,
    )
    read(spread)
    assert time.waits == pytest.approx([s * 1.3 for s in (1, 2, 4, 8, 15, 30, 30, 30)])


def test_ten_failed_calls_in_a_row_over_a_minute_mean_that_the_site_is_down(server, site, time):
    server.replies = [reply(503)] * 50
    with pytest.raises(SiteError) as caught:
        read(site)
    assert (caught.value.kind, caught.value.code) == (FaultKind.STOPS, "site_unavailable")
    assert site.down
    assert len(server.requests) == 10
    assert sum(time.waits) >= 60


def test_ten_failures_within_seconds_are_not_down_and_one_success_forgives_all():
    time = FakeTime()
    health = SiteHealth(time.clock)
    for _ in range(30):
        health.failed()
    assert not health.is_down
    time.now += 60
    health.failed()
    assert health.is_down
    health.succeeded()
    assert not health.is_down


def test_failures_of_long_ago_are_forgotten():
    """Ten before a silence of more than ten minutes and one after it: nobody knows that the site is down."""
    time = FakeTime()
    health = SiteHealth(time.clock)
    for _ in range(10):
        health.failed()
        time.now += 30
    time.now += 600
    health.failed()
    assert not health.is_down


def test_what_is_known_of_a_site_may_outlive_the_client_that_learnt_it(server, time, budget):
    """A client opened anew counts on, tries its first call all the same, and one success ends it."""
    health = SiteHealth(time.clock)
    gate = Gate(budget, time.pause, health=health)
    server.replies = [reply(503)] * 11
    for _ in range(2):
        with pytest.raises(SiteError):
            read(Http(Address("jca", server.url, allow_local=True), TOKEN, gate, clock=time.clock))
    assert len(server.requests) == 11
    server.replies = [reply(200, "{}")]
    read(Http(Address("jca", server.url, allow_local=True), TOKEN, gate, clock=time.clock))
    assert not health.is_down


def test_a_refusal_shows_that_the_site_is_up(server, site):
    server.replies = [None, reply(404), None, None]
    with pytest.raises(SiteError) as caught:
        read(site)
    assert (caught.value.kind, caught.value.code) == (FaultKind.WAITING, "target_refused")


def test_a_person_at_a_page_does_not_wait_for_ever(server, time, budget):
    server.replies = [reply(503)] * 9
    with pytest.raises(SiteError) as caught:
        read(make_site(server.url, time, budget, patience=5))
    assert (caught.value.kind, caught.value.code) == (FaultKind.PASSING, "site_unavailable")
    assert sum(time.waits) <= 5


def test_an_answer_that_drips_is_given_up_after_two_minutes(server, budget):
    slow = FakeTime(step=130.0)
    server.replies = [ok(), ok()]
    with pytest.raises(SiteError, match="did not end within the time"):
        read(make_site(server.url, slow, budget, patience=1))


# What is written is sent once, unless it surely was not carried out


@pytest.mark.parametrize(
    "trouble",
    [
        reply(500),
        reply(503, Retry_After="5"),
        None,
        reply(201, '{"id": '),
        reply(201, "<html>sign in</html>"),
        reply(201, "[]"),
        reply(200, '{"id": "1"}'),
        reply(201, '{"id": "1"}', Content_Length="500", X_Cut="1"),
    ],
    ids=["500", "503", "cut", "half JSON", "HTML", "wrong type", "wrong success", "cut body"],
)
def test_a_create_without_a_usable_answer_has_an_unknown_outcome_and_is_sent_once(server, site, trouble):
    server.replies = [trouble]
    before = datetime.now(UTC)
    with pytest.raises(SiteError) as caught:
        create(site)
    assert (caught.value.kind, caught.value.code) == (FaultKind.PASSING, "unknown_outcome")
    assert before <= caught.value.exchange.sent_at <= datetime.now(UTC)
    assert len(server.requests) == 1


def test_a_create_that_was_throttled_is_sent_again_after_the_time_named(server, site, time, budget):
    server.replies = [reply(429, Retry_After="7"), ok(status=201)]
    assert create(site).data == {"id": "1"}
    assert time.waits == [7.0]
    assert budget.held == [(None, 7.0)]


def test_a_create_that_never_left_is_tried_like_a_read(time, budget):
    with pytest.raises(SiteError) as caught:
        create(make_site(closed_port(), time, budget))
    assert (caught.value.kind, caught.value.code) == (FaultKind.STOPS, "site_unavailable")
    assert len(time.waits) == 9


def test_a_create_finds_a_fresh_connection_when_the_kept_one_was_closed(server, site):
    server.replies = [reply(200, "{}", X_Cut="1"), ok(status=201)]
    read(site)
    assert server.hung_up.wait(5)
    create(site)
    assert server.connections == 2


def test_a_kept_connection_cut_at_the_moment_of_a_create_is_no_licence_to_repeat_it(server, site):
    server.replies = [ok(), None]
    read(site)
    with pytest.raises(SiteError) as caught:
        create(site)
    assert caught.value.code == "unknown_outcome"
    assert (server.connections, len(server.requests)) == (1, 2)


def test_unknown_outcomes_count_as_failed_calls_so_that_the_run_can_stop(server, site, time):
    server.replies = [reply(502)] * 20
    for _ in range(10):
        with pytest.raises(SiteError, match="may or may not have carried out POST /worklogs: answered 502"):
            create(site)
        time.now += 10
    assert site.down


# Throttling


def test_throttling_is_no_failure_and_is_waited_for_without_end(server, site, time):
    server.replies = [reply(429)] * 40 + [ok()]
    read(site)
    assert time.waits[:7] == [1, 2, 4, 8, 15, 30, 30]
    assert not site.down


@pytest.mark.parametrize(
    ("scope", "held"), [(Scope.SITE, [(None, 3.0)]), (Scope.BUCKET, [("reads", 3.0)]), (Scope.CALL, [])]
)
def test_a_429_holds_back_what_the_vendor_names(server, time, budget, scope, held):
    server.replies = [reply(429, Retry_After="3"), ok()]
    read(make_site(server.url, time, budget, throttled=lambda answer: scope))
    assert (budget.held, time.waits) == (held, [3.0])


def test_retry_after_is_read_as_seconds_and_as_a_date():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert retry_after({"Retry-After": "12"}) == 12
    assert retry_after({"Retry-After": later}) == pytest.approx(90, abs=3)
    assert retry_after({"Retry-After": format_datetime(datetime(2001, 1, 1, tzinfo=UTC))}) == 0
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({}) is None


def test_a_call_waits_for_its_slot_and_asks_again_after_a_wait_that_reserved_nothing(
    server, site, time, budget
):
    budget.answers = [60.0, 0.5]
    read(site)
    assert time.waits == [60.0, 0.5]


def test_waits_worth_telling_are_told_with_their_reason(server, time, budget):
    told = []
    server.replies = [reply(429, Retry_After="7"), ok()]
    gate = Gate(budget, pause=time.pause, on_wait=lambda seconds, reason: told.append((seconds, reason)))
    budget.answers = [0.2, 0.0]
    Http(Address("jca", server.url, True), "Bearer x", gate, clock=time.clock).request(
        "GET", "/x", bucket="reads", repeatable=True
    )
    assert told == [(7.0, "jca asks to call more slowly (429).")]


def test_a_cancelled_run_ends_in_the_middle_of_a_wait(server, budget):
    class CancelledError(Exception):
        pass

    def cancelled(seconds):
        raise CancelledError

    server.replies = [reply(503)]
    site = Http(Address("jca", server.url, True), "Bearer x", Gate(budget, pause=cancelled))
    with pytest.raises(CancelledError):
        read(site)


def test_every_request_sent_is_counted_by_method(server, time, budget):
    calls = []
    server.replies = [reply(503), ok(), ok(status=201)]
    gate = Gate(budget, pause=time.pause, on_call=calls.append)
    site = Http(Address("jca", server.url, True), "Bearer x", gate)
    read(site)
    create(site)
    assert calls == ["GET", "GET", "POST"]


# Redirects and addresses


def test_a_read_follows_a_redirect_on_the_same_host_with_its_credentials(server, site):
    server.replies = [reply(302, Location="/moved?a=1"), ok()]
    assert read(site).data == {"id": "1"}
    assert server.requests[1].startswith("GET /moved?a=1 ")
    assert f"Authorization: Bearer {TOKEN}" in server.requests[1]


def test_credentials_never_follow_to_another_host(server, site):
    other = ScriptedServer()
    server.replies = [reply(307, Location=f"{other.url}/elsewhere")]
    read(site)
    other.close()
    assert "authorization" not in other.requests[0].lower()


def test_a_read_gives_up_after_five_redirects(server, site):
    server.replies = [reply(302, Location="/again")] * 9
    with pytest.raises(SiteError, match="redirected more than 5 times") as caught:
        read(site)
    assert caught.value.kind is FaultKind.STOPS
    assert len(server.requests) == 6


def test_a_write_never_follows_a_redirect(server, site):
    server.replies = [reply(307, Location="/elsewhere")]
    with pytest.raises(SiteError, match="Check the site's url") as caught:
        create(site)
    assert caught.value.kind is FaultKind.STOPS
    assert len(server.requests) == 1


def test_a_redirect_to_the_metadata_service_is_not_followed(server, site):
    server.replies = [reply(302, Location="http://169.254.169.254/latest")]
    with pytest.raises(SiteError, match="no address of a site") as caught:
        read(site)
    assert caught.value.kind is FaultKind.STOPS


@pytest.mark.parametrize("url", ["http://jira.example.com", "https://127.0.0.1"])
def test_a_forbidden_address_is_not_called(url, time, budget):
    with pytest.raises(SiteError) as caught:
        read(make_site(url, time, budget, allow_local=False))
    assert (caught.value.kind, caught.value.code) == (FaultKind.STOPS, "site_unavailable")


def test_a_name_that_turns_into_a_local_address_gets_not_one_byte(server, time, budget, monkeypatch):
    """DNS rebinding: the name was public when it was checked and is not when we connect."""
    port = int(server.url.rpartition(":")[2])
    monkeypatch.setattr(
        "urllib3.util.connection.create_connection",
        lambda *_, **__: socket.create_connection(("127.0.0.1", port)),
    )
    site = make_site("https://jira.example.com", time, budget, allow_local=False)
    with pytest.raises(SiteError, match="ALLOW_LOCAL_SITES"):
        create(site)
    assert server.requests == []


def test_an_unknown_name_and_a_refused_connection_are_said_plainly(time, budget):
    with pytest.raises(SiteError, match=r"jca did not answer GET /issues: the connection was refused\."):
        read(make_site(closed_port(), time, budget, patience=0))
    with pytest.raises(SiteError, match="its name cannot be resolved"):
        read(make_site("http://nowhere.invalid", time, budget, patience=0))


def test_a_server_that_speaks_no_tls_is_said_plainly_and_nothing_was_sent(server, time, budget):
    site = make_site(server.url.replace("http:", "https:"), time, budget, patience=0)
    with pytest.raises(SiteError, match=r"no trusted encrypted connection|cut") as caught:
        create(site)
    assert caught.value.code == "site_unavailable"


# Refusals, records and secrets


def test_a_refused_token_stops_and_says_what_to_do(server, site):
    server.replies = [reply(401, "<h1>Unauthorized</h1>")]
    with pytest.raises(SiteError, match="refused the token") as caught:
        read(site)
    assert (caught.value.kind, caught.value.code, caught.value.status) == (
        FaultKind.STOPS,
        "auth_failed",
        401,
    )


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422])
def test_a_refusal_is_not_repeated_and_keeps_the_vendors_words(server, site, status):
    server.replies = [reply(status, '{"errorMessages": ["The issue is asleep."], "errors": {}}')]
    with pytest.raises(SiteError, match=r"jca refused POST /worklogs .*: The issue is asleep\.") as caught:
        create(site)
    assert (caught.value.kind, caught.value.code) == (FaultKind.WAITING, "target_refused")
    assert caught.value.words == "The issue is asleep."
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"errorMessages": ["A.", "B."], "errors": {"timeLogged": "C."}}, "A. B. timeLogged: C."),
        ({"errors": {"message": "Account 'xyz' not found"}}, "Account 'xyz' not found"),
        ({"errors": [{"message": "Issue id cannot be null."}]}, "Issue id cannot be null."),
        (
            {"error": {"statusCode": 429, "errorCode": "X", "errorDescription": "Slow.", "message": "Slow."}},
            "Slow.",
        ),
        ({"$id": "1", "message": "TF401232: gone", "typeKey": "K", "errorCode": 0}, "TF401232: gone"),
        ("  bare   text ", "bare text"),
        ("<html><style>a{}</style><h1>Gone</h1><p>for good</p></html>", "Gone for good"),
        ([{"message": "one"}, {"message": "two"}], "one two"),
        ({"unknown": 1}, ""),
        (None, ""),
    ],
)
def test_the_vendors_own_words_are_found_in_every_known_shape(body, words):
    assert words_of(body) == words


@pytest.mark.parametrize(
    "auth", [f"Bearer {TOKEN}", "Basic " + b64encode(f"alice@example.com:{TOKEN}".encode()).decode()]
)
def test_no_secret_is_ever_recorded(server, time, budget, auth):
    credential = auth.partition(" ")[2]
    echo = json.dumps({"errorMessages": [f"no {TOKEN}", {"nested": credential}], TOKEN: 1})
    server.replies = [reply(400, echo), reply(400, f"{TOKEN} {credential}")]
    for _ in range(2):
        with pytest.raises(SiteError) as caught:
            read(make_site(server.url, time, budget, auth=auth), query=f"token={TOKEN}")
        kept = json.dumps(caught.value.exchange.as_json()) + str(caught.value) + repr(caught.value.exchange)
        assert TOKEN not in kept
        assert credential not in kept
        assert "•••" in kept


@pytest.mark.parametrize("charset", ["utf-8", "x-unheard-of", "base64", "iso-8859-1"])
def test_an_answer_may_claim_any_charset(server, site, charset):
    """JSON is UTF-8; what a proxy in between calls it must not end the run."""
    server.replies.append(reply(200, '{"id": "é"}', Content_Type=f"text/html; charset={charset}"))
    answer = read(site)
    assert answer.data == {"id": "é"}
    assert answer.exchange.response_body in ({"id": "é"}, '{"id": "é"}')


def test_the_record_holds_what_was_said_and_long_answers_are_cut(server, site):
    server.replies = [ok({"text": "x" * 30_000})]
    exchange = read(site, query={"startAt": 0, "key": ["a b", "c"]}).exchange
    kept = exchange.as_json()
    assert (kept["method"], kept["url"], kept["status"]) == ("GET", "/issues?startAt=0&key=a%20b&key=c", 200)
    assert len(kept["response_body"]) == 20_000
    assert datetime.fromisoformat(kept["sent_at"]).tzinfo


def test_a_query_given_as_text_goes_out_as_it_is(server, site):
    read(site, query="$count=500&$skip=0&api-version=3.2")
    assert server.requests[0].startswith("GET /issues?$count=500&$skip=0&api-version=3.2 ")


def test_text_bodies_are_sent_with_their_type(server, site):
    site.request("POST", "/q", text="$filter=ä", content_type="text/plain", bucket="reads", repeatable=True)
    assert server.requests[0].endswith("\r\n\r\n$filter=ä")
    assert "Content-Type: text/plain\r\n" in server.requests[0]


def test_a_client_may_recognise_a_sign_in_page_before_the_rules_do(server, time, budget):
    def recognise(answer):
        if answer.status == 302:
            return SiteError(
                "jca", FaultKind.STOPS, "auth_failed", "A sign-in page came instead of an answer."
            )
        return None

    server.replies = [reply(302, Location="/sign-in")]
    with pytest.raises(SiteError, match="sign-in page") as caught:
        read(make_site(server.url, time, budget, recognise=recognise))
    assert caught.value.status == 302
    assert len(server.requests) == 1


def test_bob_shares_the_sites_health_and_connections_but_not_alices_token(server, site):
    bob = site.as_other("Bearer bobs-own-secret")
    read(site)
    read(bob)
    assert "Bearer bobs-own-secret" in server.requests[1]
    assert TOKEN not in server.requests[1]
    assert (bob.health, server.connections) == (site.health, 1)


def test_a_forked_worker_gets_connections_of_its_own(monkeypatch):
    pool = wire.Wire(allow_local=True)
    parents = pool.adapter()
    assert pool.adapter() is parents
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert pool.adapter() is not parents
