"""The author of a copy is the person where that is possible, else our own account under a header with the name."""

import pytest
from contoso import ALICE, BOB, CAROL
from twinlog_process import on_sqlite

pytestmark = on_sqlite
HEADER = "[7pace — {name} on 2024-03-15]\n\nWork"


@pytest.fixture
def entries(contoso):
    """One of Alice, one of Bob, one of Carol."""
    people = (ALICE, BOB, CAROL)
    return {who: contoso.log(who, 1, f"2024-03-15T0{hour}:00:00") for hour, who in enumerate(people)}


def test_a_personal_token_writes_as_the_person_without_a_header(twinlog, contoso, serve, entries):
    """Alice gave Twinlog a token of her own; Bob did not; Carol has no account."""
    contoso.give_personal_token(ALICE)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca"))
    run = twinlog.migrate()
    alices, bobs, carols = (contoso.copy(entry) for entry in entries.values())
    assert (alices.author_id, alices.text) == (contoso.account(ALICE), "Work")
    assert (bobs.author_id, bobs.text) == (contoso.own_account, HEADER.format(name="Bob Jones"))
    assert (carols.author_id, carols.text) == (contoso.own_account, HEADER.format(name="Carol White"))
    found = [row.properties["twinlog"]["account"] for row in (alices, bobs, carols)]
    assert found == [contoso.account(ALICE), contoso.account(BOB), ""]
    assert run["missing_people"] == ["carol@example.com"]


def test_a_revoked_personal_token_fails_that_persons_entries_alone(twinlog, contoso, serve, entries):
    """Alice's token no longer opens Jira: her entry waits, the others are carried; with a new one it is written."""
    contoso.give_personal_token(ALICE)
    sandbox = serve(contoso.world)
    toml = sandbox.toml("contoso-to-jca")
    twinlog.set_up(sandbox, toml)
    hers = contoso.jira.tokens[1]
    hers.token = "sandbox-a-new-token-of-alice"
    run = twinlog.migrate(status=1)
    assert [(row["person"], row["code"]) for row in run["failures"]] == [
        ("alice@example.com", "author_not_allowed")
    ]
    assert contoso.copies(entries[ALICE]) == []
    assert contoso.copy(entries[BOB]).seconds == 3600
    twinlog.set_up(sandbox, toml)
    again = twinlog.migrate(status=None)
    assert (again["created"], again["failed"]) == (1, 0)
    assert contoso.copy(entries[ALICE]).author_id == contoso.account(ALICE)


def test_pairs_come_before_the_e_mail(twinlog, contoso, serve, entries):
    """An operator says that Carol's work belongs to Bob's account and that Alice's 7pace id is Alice."""
    contoso.give_personal_token(BOB)
    pairs = [["Carol@Example.com", contoso.account(BOB)], [entries[ALICE].user_id, "alice@example.com"]]
    sandbox = serve(contoso.world)
    people = {"match": "none", "pairs": pairs}
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", {"people": people}))
    run = twinlog.migrate()
    assert run["missing_people"] == ["bob@example.com"]
    carols = contoso.copy(entries[CAROL])
    assert (carols.author_id, carols.text) == (contoso.account(BOB), "Work")
    assert contoso.copy(entries[ALICE]).properties["twinlog"]["account"] == contoso.account(ALICE)
    assert contoso.copy(entries[BOB]).properties["twinlog"]["account"] == ""


def test_a_file_of_pairs_does_the_same(twinlog, contoso, serve, entries):
    """Columns left and right, account ids or e-mails."""
    (twinlog.folder / "people.csv").write_text("left,right\ncarol@example.com,bob@example.com\n")
    sandbox = serve(contoso.world)
    people = {"match": "email", "pairs_file": "people.csv"}
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", {"people": people}))
    assert twinlog.migrate()["missing_people"] == []
    assert contoso.copy(entries[CAROL]).properties["twinlog"]["account"] == contoso.account(BOB)


def test_a_paired_account_that_is_inactive_counts_as_not_found(twinlog, contoso, serve, entries):
    """A pair cannot bring somebody back who has left."""
    contoso.accounts[BOB.name].active = False
    sandbox = serve(contoso.world)
    pairs = [["alice@example.com", contoso.account(BOB)]]
    people = {"match": "email", "pairs": pairs}
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca-tempo", {"people": people}))
    run = twinlog.migrate("contoso-to-jca-tempo")
    assert run["missing_people"] == ["alice@example.com", "bob@example.com", "carol@example.com"]
    assert contoso.tempo_copy(entries[ALICE]).author_id == contoso.own_account
