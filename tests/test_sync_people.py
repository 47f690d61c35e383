"""Whose work a copy of a sync shows, and by whose clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from twinlog_process import DATABASES, on_sqlite
from two_clouds import ALICE, BOB, TwoClouds, changes, day

from connections.sandbox.worlds.builder import Account, Human

CAROL = Human("Carol Díaz", "carol@example.com")
ROBERT = Human("Robert Jones", "robert@partner.example")
DORA = Human("Dora Hidden", "dora@example.com", account=Account.HIDDEN)


def with_person(clouds, side, human):
    return clouds.builder.jira_account(clouds.jiras[side], human)


@pytest.fixture
def carols(syncing):
    """Carol has an account on the left alone; her entry was carried to the right."""

    def begun(left="tempo", right="tempo", **options):
        clouds = TwoClouds(left, right, **options)
        with_person(clouds, "left", CAROL)
        pair = syncing(clouds=clouds)
        entry = pair.hands.log("left", CAROL, "DEV-1", day(1), text="Wrote\nit down")
        return pair, entry, pair.sync()

    return begun


@pytest.mark.parametrize("spelt", ["by account ids", "by e-mails"])
@on_sqlite
def test_pairs_come_before_everything(syncing, spelt):
    """Bob is Robert over there, though a Bob with his very e-mail is there as well: each is the author of what the
    other began."""
    clouds = TwoClouds()
    with_person(clouds, "right", ROBERT)
    pairs = {
        "by account ids": [[clouds.account("left", BOB), clouds.account("right", ROBERT)]],
        "by e-mails": [["BOB@example.com", "robert@partner.example"]],
    }
    clouds.world.connections[clouds.name]["people"] = {"match": "email", "pairs": pairs[spelt]}
    pair = syncing(clouds=clouds)
    pair.hands.log("left", BOB, "DEV-1", day(1))
    pair.hands.log("right", ROBERT, "EXT-2", day(2))
    pair.sync()
    assert pair.one("right", "EXT-1").author == "Robert Jones"
    assert pair.one("left", "DEV-2").author == "Bob Jones"
    assert pair.is_quiet()


@on_sqlite
def test_an_e_mail_is_the_same_person_however_it_is_written(syncing):
    """Alice has another account id over there, and capitals in her e-mail."""
    clouds = TwoClouds()
    jira = clouds.jiras["right"]
    alice = jira.accounts.pop(clouds.account("right", ALICE))
    alice.account_id, alice.email = "712020:another-one", "Alice@Example.com"
    jira.accounts[alice.account_id] = alice
    pair = syncing(clouds=clouds)
    pair.hands.log("left", ALICE, "DEV-1", day(1))
    pair.hands.log("right", ALICE, "EXT-2", day(2))
    pair.sync()
    assert (pair.one("right", "EXT-1").author, pair.one("right", "EXT-1").text) == ("Alice Smith", "Work")
    assert pair.one("left", "DEV-2").author == "Alice Smith"
    assert pair.is_quiet()


@pytest.mark.parametrize(("left", "right"), [("tempo", "tempo"), ("jira", "jira"), ("jira", "tempo")])
@on_sqlite
def test_whom_the_other_side_does_not_know_is_named_above(carols, left, right):
    """Carol is missing over there: the site's own account writes, her name and day stand above, and none of it comes
    back. What stands below is her text; it can be edited on either side."""
    vendor = left.capitalize()
    pair, entry, run = carols(left, right)
    copy = pair.one("right", "EXT-1")
    assert (copy.author, copy.text) == (
        "Twinlog Service", f"[{vendor} — Carol Díaz on 2026-03-01]\n\nWrote\nit down",
    )  # fmt: skip
    assert run["missing_people"] == ["carol@example.com"]
    assert pair.is_quiet()
    pair.hands.reword("right", copy.id, "Mended")
    pair.sync()
    assert (pair.one("left", "DEV-1").id, pair.one("left", "DEV-1").text) == (entry, "Mended")
    pair.hands.change("left", entry, text="Mended twice", started=day(2))
    pair.sync()
    assert pair.one("right", "EXT-1").text == f"[{vendor} — Carol Díaz on 2026-03-02]\n\nMended twice"
    assert pair.is_quiet()


@on_sqlite
def test_a_removed_header_is_an_edited_text(carols):
    """Somebody wipes the header and writes something else: that is Carol's text now, and no header comes back by
    itself; nor does one travel into her own worklog."""
    pair, entry, _ = carols()
    pair.hands.change("right", pair.one("right", "EXT-1").id, text="Just this")
    assert pair.sync()["updated"] == 1
    mine = pair.one("left", "DEV-1")
    assert (mine.id, mine.author, mine.text) == (entry, "Carol Díaz", "Just this")
    assert pair.one("right", "EXT-1").text == "Just this"
    assert pair.is_quiet()


@on_sqlite
def test_a_copy_under_a_header_is_hers_whom_it_names(carols, twinlog):
    """Twinlog's records are lost. The copy in Tempo bears no marker, but a header: it is Carol's, and is linked, not
    written a second time nor carried back as the site's own work."""
    pair, _, _ = carols(people={"match": "email"})
    for table in ("twintrace", "cursor", "entry"):
        twinlog.change(f"DELETE FROM worklogs_{table}")
    pair.sandbox.calls.clear()
    run = pair.sync()
    assert (run["linked"], run["written"]) == (1, 0)
    assert changes(pair.sandbox) == []
    assert pair.is_quiet()


@pytest.mark.parametrize("how", ["inactive", "two with one e-mail", "hidden"])
@on_sqlite
def test_an_account_that_is_not_surely_hers_is_not_hers(carols, syncing, how):
    """Inactive, doubled or hidden over there: she is named above instead, and told as missing."""
    clouds = TwoClouds()
    with_person(clouds, "left", CAROL)
    there = with_person(clouds, "right", CAROL)
    there.active, there.email_shown = how != "inactive", how != "hidden"
    if how == "two with one e-mail":
        twin = with_person(clouds, "right", Human("Carol D.", "other@example.com"))
        twin.email = CAROL.email
    pair = syncing(clouds=clouds)
    pair.hands.log("left", CAROL, "DEV-1", day(1))
    assert pair.sync()["missing_people"] == ["carol@example.com"]
    copy = pair.one("right", "EXT-1")
    assert (copy.author, copy.text) == ("Twinlog Service", "[Tempo — Carol Díaz on 2026-03-01]\n\nWork")


@on_sqlite
def test_the_fallback_writes_for_whom_nobody_knows(syncing):
    """Tempo's fallback is an account of its own: it is the author, under the same header, and no person itself."""
    clouds = TwoClouds()
    with_person(clouds, "left", CAROL)
    keeper = with_person(clouds, "right", Human("Time Keeper", "keeper@example.com"))
    clouds.world.connections[clouds.name]["people"] = {
        "match": "email", "fallback": {"right": keeper.account_id},
    }  # fmt: skip
    pair = syncing(clouds=clouds)
    pair.hands.log("left", CAROL, "DEV-1", day(1))
    pair.sync()
    copy = pair.one("right", "EXT-1")
    assert (copy.author, copy.text) == ("Time Keeper", "[Tempo — Carol Díaz on 2026-03-01]\n\nWork")
    assert pair.is_quiet()


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_a_personal_token_makes_the_copy_in_jira_her_own(syncing):
    """Alice gave her token: Jira shows her as the author, without a header, and later edits are hers too; Bob, who
    gave none, is named above."""
    clouds = TwoClouds("tempo", "jira")
    jira = clouds.jiras["right"]
    clouds.builder.personal_token(jira, jira.account_of(ALICE.email))
    pair = syncing(clouds=clouds)
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1), text="mine")
    pair.hands.log("left", BOB, "DEV-2", day(2), text="mine as well")
    pair.sync()
    assert (pair.one("right", "EXT-1").author, pair.one("right", "EXT-1").text) == ("Alice Smith", "mine")
    assert pair.one("right", "EXT-2").text == "[Tempo — Bob Jones on 2026-03-02]\n\nmine as well"
    pair.hands.change("left", entry, text="still mine")
    pair.sync()
    copy = jira.worklogs[pair.one("right", "EXT-1").id]
    assert (copy.text, jira.accounts[copy.update_author_id].name) == ("still mine", "Alice Smith")
    assert pair.is_quiet()


@on_sqlite
def test_what_somebody_began_in_jira_is_moved_under_her_own_name(syncing):
    """Bob moves Alice's copy in Tempo to another issue: her own worklog in Jira follows and stays hers, by its author
    where her token is held, else by its header."""
    pair = syncing("jira", "tempo")
    pair.hands.log("left", ALICE, "DEV-1", day(1), text="mine")
    pair.sync()
    pair.hands.move("right", pair.one("right", "EXT-1").id, "EXT-3")
    pair.sync()
    assert pair.clouds.told("left") == pair.clouds.told("right")
    assert [(one.work, one.who, one.text) for one in pair.clouds.told("left")] == [
        ("3", "Alice Smith", "mine")
    ]
    assert pair.is_quiet()


# --- clocks

BERLIN, NEW_YORK = (
    [date(2025, 3, 30), date(2025, 10, 26), date(2025, 6, 15)],
    [date(2025, 3, 9), date(2025, 11, 2), date(2025, 6, 15)],
)


def hours(days):
    return [
        datetime.combine(one, datetime.min.time()) + timedelta(hours=hour, minutes=30)
        for one in days
        for hour in range(24)
    ]


def as_utc(wall, zone):
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(("who", "days"), [(ALICE, BERLIN), (BOB, NEW_YORK)], ids=["Berlin", "New York"])
@on_sqlite
def test_every_hour_goes_from_tempo_to_jira_and_stays(syncing, who, days):
    """Also on the days that summer time begins and ends: a wall clock told twice means the first one, one that is
    skipped the offset before; and nothing of it comes back."""
    pair = syncing("tempo", "jira")
    for wall in hours(days):
        pair.sandbox.by_hand(
            "jca-tempo",
            "log",
            author=who.email,
            on="DEV-1",
            started=wall.isoformat(),
            length="10m",
            text=f"{wall}",
        )
    pair.hands.settle()
    before = pair.rows("left")
    assert pair.sync()["created"] == 72
    arrived = {one.text: one.when for one in pair.clouds.told("right")}
    assert arrived == {f"{wall}": as_utc(wall, who.time_zone).isoformat() for wall in hours(days)}
    assert pair.is_quiet()
    assert pair.sync("--full")["written"] == 0
    assert pair.rows("left") == before


@pytest.mark.parametrize(("who", "days"), [(ALICE, BERLIN), (BOB, NEW_YORK)], ids=["Berlin", "New York"])
@on_sqlite
def test_every_instant_goes_from_jira_to_tempo_and_stays(syncing, who, days):
    """Her wall clock in Tempo; the hour that comes twice is told twice the same, and neither is written back."""
    pair = syncing("jira", "tempo")
    jira = pair.clouds.jiras["left"]
    begin = [as_utc(datetime.combine(one, datetime.min.time()), who.time_zone) for one in days]
    instants = [one + timedelta(hours=hour, minutes=30) for one in begin for hour in range(23)]
    for instant in instants:
        jira.add_worklog(jira.issue("DEV-1"), jira.account_of(who.email), instant, 600, instant.isoformat())
    before = pair.rows("left")
    assert pair.sync()["created"] == 69
    assert {row.text: row.started for row in pair.rows("right")} == {
        one.isoformat(): one.astimezone(ZoneInfo(who.time_zone)).replace(tzinfo=None).isoformat()
        for one in instants
    }
    assert pair.is_quiet()
    assert pair.sync("--full")["written"] == 0
    assert pair.rows("left") == before


@on_sqlite
def test_a_hidden_zone_is_the_operators_or_the_sites(syncing):
    """Privacy hides where Dora and Eve work. For Dora the operator named the zone; Eve's is the site's."""
    clouds = TwoClouds("jira", "tempo")
    eve = Human("Eve Hidden", "eve@example.com", account=Account.HIDDEN)
    accounts = {}
    for human in (DORA, eve):
        for side in ("left", "right"):
            accounts[human.name, side] = with_person(clouds, side, human).account_id
    clouds.jiras["left"].time_zone = "America/New_York"
    clouds.world.connections[clouds.name]["people"] = {
        "match": "email",
        "pairs": [[accounts[name, "left"], accounts[name, "right"]] for name in (DORA.name, eve.name)],
        "timezones": {accounts[DORA.name, "left"]: "Asia/Kolkata"},
    }
    pair = syncing(clouds=clouds)
    jira = clouds.jiras["left"]
    for human, issue in ((DORA, "DEV-1"), (eve, "DEV-2")):
        noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
        jira.add_worklog(jira.issue(issue), jira.accounts[accounts[human.name, "left"]], noon, 3600, "Work")
    pair.sync()
    seen = {row.issue: (row.author, row.started) for row in pair.rows("right")}
    assert seen == {
        "EXT-1": ("Dora Hidden", "2026-03-02T17:30:00"), "EXT-2": ("Eve Hidden", "2026-03-02T07:00:00"),
    }  # fmt: skip
    assert pair.is_quiet()
