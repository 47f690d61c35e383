"""A work item's issue is the one that says so, by id; none or several are a refusal, never a guess."""

import re
import threading
import time
from datetime import UTC, datetime
from itertools import batched

import pytest

from connections.clients.http import Exchange, FaultKind, SiteError
from connections.options import IssueOptions, Match
from worklogs.issues import (
    ByLink,
    Issue,
    LinkPage,
    UnusableIssueRuleError,
    find_issues,
    open_finder,
    resolved,
)
from worklogs.rules import Refuse


def row(id_, key, **fields):
    return {
        "id": id_,
        "key": key,
        "fields": {"labels": [], "status": {"id": "3"}, "timeestimate": None, **fields},
    }


def exchange(status):
    return Exchange("GET", "https://jca.example/rest", None, status, {}, datetime.now(UTC), 0.1)


class Jira:
    """A site whose search finds everything it holds; old keys lead to moved issues, links hang on issues."""

    def __init__(self, *rows, fields=(), old_keys=(), links=()):
        self.rows = rows
        self._fields = list(fields)
        self._old_keys = dict(old_keys)
        self._links = dict(links)
        self.queries = []
        self.bulk = []
        self.linked = []
        self.tokens = []
        self.page = 100

    def search(self, jql, fields):
        self.queries.append(jql)
        assert {"labels", "status", "timeestimate"} <= set(fields)
        yield from self.rows

    def search_pages(self, jql, fields, token=""):
        self.queries.append(jql)
        self.tokens.append(token)
        pages = list(batched(self.rows, self.page)) or [()]
        if token and int(token) >= len(pages):
            raise SiteError("jca", FaultKind.WAITING, "target_refused", "no such page", exchange(400))
        for number in range(int(token or 0), len(pages)):
            yield list(pages[number]), str(number + 1) if number + 1 < len(pages) else ""

    def issues(self, names, fields):
        self.bulk.append(list(names))
        asked = {self._old_keys.get(name, name).upper() for name in names}
        return [one for one in self.rows if {one["id"], one["key"]} & asked]

    def fields(self):
        return self._fields

    def projects(self):
        return [{"key": key} for key in sorted({one["key"].split("-")[0] for one in self.rows})]

    def remote_links(self, issue):
        self.linked.append(issue)
        time.sleep(0)
        found = self._links.get(issue, [])
        if isinstance(found, SiteError):
            raise found
        return found


class Keeper:
    """Keeps pages as a run does, and ends the part that kept `patience` of them."""

    def __init__(self, *pages, patience=1000):
        self.pages = list(pages)
        self.patience = patience

    def kept(self):
        return list(self.pages)

    def keep(self, page):
        self.pages.append(page)
        self.patience -= 1
        if not self.patience:
            raise InterruptedError


def opened(jira, **options):
    return open_finder(IssueOptions(**options), jira, Keeper())


def found(jira, works, **options):
    return find_issues(opened(jira, **options), works)


BY_LABEL = {"match": Match.LABEL, "label": "ado-id-{id}"}


# --- labels


def test_the_issue_with_the_label_is_the_one():
    jira = Jira(row("10001", "ABC-1", labels=["urgent", "ado-id-42"], timeestimate=7200))
    assert found(jira, ["42"], **BY_LABEL) == {"42": Issue("10001", "ABC-1", "3", 7200)}


def test_a_label_that_only_begins_alike_is_another_label():
    jira = Jira(row("10001", "ABC-1", labels=["ado-id-421", "xado-id-42", "ADO-ID-42"]))
    refuse = found(jira, ["42"], **BY_LABEL)["42"]
    assert isinstance(refuse, Refuse)
    assert (refuse.code, refuse.kind, refuse.parked) == ("issue_not_found", "waiting", False)
    assert "42" in refuse.message


def test_two_issues_for_one_work_item_are_parked_by_name():
    jira = Jira(row("10001", "ABC-1", labels=["ado-id-42"]), row("10002", "XYZ-9", labels=["ado-id-42"]))
    refuse = found(jira, ["42"], **BY_LABEL)["42"]
    assert isinstance(refuse, Refuse)
    assert (refuse.code, refuse.kind, refuse.parked) == ("issue_ambiguous", "waiting", True)
    assert "ABC-1, XYZ-9" in refuse.message


def test_one_issue_that_a_search_gives_twice_is_one_issue():
    one = row("10001", "ABC-1", labels=["ado-id-42"])
    assert found(Jira(one, one), ["42"], **BY_LABEL)["42"] == Issue("10001", "ABC-1", "3")


def test_several_work_items_may_share_an_issue():
    jira = Jira(row("10001", "ABC-1", labels=["ado-id-42", "ado-id-43"]))
    both = found(jira, ["42", "43"], **BY_LABEL)
    assert both["42"] == both["43"] == Issue("10001", "ABC-1", "3")


def test_each_work_item_is_asked_for_once_and_those_without_one_not_at_all():
    jira = Jira()
    assert set(found(jira, ["42", "", "42", "7"], **BY_LABEL)) == {"42", "7"}
    assert jira.queries == ['labels in ("ado-id-42", "ado-id-7") ORDER BY id']


def test_nothing_to_look_for_needs_no_call():
    jira = Jira()
    assert found(jira, ["", ""], **BY_LABEL) == {}
    assert jira.queries == []


def test_many_work_items_are_asked_for_in_parts():
    jira = Jira()
    found(jira, [str(number) for number in range(1, 251)], **BY_LABEL)
    assert [jql.count("ado-id-") for jql in jira.queries] == [100, 100, 50]


def test_a_quotation_mark_in_a_label_does_not_end_it():
    jira = Jira()
    found(jira, ["42"], match=Match.LABEL, label='a"\\{id}')
    assert jira.queries == ['labels in ("a\\"\\\\42") ORDER BY id']


# --- fields


NUMBER = {"id": "customfield_10010", "name": "ADO ID", "schema": {"type": "number"}}
TEXT = {"id": "customfield_10011", "name": "Azure", "schema": {"type": "string"}}


@pytest.mark.parametrize("named", ["ADO ID", "ado id", "customfield_10010"])
def test_a_number_field_is_named_by_name_or_id(named):
    jira = Jira(row("10001", "ABC-1", customfield_10010=42.0), fields=[NUMBER, TEXT])
    assert found(jira, ["42"], match=Match.FIELD, field=named)["42"] == Issue("10001", "ABC-1", "3")
    assert jira.queries == ["cf[10010] in (42) ORDER BY id"]


@pytest.mark.parametrize("held", ["42", " #42 ", "42.0", "0042", ["42"], 42])
def test_a_text_field_holds_the_id_in_any_of_its_spellings(held):
    jira = Jira(row("10001", "ABC-1", customfield_10011=held), fields=[NUMBER, TEXT])
    assert isinstance(found(jira, ["42"], match=Match.FIELD, field="Azure")["42"], Issue)
    assert jira.queries == ['cf[10011] ~ "42" ORDER BY id']


@pytest.mark.parametrize(
    "held", ["421", "42 and 43", "AB-42", "", None, ["42", "43"], True, {"value": "42"}, 42.5]
)
def test_a_field_that_merely_contains_the_id_is_not_it(held):
    jira = Jira(row("10001", "ABC-1", customfield_10011=held), fields=[TEXT])
    assert isinstance(found(jira, ["42"], match=Match.FIELD, field="Azure")["42"], Refuse)


def test_texts_are_searched_for_in_parts():
    jira = Jira(fields=[TEXT])
    found(jira, [str(number) for number in range(1, 51)], match=Match.FIELD, field="Azure")
    assert [len(re.findall("~", jql)) for jql in jira.queries] == [40, 10]


@pytest.mark.parametrize(
    ("fields", "said"), [([], "No field is"), ([NUMBER, {**TEXT, "name": "ADO ID"}], "2 fields are")]
)
def test_a_field_that_is_missing_or_named_twice_stops_before_the_start(fields, said):
    with pytest.raises(UnusableIssueRuleError, match=said):
        opened(Jira(fields=fields), match=Match.FIELD, field="ADO ID")


# --- pairs


def paired(jira, works, *pairs):
    return found(jira, works, match=Match.PAIRS, pairs=pairs)


def test_a_pair_names_an_issue_by_key_or_id():
    jira = Jira(row("10001", "ABC-1"), row("10002", "ABC-2"))
    both = paired(jira, ["42", "43"], ("42", "ABC-1"), ("#43", "10002"))
    assert [both[work].key for work in ("42", "43")] == ["ABC-1", "ABC-2"]


def test_several_work_items_may_be_paired_with_one_issue():
    jira = Jira(row("10001", "ABC-1"))
    assert {one.id for one in paired(jira, ["42", "43"], ("42", "ABC-1"), ("43", "ABC-1")).values()} == {
        "10001"
    }


def test_an_issue_that_moved_is_found_under_its_old_key():
    jira = Jira(row("10001", "NEW-7"), row("10002", "ABC-2"), old_keys={"ABC-1": "NEW-7"})
    both = paired(jira, ["42", "43"], ("42", "ABC-1"), ("43", "ABC-2"))
    assert both["42"] == Issue("10001", "NEW-7", "3")


def test_a_key_in_small_letters_is_the_same_key():
    assert isinstance(paired(Jira(row("10001", "ABC-1")), ["42"], ("42", "abc-1"))["42"], Issue)


def test_a_pair_with_an_issue_nobody_knows_is_a_refusal_and_harms_no_other():
    jira = Jira(row("10001", "ABC-1"))
    both = paired(jira, ["42", "43"], ("42", "GONE-1"), ("43", "ABC-1"))
    assert both["42"].code == "issue_not_found"
    assert isinstance(both["43"], Issue)


def test_one_issue_by_key_and_by_id_is_one_and_two_are_two():
    jira = Jira(row("10001", "ABC-1"), row("10002", "ABC-2"))
    assert isinstance(paired(jira, ["42"], ("42", "ABC-1"), ("42", "10001"))["42"], Issue)
    assert paired(jira, ["42"], ("42", "ABC-1"), ("42", "ABC-2"))["42"].code == "issue_ambiguous"


def test_keys_that_nobody_knows_cost_one_call_more_whatever_their_number():
    jira = Jira(row("10001", "ABC-1"))
    names = ["ABC-1", *(f"GONE-{number}" for number in range(60))]
    assert resolved(names, jira) == {"ABC-1": Issue("10001", "ABC-1", "3")}
    assert [len(part) for part in jira.bulk] == [61, 60]


def test_old_keys_are_told_apart_in_few_calls_even_two_of_one_issue():
    rows = [row(str(number), f"NEW-{number}") for number in range(1, 4)]
    old = {"OLD-1": "NEW-1", "OLDER-1": "NEW-1", "OLD-3": "NEW-3"}
    jira = Jira(*rows, old_keys=old)
    names = ["NEW-1", "2", "99", *old, *(f"GONE-{number}" for number in range(40))]
    found_ = {name: issue.key for name, issue in resolved(names, jira).items()}
    assert found_ == {"NEW-1": "NEW-1", "2": "NEW-2"} | old
    assert len(jira.bulk) < 25
    assert set(resolved(names, jira, old_keys=False)) == {"NEW-1", "2"}


# --- remote links


def link(url="", global_id=""):
    return {"globalId": global_id, "object": {"url": url}}


@pytest.mark.parametrize(
    "there",
    [
        link("https://dev.azure.com/contoso/Web/_workitems/edit/42"),
        link("https://dev.azure.com/contoso/Web/_workitems/edit/42/?view=edit"),
        link("https://contoso.visualstudio.com/_WorkItems/Edit/42#comments"),
        link(global_id="https://dev.azure.com/contoso/_workitems/edit/42"),
        {"globalId": None, "object": {"url": "https://dev.azure.com/contoso/_workitems/edit/42"}},
    ],
)
def test_an_issue_that_links_to_the_work_item_is_the_one(there):
    jira = Jira(
        row("10001", "ABC-1"), row("10002", "ABC-2"), links={"10001": [link("https://example.com"), there]}
    )
    assert found(jira, ["42", "4"], match=Match.LINK)["42"] == Issue("10001", "ABC-1", "3")
    assert isinstance(found(jira, ["4"], match=Match.LINK)["4"], Refuse)


def test_links_are_looked_for_in_every_project_we_may_see():
    jira = Jira(row("10001", "ABC-1"), row("10002", "XYZ-1"))
    found(jira, ["42"], match=Match.LINK)
    assert jira.queries == ['project in ("ABC", "XYZ") ORDER BY id']
    assert found(Jira(), ["42"], match=Match.LINK)["42"].code == "issue_not_found"


def test_two_links_to_one_work_item_are_ambiguous():
    there = [link("https://dev.azure.com/contoso/_workitems/edit/42")]
    jira = Jira(row("10001", "ABC-1"), row("10002", "ABC-2"), links={"10001": there * 2, "10002": there})
    assert found(jira, ["42"], match=Match.LINK)["42"].code == "issue_ambiguous"


def test_every_issue_is_asked_for_its_links_once_however_many_threads_want_to_know():
    jira = Jira(*(row(str(number), f"ABC-{number}") for number in range(20)))
    finder = opened(jira, match=Match.LINK)
    threads = [threading.Thread(target=finder.candidates, args=(["42"],)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(jira.linked, key=int) == [str(number) for number in range(20)]


def test_an_issue_deleted_while_links_are_read_has_none():
    gone = SiteError("jca", FaultKind.WAITING, "issue_not_found", "gone", exchange(404))
    there = [link("https://dev.azure.com/contoso/_workitems/edit/42")]
    jira = Jira(row("10001", "ABC-1"), row("10002", "ABC-2"), links={"10001": gone, "10002": there})
    assert found(jira, ["42"], match=Match.LINK)["42"].key == "ABC-2"


def test_any_other_failure_to_read_links_is_no_answer():
    down = SiteError("jca", FaultKind.PASSING, "site_unavailable", "down", exchange(503))
    with pytest.raises(SiteError):
        found(Jira(row("10001", "ABC-1"), links={"10001": down}), ["42"], match=Match.LINK)


def ten_linked_issues():
    """Issue n links to work item n; three issues make a page."""
    url = "https://dev.azure.com/contoso/_workitems/edit/"
    numbers = [str(number) for number in range(1, 11)]
    rows = (row(number, f"ABC-{number}") for number in numbers)
    jira = Jira(*rows, links={number: [link(f"{url}{number}")] for number in numbers})
    jira.page = 3
    return jira, numbers


def test_links_read_before_the_time_was_up_are_not_read_again():
    """Each part of the run keeps the pages it has read; the last one has them all and asks no issue twice."""
    jira, numbers = ten_linked_issues()
    kept = Keeper()
    for _ in range(3):
        kept.patience = 1
        with pytest.raises(InterruptedError):
            find_issues(ByLink(jira, kept), numbers)
    kept.patience = 1000
    both = find_issues(ByLink(jira, kept), numbers)
    assert {work: issue.key for work, issue in both.items()} == {n: f"ABC-{n}" for n in numbers}
    assert sorted(jira.linked, key=int) == numbers
    assert jira.tokens == ["", "1", "2", "3"]
    assert find_issues(ByLink(jira, kept), ["7"])["7"].key == "ABC-7"
    assert len(jira.linked) == 10


def test_a_page_that_jira_no_longer_knows_costs_a_new_beginning():
    jira, numbers = ten_linked_issues()
    kept = Keeper(LinkPage('project in ("ABC") ORDER BY id', "77", {"1": [Issue("1", "ABC-1")]}))
    both = find_issues(ByLink(jira, kept), numbers)
    assert [both[number].id for number in numbers] == numbers
    assert jira.tokens == ["77", ""]


def test_a_rule_for_issues_on_both_sides_finds_no_work_items():
    with pytest.raises(UnusableIssueRuleError, match="key"):
        opened(Jira(), match=Match.KEY)
