"""The target side as the engine sees it: rows of others may be odd, and are not all held at once."""

from itertools import islice

from reports.balance import Twin
from worklogs.sides import JiraSide, TempoSide


class FakeJira:
    """Holds these rows, by id; remembers what was asked for."""

    def __init__(self, rows=()):
        self.rows, self.asked = list(rows), []

    def issue_worklogs(self, issue):
        return [row for row in self.rows if row.get("issueId") == issue]

    def worklogs(self, ids):
        self.asked.append(ids)
        return [row for row in self.rows if int(row["id"]) in set(ids)]


class FakeTempo:
    def __init__(self, rows=()):
        self.rows, self.asked = list(rows), []

    def search_worklogs(self, issue_ids):
        self.asked.append(issue_ids)
        return [row for row in self.rows if (row.get("issue") or {}).get("id") in issue_ids]


def jira_side(*rows):
    return JiraSide("jca", "acc-bot", FakeJira(rows))


def tempo_side(*rows):
    return TempoSide("jca-tempo", "acc-bot", FakeJira(), FakeTempo(rows))


def test_an_odd_row_on_a_jira_issue_stands_among_the_others():
    side = jira_side({"id": "1", "issueId": "7"}, {"issueId": "7", "started": None}, {"id": "2"})
    assert [row.entry for row in side.standing("7")] == ["1"]


def test_an_odd_row_on_a_tempo_issue_stands_among_the_others():
    side = tempo_side({"tempoWorklogId": 1, "issue": {"id": 7}, "startDate": None, "author": None})
    assert [(row.entry, row.moment) for row in side.standing("7")] == [("1", None)]


def test_seconds_of_jira_are_read_a_thousand_at_a_time_and_no_sooner_than_needed():
    """Half a million copies are never in memory at once."""
    side = jira_side(*({"id": str(number), "timeSpentSeconds": number} for number in range(1, 2500)))
    copies = (Twin(f"e{number}", str(number), "7", number) for number in range(1, 2501))
    found = side.seconds_of(copies)
    assert [seconds for _, seconds in islice(found, 1000)] == list(range(1, 1001))
    assert len(side.jira.asked) == 1
    assert [seconds for _, seconds in found][-2:] == [2499, None]
    assert [len(ids) for ids in side.jira.asked] == [1000, 1000, 500]


def test_seconds_of_tempo_are_read_fifty_issues_at_a_time_each_issue_once():
    rows = [{"tempoWorklogId": n, "issue": {"id": n // 2}, "timeSpentSeconds": n} for n in range(200)]
    side = tempo_side(*rows)
    found = side.seconds_of(Twin(f"e{n}", str(n), str(n // 2), n) for n in range(201))
    assert next(found)[1] == 0
    assert len(side.tempo.asked) == 1
    assert [seconds for _, seconds in found][-2:] == [199, None]
    assert [len(ids) for ids in side.tempo.asked] == [50, 50, 1]
