"""The hours proof: source = target + skipped + failed + parked + rounding, to the second, as the target is now."""

import pytest
from contoso import ALICE, BOB
from twinlog_process import DATABASES, on_sqlite

JIRA, TEMPO = "contoso-to-jca", "contoso-to-jca-tempo"


@pytest.fixture
def migrated(twinlog, contoso, serve):
    """Entries that are written, skipped, failed and parked, in odd seconds."""
    entries = contoso.log_many(10)
    contoso.log(ALICE, 1, "2024-05-01T09:00:00", 59)
    contoso.log(ALICE, 77, "2024-05-01T10:00:00", 3661)
    contoso.jira.add_issue("DEV-30", labels=("ado-id-30",))
    contoso.jira.add_issue("DEV-31", labels=("ado-id-30",))
    contoso.log(BOB, 30, "2024-05-01T11:00:00", 7)
    contoso.log(BOB, 30, "2024-05-01T12:00:00", 7_001)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(None, {"rounding": "up"}))
    twinlog.migrate(JIRA, status=1)
    twinlog.migrate(TEMPO, status=1)
    return entries


@pytest.mark.parametrize("name", [JIRA, TEMPO])
def test_every_second_is_accounted_for(twinlog, migrated, name):
    """Rounding up to minutes adds to the target, which the proof says with its sign."""
    source = [600 + number for number in range(10)]
    target = [-(-seconds // 60) * 60 for seconds in source]
    hours = twinlog.run("balance", name, "--json").data
    assert hours == {
        "source_seconds": sum(source) + 59 + 3661 + 7 + 7_001,
        "target_seconds": sum(target),
        "skipped_seconds": 59 + 7,
        "failed_seconds": 3661,
        "parked_seconds": 7_001,
        "rounding_seconds": sum(source) - sum(target),
        "balanced": True,
    }
    explained = sum(
        hours[f"{part}_seconds"] for part in ("target", "skipped", "failed", "parked", "rounding")
    )
    assert hours["source_seconds"] == explained
    text = twinlog.run("balance", name).out
    assert "  Rounding          -0:08:15" in text
    assert text.endswith("  Balanced.\n")


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_a_copy_that_somebody_changed_breaks_the_proof_and_is_named(twinlog, contoso, migrated):
    """An auditor sees which copy is not what was agreed, and by how much; status 1."""
    copy = contoso.copy(migrated[3])
    was, copy.seconds = copy.seconds, copy.seconds + 60
    done = twinlog.run("balance", JIRA, "--json", status=1)
    assert done.data["balanced"] is False
    text = twinlog.run("balance", JIRA, status=1).out
    assert "  NOT BALANCED." in text
    assert f"  entry {migrated[3].id}: worklog {copy.id} had 0:11:00, now 0:12:00" in text
    copy.seconds = was
    assert twinlog.run("balance", JIRA, "--json").data["balanced"] is True


@on_sqlite
def test_a_copy_that_is_gone_breaks_the_proof_and_is_named(twinlog, contoso, migrated):
    """Neither in Jira nor in Tempo can a copy vanish unseen; what others log there does not matter."""
    copy = contoso.copy(migrated[0])
    contoso.jira.drop_worklog(contoso.issue(1), copy, copy.updated)
    assert f"worklog {copy.id} had 0:10:00, now gone" in twinlog.run("balance", JIRA, status=1).out
    assert twinlog.run("balance", TEMPO, "--json").data["balanced"] is True
    row = contoso.tempo_copy(migrated[0])
    contoso.tempo.drop(row)
    assert f"worklog {row.id} had 0:10:00, now gone" in twinlog.run("balance", TEMPO, status=1).out


@on_sqlite
def test_a_target_that_cannot_be_read_proves_nothing(twinlog, contoso, migrated):
    """A refused token is status 2, not a broken balance; an unknown name too."""
    contoso.jira.tokens[0].token = "sandbox-revoked"
    assert twinlog.run("balance", JIRA, "--json", status=2).data["error"]["code"] == "auth_failed"
    assert twinlog.run("balance", "nobody", "--json", status=2).data["error"]["code"] == "unknown_name"


@on_sqlite
def test_a_connection_that_never_ran_balances_at_nothing(twinlog, contoso, serve):
    """Zero is zero."""
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    hours = twinlog.run("balance", JIRA, "--json").data
    assert hours.pop("balanced") is True
    assert set(hours.values()) == {0}
