"""A connection's health: one word and why, decided by the first rule that speaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connections.wording import STATES
from reports import health
from reports.health import Facts, Health

WELL = {"run": 7, "state": "finished"}

VERDICTS = [
    # What stops everything
    (Facts(paused=True, dead_tokens=("jca",), **WELL), "paused", "No run begins until it is resumed"),
    (Facts(dead_tokens=("jca", "contoso")), "failing", "No working token for jca and contoso"),
    # A run under way
    (Facts(run=7, state="queued"), "behind", "Run 7 waits for a worker"),
    (Facts(run=7, state="running"), "behind", "Run 7 reads what there is"),
    (Facts(run=7, state="running", decided=63, fetched=100), "behind", "Run 7 is at 63\N{NO-BREAK SPACE}%"),
    (Facts(run=7, state="running", decided=1, fetched=9, failed=3), "behind", "Run 7 is at 11\N{NO-BREAK SPACE}%"),
    (Facts(run=7, state="paused", decided=1, fetched=9), "needs_attention", "Run 7 is paused"),
    (Facts(run=7, state="running", unattended=True), "needs_attention", "Nobody works on run 7"),
    # A run that ended badly
    (Facts(run=7, state="broken"), "failing", "Run 7 broke"),
    (Facts(run=7, state="stopped", code="auth_failed", message="jca refused."), "failing", "jca refused."),
    (Facts(run=7, state="stopped", code="site_unavailable"), "failing", "Run 7 lost a site"),
    (Facts(run=7, state="stopped", code="interrupted"), "behind", "Run 7 stopped early; a new one carries the rest"),
    (Facts(run=7, state="cancelled"), "behind", "Run 7 was cancelled; a new one carries the rest"),
    # What the last check found
    (Facts(unreachable=True), "failing", "A site did not answer the last check, or refused its token"),
    (Facts(missing=1), "needs_attention", "1 thing it needs is missing"),
    (Facts(missing=2, **WELL), "needs_attention", "2 things it needs are missing"),
    # Before the first run
    (Facts(), "idle", "A dry run would be a good first step"),
    (Facts(planned=4), "idle", "Planned by run 4, nothing is written yet"),
    # What is open
    (
        Facts(holds_deletes=True, parked=60, **WELL),
        "needs_attention",
        "Run 7 holds deletions back until somebody allows them",
    ),
    (Facts(failed=1, **WELL), "needs_attention", "1 entry failed"),
    (Facts(parked=2, **WELL), "needs_attention", "2 entries parked"),
    (Facts(failed=17, parked=3, **WELL), "needs_attention", "17 entries failed, 3 parked"),
    (Facts(**WELL), "in_step", "Everything is carried, nothing is open"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "word", "reason"), VERDICTS, ids=[row[2] for row in VERDICTS])
def test_each_rule_says_one_word_and_why(facts, word, reason):
    assert health.of(facts) == health.Verdict(Health(word), reason)


@given(st.builds(Facts, run=st.integers(0, 3), state=st.sampled_from(["", "running", "stopped", "finished"])))
def test_every_connection_has_a_health_that_the_badge_knows(facts):
    """Whatever the facts, there is a word for them and a reason."""
    verdict = health.of(facts)
    assert verdict.health in STATES
    assert verdict.reason


@given(st.builds(Facts, failed=st.integers(0, 9), parked=st.integers(0, 9)))
def test_nothing_open_is_ever_called_in_step(facts):
    """In step means that nobody has anything to do."""
    if health.of(facts).health is Health.IN_STEP:
        assert (facts.failed, facts.parked, facts.missing, facts.dead_tokens) == (0, 0, 0, ())
