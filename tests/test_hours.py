"""Hours by the records: what a run leaves behind when it ends, and what was carried on which day."""

from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from connections.models import Connection, Site
from reports import balance, queries
from worklogs import hours, ledger
from worklogs.models import CarriedHour, Entry, Fetched, Run, RunHours, TwinTrace

pytestmark = pytest.mark.django_db

NOW = datetime(2024, 5, 7, 13, 59, 30, tzinfo=UTC)


@pytest.fixture
def migration():
    azure = Site.objects.create(name="contoso", kind="azure", url="https://dev.azure.com/contoso")
    pace = Site.objects.create(name="contoso-7pace", kind="sevenpace", url="https://c.7pace.com", azure=azure)
    jira = Site.objects.create(name="jca", kind="jira", url="https://jca.atlassian.net")
    return Connection.objects.create(name="contoso-to-jca", kind="migration", left=pace, right=jira)


@pytest.fixture
def run(migration):
    return Run.objects.create(connection=migration, kind="migration", state="finished", options_digest="x")


@pytest.fixture
def enter(migration):
    """Puts down an entry, and its twin where `stored` says how many seconds the target keeps."""

    def entered(entry, standing="written", seconds=3600, stored=None, **more):
        known = {"person_name": "Alice Smith", "person_email": "alice@example.com", "issue_key": "DEV-1"}
        known |= {"work": "1", "day": date(2024, 3, 15), "digest": "d", "values": {}, **more}
        Entry.objects.create(
            connection=migration,
            site="contoso-7pace",
            entry=entry,
            standing=standing,
            seconds=seconds,
            **known,
        )
        if stored is not None:
            TwinTrace.objects.create(
                connection=migration, left_id=entry, right_id=f"w-{entry}", right_site="jca", right_issue="1",
                origin="left", source_digest="d", agreed={}, agreed_digest="d", stored_seconds=stored,
            )  # fmt: skip

    return entered


def test_every_second_of_the_source_is_in_one_term(migration, enter):
    """Source = target + skipped + failed + parked + rounding, also where a copy was rounded or failed later."""
    enter("e1", seconds=3605, stored=3600)
    enter("e2", "linked", seconds=60, stored=120)
    enter("e3", "skipped", seconds=30)
    enter("e4", "failed", seconds=7200, stored=5400)
    enter("e5", "parked", seconds=900)
    terms = hours.terms(migration)
    assert terms == {
        "source_seconds": 3605 + 60 + 30 + 7200 + 900,
        "target_seconds": 3720,
        "skipped_seconds": 30,
        "failed_seconds": 7200,
        "parked_seconds": 900,
        "rounding_seconds": -55,
    }
    assert balance.recorded(migration).balanced


def test_people_are_one_by_their_e_mail_whatever_its_case(migration, enter):
    """Most hours first; the share that stands in the target beside them."""
    enter("e1", stored=3600)
    enter("e2", "failed", seconds=1800, person_email="ALICE@example.com")
    enter("e3", seconds=60, person_name="Bob Jones", person_email="", stored=60)
    alice, bob = hours.by_person(migration)
    assert (alice.name, alice.entries, alice.seconds, alice.carried_seconds) == ("Alice Smith", 2, 5400, 3600)
    assert (bob.name, bob.detail, bob.seconds) == ("Bob Jones", "", 60)


def test_work_items_without_an_issue_stand_by_their_own_number(migration, enter):
    """Work items of one issue are added up, homeless ones are not."""
    enter("e1", work="1", stored=3600)
    enter("e2", work="2", stored=3600)
    enter("e3", "failed", work="77", issue_key="", seconds=60)
    enter("e4", "failed", work="78", issue_key="", seconds=30)
    found = [(row.name, row.detail, row.seconds) for row in hours.by_issue(migration)]
    assert found == [("DEV-1", "", 7200), ("", "77", 60), ("", "78", 30)]


def test_months_are_those_of_the_sources_days_newest_first(migration, enter):
    """An entry without a day is not lost."""
    enter("e1", day=date(2024, 3, 31))
    enter("e2", day=date(2024, 3, 1))
    enter("e3", day=date(2024, 4, 1))
    enter("e4", day=None)
    assert [(row.name, row.entries) for row in hours.by_month(migration)] == [
        ("2024-04", 1),
        ("2024-03", 2),
        ("", 1),
    ]


def test_the_hours_of_an_earlier_run_stay_what_they_were(run, migration, enter):
    """A later run changes the records, not the report of the one before; counted again there is still one."""
    enter("e1", stored=3600)
    hours.keep(run)
    enter("e2", stored=60, seconds=60)
    later = Run.objects.create(connection=migration, kind="migration", state="finished", options_digest="x")
    hours.keep(later)
    hours.keep(later)
    assert list(RunHours.objects.order_by("run_id").values_list("source_seconds", flat=True)) == [3600, 3660]


def settled(outcome, seconds):
    return SimpleNamespace(outcome=outcome, stored=SimpleNamespace(seconds=seconds))


def test_what_was_written_is_added_to_its_hour(run, migration):
    """New copies and corrected ones apart; what was linked or refused carries nothing."""
    context = SimpleNamespace(connection=migration, run=run)
    created, updated = Fetched.Outcome.CREATED, Fetched.Outcome.UPDATED
    ledger._add_carried(context, [settled(created, 3600), settled(created, 60)], NOW)
    ledger._add_carried(context, [settled(updated, 900), settled(Fetched.Outcome.LINKED, 77)], NOW)
    ledger._add_carried(context, [settled(created, 5)], NOW + timedelta(minutes=1))
    ledger._add_carried(context, [settled(Fetched.Outcome.FAILED, 5)], NOW + timedelta(hours=3))
    rows = CarriedHour.objects.values_list("hour__hour", "created_seconds", "updated_seconds")
    assert list(rows) == [(13, 3660, 900), (14, 5, 0)]


@pytest.mark.parametrize(("zone", "day"), [("UTC", 6), ("Europe/Berlin", 7), ("America/New_York", 6)])
def test_a_day_is_the_readers_own(migration, zone, day):
    """What was written at 22:00 UTC counts for the next day in Berlin."""
    hour = datetime(2024, 5, 6, 22, tzinfo=UTC)
    CarriedHour.objects.create(connection=migration, hour=hour, created_seconds=3600, updated_seconds=60)
    with timezone.override(ZoneInfo(zone)):
        found = queries.carried(date(2024, 5, 8))[migration.pk]
    by_day = dict(zip(found.days, found.totals, strict=True))
    assert by_day[date(2024, 5, day)] == found.seconds == 3660


def test_thirty_days_and_no_more(migration):
    """The first of them is whole, what came before is left out, days without anything stay in."""
    today = date(2024, 5, 30)
    for hour in (datetime.combine(date(2024, 5, 1), time.min, UTC), datetime(2024, 4, 30, 23, tzinfo=UTC)):
        CarriedHour.objects.create(connection=migration, hour=hour, created_seconds=100)
    found = queries.together(queries.carried(today).values(), today)
    assert (found.days[0], found.days[-1], len(found.days)) == (date(2024, 5, 1), today, 30)
    assert (found.seconds, found.created[0]) == (100, 100)
    assert queries.together([], today).seconds == 0
