"""An issue's counterpart on the other Jira is the one that says so, found alike from either side, or a refusal."""

import threading
from datetime import UTC, datetime

import pytest

from connections.clients.http import Address, Gate
from connections.clients.jira import JiraClient
from connections.options import IssueOptions, Match, Side
from connections.sandbox import Fault, FaultKind
from connections.sandbox.world import JiraField
from connections.sandbox.worlds.builder import Builder
from worklogs.issue_twins import TwinPair, linked_issue, open_issue_twins
from worklogs.issues import LinkPage, UnusableIssueRuleError
from worklogs.rules import Refuse

LEFT, RIGHT = Side.LEFT, Side.RIGHT
BOTH = (LEFT, RIGHT)
NUMBER = JiraField("customfield_10010", "Twin number", "number")
TEXT = JiraField("customfield_10011", "Twin key", "text")


class Unlimited:
    def take(self, bucket):
        return 0.0

    def hold(self, bucket, seconds):
        raise AssertionError("nothing was throttled")


class Keeper:
    def __init__(self):
        self.pages = []

    def kept(self):
        return list(self.pages)

    def keep(self, page):
        self.pages.append(page)


class Two:
    """`jca` on the left holds ABC-1 to ABC-3, `jcb` on the right XYZ-1 to XYZ-3 whose ids are higher by ten."""

    def __init__(self):
        self.builder = Builder(seed=4)
        self.sites = {LEFT: self.builder.jira("jca"), RIGHT: self.builder.jira("jcb")}
        for side, key in ((LEFT, "ABC"), (RIGHT, "XYZ")):
            self.sites[side].add_project(key, key)
            self.sites[side].custom_fields += [NUMBER, TEXT]
        self.sites[RIGHT].add_project("ZZZ", "Elsewhere")
        for number in range(1, 11):
            self.sites[RIGHT].add_issue(f"ZZZ-{number}")
        for number in (1, 2, 3):
            self.add(LEFT, f"ABC-{number}")
            self.add(RIGHT, f"XYZ-{number}")

    def add(self, side, key, **details):
        project = key.rpartition("-")[0]
        if project not in self.sites[side].projects:
            self.sites[side].add_project(project, project)
        return self.sites[side].add_issue(key, **details)

    def issue(self, key):
        return next(issue for site in self.sites.values() if (issue := site.issue(key)))

    def id(self, key):
        return str(self.issue(key).id)

    def label(self, key, *labels):
        site = next(site for site in self.sites.values() if site.issue(key))
        site.issue(key).labels += labels
        for label in labels:
            site.by_label.setdefault(label, set()).add(site.issue(key).id)

    def link(self, key, to="", base="", global_id=""):
        url = f"{base or self.sandbox.url + '/jira/jca'}/browse/{to}" if to else ""
        self.issue(key).remote_links.append({"id": 1, "globalId": global_id, "object": {"url": url}})

    def move(self, key, new):
        site = next(site for site in self.sites.values() if site.issue(key))
        issue = site.issue(key)
        project = new.rpartition("-")[0]
        issue.project = site.projects.get(project) or site.add_project(project, project)
        issue.key = new
        site.by_key[new] = issue.id

    def change(self, *keys):
        """Somebody edits these issues now."""
        for key in keys:
            self.issue(key).edited = datetime.now(UTC)

    def client(self, side):
        site = self.sites[side]
        address = Address(site.name, f"{self.sandbox.url}/jira/{site.name}", allow_local=True)
        token = site.tokens[0]
        return JiraClient.open(address, token.email, token.token, Gate(Unlimited()))

    def twins(self, scan=False, keeper=None, **options):
        return open_issue_twins(
            IssueOptions(**options), self.client(LEFT), self.client(RIGHT), keeper or Keeper(), scan
        )

    def calls(self, side, path=""):
        return [call for call in self.sandbox.calls_to(self.sites[side].name) if call.path.endswith(path)]


@pytest.fixture
def two(serve):
    world = Two()
    world.sandbox = serve(world.builder.world)
    return world


def side_of(key):
    return LEFT if key.startswith(("ABC", "NEW", "SAME")) else RIGHT


def said(verdict):
    """("ABC-1", "XYZ-1") of a pair, "?" of an ambiguous issue, None of one without a twin."""
    if isinstance(verdict, Refuse):
        assert (verdict.code, verdict.parked, verdict.kind) == ("issue_ambiguous", True, "waiting")
        assert verdict.message
        assert verdict.hint
        return "?"
    return verdict and (verdict.left.key, verdict.right.key)


def found(two, twins, *keys):
    """What is said of each issue, every side asked for all of its own at once."""
    answers = {}
    for side in BOTH:
        ids = {two.id(key): key for key in keys if side_of(key) is side}
        if ids:
            answers |= {ids[id_]: said(verdict) for id_, verdict in twins.find(side, list(ids)).items()}
    return answers


BY_LABEL = {"match": Match.LABEL, "on": RIGHT, "label": "twin-{key}"}
BY_TEXT = {"match": Match.FIELD, "on": RIGHT, "field": "Twin key"}
BY_NUMBER = {"match": Match.FIELD, "on": RIGHT, "field": "Twin number"}
BY_LINK = {"match": Match.LINK, "on": RIGHT}
BY_KEY = {"match": Match.KEY}


def by_pairs(*pairs):
    return {"match": Match.PAIRS, "pairs": pairs}


def mark(two, options, key, other):
    """Says by the rule that this issue is the other one's twin."""
    if options["match"] is Match.LABEL:
        two.label(key, f"twin-{other}")
    elif options["match"] is Match.LINK:
        two.link(key, other)
    else:
        is_number = options["field"] == "Twin number"
        two.issue(key).fields[NUMBER.id if is_number else TEXT.id] = (
            int(two.id(other)) if is_number else other
        )


MARKS = pytest.mark.parametrize(
    "options", [BY_LABEL, BY_TEXT, BY_NUMBER, BY_LINK], ids=["label", "text", "number", "link"]
)


# Every mark


@MARKS
def test_the_issue_that_bears_the_mark_and_the_one_it_names_are_twins_from_either_side(two, options):
    mark(two, options, "XYZ-1", "ABC-2")
    for key in ("ABC-2", "XYZ-1"):
        assert found(two, two.twins(scan=True, **options), key) == {key: ("ABC-2", "XYZ-1")}


@MARKS
def test_an_issue_without_a_mark_has_no_twin(two, options):
    mark(two, options, "XYZ-1", "ABC-2")
    keys = ("ABC-1", "ABC-3", "XYZ-2")
    assert found(two, two.twins(scan=True, **options), *keys) == dict.fromkeys(keys)


@MARKS
@pytest.mark.parametrize("first", ["ABC-1", "XYZ-1", "XYZ-2"])
def test_two_that_bear_the_mark_of_one_make_all_three_ambiguous_whoever_is_asked_first(two, options, first):
    mark(two, options, "XYZ-1", "ABC-1")
    mark(two, options, "XYZ-2", "ABC-1")
    twins = two.twins(scan=True, **options)
    assert found(two, twins, first) == {first: "?"}
    assert found(two, twins, "ABC-1", "XYZ-1", "XYZ-2") == dict.fromkeys(("ABC-1", "XYZ-1", "XYZ-2"), "?")
    verdict = twins.find(LEFT, [two.id("ABC-1")])[two.id("ABC-1")]
    assert verdict.message == "2 issues claim ABC-1 of the left: XYZ-1, XYZ-2."


@pytest.mark.parametrize("options", [BY_LABEL, BY_LINK], ids=["label", "link"])
@pytest.mark.parametrize("first", ["ABC-1", "ABC-2", "XYZ-1"])
def test_one_that_bears_two_marks_makes_all_three_ambiguous_whoever_is_asked_first(two, options, first):
    mark(two, options, "XYZ-1", "ABC-1")
    mark(two, options, "XYZ-1", "ABC-2")
    twins = two.twins(scan=True, **options)
    assert found(two, twins, first) == {first: "?"}
    assert found(two, twins, "ABC-1", "ABC-2", "XYZ-1") == dict.fromkeys(("ABC-1", "ABC-2", "XYZ-1"), "?")


@MARKS
def test_a_mark_that_names_nobody_is_none(two, options):
    two.label("XYZ-1", "twin-ABC-999")
    two.issue("XYZ-1").fields |= {TEXT.id: "ABC-999", NUMBER.id: 999}
    two.link("XYZ-1", "ABC-999")
    assert found(two, two.twins(scan=True, **options), "XYZ-1") == {"XYZ-1": None}


@pytest.mark.parametrize("options", [BY_LABEL, BY_TEXT, BY_LINK], ids=["label", "text", "link"])
def test_an_issue_that_was_moved_is_followed_from_a_mark_with_its_old_key(two, options):
    mark(two, options, "XYZ-1", "ABC-1")
    two.move("ABC-1", "NEW-7")
    twins = two.twins(scan=True, **options)
    assert found(two, twins, "XYZ-1") == {"XYZ-1": ("NEW-7", "XYZ-1")}
    assert found(two, twins, "NEW-7") == {"NEW-7": ("NEW-7", "XYZ-1")}


@pytest.mark.parametrize("options", [BY_LABEL, BY_TEXT, BY_LINK], ids=["label", "text", "link"])
@pytest.mark.parametrize("first", ["NEW-7", "XYZ-1", "XYZ-2"])
def test_a_mark_with_the_present_key_counts_before_one_with_an_old_key(two, options, first):
    mark(two, options, "XYZ-1", "ABC-1")
    two.move("ABC-1", "NEW-7")
    mark(two, options, "XYZ-2", "NEW-7")
    twins = two.twins(scan=True, **options)
    expected = {"NEW-7": ("NEW-7", "XYZ-2"), "XYZ-1": None, "XYZ-2": ("NEW-7", "XYZ-2")}
    assert found(two, twins, first) == {first: expected[first]}
    assert found(two, twins, *expected) == expected


@MARKS
def test_the_holder_of_the_mark_may_move_as_it_likes(two, options):
    mark(two, options, "XYZ-1", "ABC-1")
    two.move("XYZ-1", "YYY-4")
    for key in ("ABC-1", "YYY-4"):
        assert found(two, two.twins(scan=True, **options), key) == {key: ("ABC-1", "YYY-4")}


@MARKS
def test_both_issues_come_with_their_estimate_and_state(two, options):
    mark(two, options, "XYZ-1", "ABC-1")
    two.issue("ABC-1").remaining_seconds = 3600
    two.issue("XYZ-1").remaining_seconds = 7200
    two.issue("XYZ-1").editable = False
    for key in ("ABC-1", "XYZ-1"):
        twins = two.twins(scan=True, **options)
        pair = twins.find(side_of(key), [two.id(key)])[two.id(key)]
        assert (pair.left.remaining, pair.left.status) == (3600, "1")
        assert (pair.right.remaining, pair.right.status) == (7200, "6")


@MARKS
def test_an_issue_that_nobody_may_see_has_no_twin_and_is_none(two, options):
    mark(two, options, "XYZ-1", "ABC-1")
    mark(two, options, "XYZ-2", "ABC-2")
    two.issue("XYZ-1").visible = False
    two.issue("ABC-2").visible = False
    keys = ("ABC-1", "ABC-2", "XYZ-1", "XYZ-2")
    twins = two.twins(scan=True, **options)
    assert found(two, twins, *keys) == dict.fromkeys(keys)
    assert found(two, twins, *keys) == dict.fromkeys(keys)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (BY_KEY, "same key"),
        (BY_LABEL, "label twin-{key}"),
        (BY_TEXT, "field Twin key"),
        (BY_LINK, "remote link"),
        (by_pairs(("ABC-1", "XYZ-1")), "pairs"),
    ],
)
def test_a_rule_has_words(two, options, words):
    assert two.twins(**options).rule == words


@MARKS
def test_each_question_goes_out_once_however_many_threads_ask(two, options):
    mark(two, options, "XYZ-1", "ABC-1")
    twins = two.twins(scan=True, **options)
    threads = [
        threading.Thread(target=found, args=(two, twins, "ABC-1", "ABC-2", "XYZ-1", "XYZ-2"))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = len(two.sandbox.calls)
    assert found(two, twins, "ABC-1", "XYZ-2") == {"ABC-1": ("ABC-1", "XYZ-1"), "XYZ-2": None}
    assert len(two.sandbox.calls) == asked


@MARKS
def test_a_mark_may_be_on_the_left(two, options):
    options = options | {"on": LEFT}
    if options["match"] is Match.LINK:
        two.link("ABC-1", "XYZ-2", base=f"{two.sandbox.url}/jira/jcb")
    else:
        mark(two, options, "ABC-1", "XYZ-2")
    for key in ("ABC-1", "XYZ-2"):
        assert found(two, two.twins(scan=True, **options), key) == {key: ("ABC-1", "XYZ-2")}


# Labels


def test_a_label_may_hold_the_id(two):
    two.label("XYZ-1", f"twin-{two.id('ABC-1')}")
    for key in ("ABC-1", "XYZ-1"):
        twins = two.twins(match=Match.LABEL, on=RIGHT, label="twin-{id}")
        assert found(two, twins, key) == {key: ("ABC-1", "XYZ-1")}


@pytest.mark.parametrize(
    "label", ["twin-abc-1", "xtwin-ABC-1", "twin-ABC-1x", "Twin-ABC-1", "twin-10001", "ABC-1"]
)
def test_a_label_that_merely_looks_alike_is_another_one(two, label):
    two.label("XYZ-1", label)
    assert found(two, two.twins(**BY_LABEL), "ABC-1", "XYZ-1") == {"ABC-1": None, "XYZ-1": None}


def test_two_labels_for_one_issue_are_one_mark(two):
    two.label("XYZ-1", "twin-ABC-1", "twin-NEW-7")
    two.move("ABC-1", "NEW-7")
    assert found(two, two.twins(**BY_LABEL), "XYZ-1") == {"XYZ-1": ("NEW-7", "XYZ-1")}


def test_many_issues_are_asked_for_by_hundreds(two):
    for number in range(1, 251):
        two.add(LEFT, f"SAME-{number}")
        two.add(RIGHT, f"TTT-{number}")
        two.label(f"TTT-{number}", f"twin-SAME-{number}")
    lefts = [two.id(f"SAME-{number}") for number in range(1, 251)]
    rights = [two.id(f"TTT-{number}") for number in range(1, 251)]
    twins = two.twins(**BY_LABEL)
    assert all(isinstance(each, TwinPair) for each in twins.find(LEFT, lefts).values())
    assert (len(two.calls(LEFT)), len(two.calls(RIGHT))) == (3, 3)
    assert all(isinstance(each, TwinPair) for each in twins.find(RIGHT, rights).values())
    assert (len(two.calls(LEFT)), len(two.calls(RIGHT))) == (3, 3)
    twins = two.twins(**BY_LABEL)
    assert all(isinstance(each, TwinPair) for each in twins.find(RIGHT, rights).values())
    assert (len(two.calls(LEFT)), len(two.calls(RIGHT))) == (6, 9)


# Fields


@pytest.mark.parametrize("held", ["ABC-1", " abc-1 ", "10001", "#10001", 10001])
def test_a_text_field_holds_the_key_or_the_id_in_any_spelling(two, held):
    two.issue("XYZ-1").fields[TEXT.id] = held
    for key in ("ABC-1", "XYZ-1"):
        assert found(two, two.twins(**BY_TEXT), key) == {key: ("ABC-1", "XYZ-1")}


@pytest.mark.parametrize(
    "held", ["ABC-1 and more", "not ABC-1", "XABC-1", "ABC-11", "ABC 1", "10001 or so", ""]
)
def test_a_text_that_merely_contains_the_key_is_not_it(two, held):
    two.issue("XYZ-1").fields[TEXT.id] = held
    assert found(two, two.twins(**BY_TEXT), "ABC-1", "XYZ-1") == {"ABC-1": None, "XYZ-1": None}


def test_a_field_nobody_made_is_said_to_be_missing_on_its_side(two):
    with pytest.raises(UnusableIssueRuleError, match='No field is named "Nothing" on the right'):
        two.twins(match=Match.FIELD, on=RIGHT, field="Nothing")


# The same key


def test_issues_with_one_key_are_twins_and_their_ids_do_not_matter(two):
    two.add(LEFT, "SAME-1")
    two.add(RIGHT, "SAME-1")
    left, right = (str(two.sites[side].issue("SAME-1").id) for side in BOTH)
    assert left != right
    for side, id_ in ((LEFT, left), (RIGHT, right)):
        pair = two.twins(**BY_KEY).find(side, [id_])[id_]
        assert (pair.left.id, pair.right.id, pair.left.key, pair.right.key) == (
            left,
            right,
            "SAME-1",
            "SAME-1",
        )


def test_an_id_is_never_taken_for_that_of_the_other_side(two):
    for key in ("ZZZ-1", "ABC-1"):
        assert found(two, two.twins(**BY_KEY), key) == {key: None}


def test_a_key_that_an_issue_once_had_is_not_its_key(two):
    """The left's SAME-1 has become NEW-1, and still answers to SAME-1: no twin of the right's SAME-1."""
    two.add(LEFT, "SAME-1")
    two.add(RIGHT, "SAME-1")
    two.move("SAME-1", "NEW-1")
    left, right = two.id("NEW-1"), str(two.sites[RIGHT].issue("SAME-1").id)
    assert two.twins(**BY_KEY).find(RIGHT, [right]) == {right: None}
    assert two.twins(**BY_KEY).find(LEFT, [left]) == {left: None}


def test_issues_that_both_moved_to_one_key_are_twins(two):
    two.move("ABC-1", "SAME-5")
    two.move("XYZ-1", "SAME-5")
    id_ = str(two.sites[LEFT].issue("SAME-5").id)
    assert said(two.twins(**BY_KEY).find(LEFT, [id_])[id_]) == ("SAME-5", "SAME-5")


def test_keys_are_compared_with_one_call_a_hundred_and_side(two):
    ids = [str(two.add(LEFT, f"SAME-{number}").id) for number in range(1, 251)]
    twins = two.twins(**BY_KEY)
    assert set(twins.find(LEFT, ids).values()) == {None}
    assert set(twins.find(LEFT, ids).values()) == {None}
    assert (len(two.calls(LEFT)), len(two.calls(RIGHT))) == (3, 3)


# Pairs


@pytest.mark.parametrize("pair", [("ABC-1", "XYZ-2"), ("10001", "10012"), (" abc-1", "xyz-2 ")])
def test_a_pair_names_issues_by_key_or_id(two, pair):
    for key in ("ABC-1", "XYZ-2"):
        assert found(two, two.twins(**by_pairs(pair)), key) == {key: ("ABC-1", "XYZ-2")}
    assert found(two, two.twins(**by_pairs(pair)), "ABC-2", "XYZ-1") == {"ABC-2": None, "XYZ-1": None}


def test_several_may_be_paired_with_one_and_then_only_the_way_back_is_unknown(two):
    twins = two.twins(**by_pairs(("ABC-1", "XYZ-1"), ("ABC-2", "XYZ-1")))
    assert found(two, twins, "ABC-1", "ABC-2", "XYZ-1") == {
        "ABC-1": ("ABC-1", "XYZ-1"),
        "ABC-2": ("ABC-2", "XYZ-1"),
        "XYZ-1": "?",
    }
    message = twins.find(RIGHT, [two.id("XYZ-1")])[two.id("XYZ-1")].message
    assert message == "2 issues claim XYZ-1 of the right: ABC-1, ABC-2."


def test_a_pair_written_twice_is_one_pair(two):
    twins = two.twins(**by_pairs(("ABC-1", "XYZ-1"), ("10001", "XYZ-1")))
    assert found(two, twins, "ABC-1", "XYZ-1") == dict.fromkeys(("ABC-1", "XYZ-1"), ("ABC-1", "XYZ-1"))


def test_paired_issues_that_moved_are_followed_on_both_sides(two):
    pairs = by_pairs(("ABC-1", "XYZ-1"), ("ABC-2", "XYZ-2"), ("GONE-1", "XYZ-3"), ("ABC-3", "GONE-2"))
    two.move("ABC-1", "NEW-7")
    two.move("XYZ-2", "YYY-9")
    for key, pair in {
        "NEW-7": ("NEW-7", "XYZ-1"),
        "XYZ-1": ("NEW-7", "XYZ-1"),
        "ABC-2": ("ABC-2", "YYY-9"),
        "YYY-9": ("ABC-2", "YYY-9"),
        "XYZ-3": None,
        "ABC-3": None,
    }.items():
        assert found(two, two.twins(**pairs), key) == {key: pair}


def test_pairs_are_looked_up_once_and_nobody_is_asked_what_changed(two):
    twins = two.twins(**by_pairs(("ABC-1", "XYZ-1"), ("ABC-2", "XYZ-2")))
    for _ in range(2):
        assert found(two, twins, "ABC-1", "XYZ-2", "ABC-3") == {
            "ABC-1": ("ABC-1", "XYZ-1"),
            "XYZ-2": ("ABC-2", "XYZ-2"),
            "ABC-3": None,
        }
    assert twins.named_since(60) == []
    assert (len(two.calls(LEFT)), len(two.calls(RIGHT))) == (1, 2)


# Remote links

JCA = frozenset({"jca.atlassian.net"})


@pytest.mark.parametrize(
    ("url", "global_id", "named"),
    [
        ("https://jca.atlassian.net/browse/ABC-1", "", "ABC-1"),
        ("https://JCA.atlassian.net/browse/abc-1/?focusedId=7#comments", None, "ABC-1"),
        ("https://other.atlassian.net/browse/ABC-1", "", ""),
        ("https://jca.atlassian.net.evil.example/browse/ABC-1", "", ""),
        ("https://evil.example/?x=https://jca.atlassian.net/browse/ABC-1", "", ""),
        ("https://jca.atlassian.net/browse/ABC-1", "appId=5d1e&issueId=10007", "ABC-1"),
        ("https://other.atlassian.net/browse/ABC-1", "appId=5d1e&issueId=10007", ""),
        ("https://jca.atlassian.net/issues/?id=7", "appId=5d1e&issueId=10007", "10007"),
        ("", "appId=5d1e&issueId=10007", "10007"),
        (None, "issueId=10007&appId=5d1e", "10007"),
        ("", "parentissueId=10007", ""),
        ("https://dev.azure.com/contoso/_workitems/edit/42", "", ""),
        ("https://jca.atlassian.net/browse/ABC", "", ""),
    ],
)
def test_a_link_points_at_an_issue_of_that_very_site(url, global_id, named):
    assert linked_issue({"globalId": global_id, "object": {"url": url}}, JCA) == named


def test_where_the_site_s_own_address_is_unknown_every_host_will_do():
    link = {"object": {"url": "https://other.atlassian.net/browse/ABC-1"}}
    assert linked_issue(link, frozenset()) == "ABC-1"


def test_a_link_to_an_issue_of_a_third_site_makes_no_twin(two):
    two.link("XYZ-1", "ABC-1", base="https://elsewhere.atlassian.net")
    two.link("XYZ-1", "ABC-2", base=f"{two.sandbox.url}/jira/jcb")
    assert found(two, two.twins(scan=True, **BY_LINK), "XYZ-1", "ABC-1", "ABC-2") == {
        "XYZ-1": None,
        "ABC-1": None,
        "ABC-2": None,
    }


def test_a_site_that_does_not_say_its_address_is_known_by_none_if_it_is_called_by_number(two):
    two.sandbox.faults.add(Fault(FaultKind.STATUS, site="jca", path="*/rest/api/3/serverInfo", status=404))
    two.link("XYZ-1", "ABC-1", base="https://jca.example")
    assert found(two, two.twins(**BY_LINK), "XYZ-1") == {"XYZ-1": ("ABC-1", "XYZ-1")}


def test_without_a_scan_a_link_is_found_from_its_own_side_with_one_call_an_issue(two):
    two.link("XYZ-1", "ABC-1")
    twins = two.twins(**BY_LINK)
    assert found(two, twins, "ABC-1") == {"ABC-1": None}
    assert found(two, twins, "XYZ-1", "XYZ-2") == {"XYZ-1": ("ABC-1", "XYZ-1"), "XYZ-2": None}
    assert len(two.calls(RIGHT, "/remotelink")) == 2
    assert found(two, twins, "ABC-1") == {"ABC-1": ("ABC-1", "XYZ-1")}
    assert two.calls(RIGHT, "/search/jql") == []


def test_a_scan_asks_every_issue_once_for_both_sides(two):
    two.link("XYZ-1", "ABC-1")
    twins = two.twins(scan=True, **BY_LINK)
    for _ in range(2):
        assert found(two, twins, "ABC-1", "XYZ-1", "XYZ-2")["XYZ-1"] == ("ABC-1", "XYZ-1")
    assert len(two.calls(RIGHT, "/remotelink")) == len(two.sites[RIGHT].issues)


def test_what_an_earlier_part_of_the_run_scanned_is_not_asked_again(two):
    two.link("XYZ-1", "ABC-1")
    keeper = Keeper()
    found(two, two.twins(scan=True, keeper=keeper, **BY_LINK), "ABC-1")
    asked = len(two.calls(RIGHT, "/remotelink"))
    assert [type(page) for page in keeper.pages] == [LinkPage]
    assert found(two, two.twins(scan=True, keeper=keeper, **BY_LINK), "ABC-1") == {
        "ABC-1": ("ABC-1", "XYZ-1")
    }
    assert len(two.calls(RIGHT, "/remotelink")) == asked


# What changed lately


def named(twins, minutes=10, paired=()):
    return sorted((pair.left.key, pair.right.key) for pair in twins.named_since(minutes, paired))


@MARKS
def test_pairs_are_found_by_what_changed_lately_at_the_holder(two, options):
    for number in (1, 2, 3):
        mark(two, options, f"XYZ-{number}", f"ABC-{number}")
    two.change("XYZ-1", "XYZ-3", "ABC-2", "ZZZ-1")
    twins = two.twins(**options)
    assert named(twins) == [("ABC-1", "XYZ-1"), ("ABC-3", "XYZ-3")]
    two.builder.world.later(3600)
    assert named(twins) == []


def test_the_same_key_is_found_by_what_changed_lately_on_the_left(two):
    for side in BOTH:
        two.add(side, "SAME-1", edited=datetime.now(UTC))
        two.add(side, "SAME-2")
    two.change("ABC-1")
    assert named(two.twins(**BY_KEY)) == [("SAME-1", "SAME-1")]


@MARKS
def test_pairs_that_are_known_already_cost_one_search_and_nothing_else(two, options):
    mark(two, options, "XYZ-1", "ABC-1")
    two.change("XYZ-1")
    twins = two.twins(**options)
    before = len(two.sandbox.calls)
    assert named(twins, paired={two.id("XYZ-1")}) == []
    assert [call.path.rpartition("/")[2] for call in two.sandbox.calls[before:]] == ["jql"]


@MARKS
def test_an_ambiguous_issue_is_no_pair_however_lately_it_changed(two, options):
    mark(two, options, "XYZ-1", "ABC-1")
    mark(two, options, "XYZ-2", "ABC-1")
    two.change("XYZ-1", "XYZ-2")
    assert named(two.twins(**options)) == []


def test_a_mark_that_was_made_after_the_issue_was_read_is_seen_when_it_changes(two):
    twins = two.twins(**BY_LABEL)
    assert found(two, twins, "XYZ-1") == {"XYZ-1": None}
    two.label("XYZ-1", "twin-ABC-1")
    two.change("XYZ-1")
    assert named(twins) == [("ABC-1", "XYZ-1")]


@pytest.mark.parametrize(
    "options", [BY_LABEL, BY_TEXT, BY_LINK, BY_KEY], ids=["label", "text", "link", "key"]
)
def test_a_site_that_does_not_answer_such_a_query_is_asked_once(two, options):
    two.sandbox.faults.add(Fault(FaultKind.STATUS, path="*/rest/api/3/search/jql", status=400, times=2))
    twins = two.twins(**options)
    before = len(two.sandbox.calls)
    assert [named(twins), named(twins)] == [[], []]
    assert len(two.sandbox.calls) - before == 1


def test_what_changed_lately_is_read_from_one_page(two):
    for number in (1, 2, 3):
        two.label(f"XYZ-{number}", f"twin-ABC-{number}")
        two.change(f"XYZ-{number}")
    two.sites[RIGHT].page_cap = 2
    assert named(two.twins(**BY_LABEL)) == [("ABC-2", "XYZ-2"), ("ABC-3", "XYZ-3")]
