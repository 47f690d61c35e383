"""The target side as the engine sees it: rows of others may be odd, and are not all held at once."""

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
