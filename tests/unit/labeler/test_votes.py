"""What votes of several people decide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.labeler.decisions.votes import Vote, VoteRules, tally
from services.labeler.settings import LabelerSettings
from shared.runtime.errors import InvalidSettings

PEOPLE = [f"person {number}" for number in range(7)]
SAID = st.sampled_from(["dandelion", "grass", "moss"])
VOTES = st.dictionaries(st.sampled_from(PEOPLE), SAID).map(lambda said: [Vote(by, label) for by, label in said.items()])
RULES = st.tuples(st.integers(2, 4), st.integers(0, 3)).map(lambda two: VoteRules(two[0], two[0] + two[1]))
TWO_OF_THREE = VoteRules(2, 3)


@given(VOTES, RULES)
def test_a_decision_has_enough_votes_and_more_than_any_other(votes: list[Vote], rules: VoteRules) -> None:
    found = tally(votes, rules)
    behind = {label: {vote.by for vote in votes if vote.label == label} for label in ("dandelion", "grass", "moss")}
    enough = {label: people for label, people in behind.items() if len(people) >= rules.needed}

    assert tally(reversed(votes), rules) == found
    if found.state == "decided":
        assert found.label is not None
        assert set(found.voters) == behind[found.label]
        assert all(len(people) < len(found.voters) for label, people in enough.items() if label != found.label)
    else:
        assert len(enough) != 1
        assert not found.voters


@given(VOTES, RULES)
def test_an_open_one_can_be_decided_and_a_split_one_cannot(votes: list[Vote], rules: VoteRules) -> None:
    found = tally(votes, rules)
    left = max(0, rules.at_most - len(votes))
    agreeing = [
        tally([*votes, *(Vote(f"later {number}", label) for number in range(left))], rules).state
        for label in ("dandelion", "grass", "moss", "clover")
    ]
    if found.state == "open":
        assert "decided" in agreeing
    elif found.state == "split":
        assert "decided" not in agreeing


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([], "open"),
        (["grass"], "open"),
        (["grass", "moss"], "open"),
        (["grass", "grass"], "decided"),
        (["grass", "moss", "clover"], "split"),
        (["grass", "moss", "grass", "moss"], "split"),
    ],
)
def test_two_of_three(said: list[str], state: str) -> None:
    assert tally([Vote(str(number), label) for number, label in enumerate(said)], TWO_OF_THREE).state == state


def test_another_vote_may_decide_between_two_that_have_enough() -> None:
    votes = [Vote(str(number), label) for number, label in enumerate(["grass", "moss", "grass", "moss"])]
    assert tally(votes, VoteRules(2, 5)).state == "open"
    assert tally([*votes, Vote("last", "moss")], VoteRules(2, 5)).label == "moss"


def test_a_vote_without_a_label_is_equal_to_one_with_the_same_reason() -> None:
    found = tally([Vote("a", None, "unusable"), Vote("b", None, "unsure"), Vote("c", None, "unusable")], TWO_OF_THREE)
    assert (found.state, found.label, found.no_label, found.voters) == ("decided", None, "unusable", ("a", "c"))


def test_votes_are_off_and_settings_that_cannot_decide_are_refused() -> None:
    base = {"database_url": "postgres://x", "session_secret": "a secret of at least thirty-two bytes"}

    def rules(**votes: int) -> VoteRules:
        return LabelerSettings.model_validate(base | votes).vote_rules

    assert not rules().on
    assert rules(votes_needed=2) == TWO_OF_THREE
    assert rules(votes_needed=3, votes_at_most=5) == VoteRules(3, 5)
    with pytest.raises(InvalidSettings, match="VOTES_AT_MOST cannot be used: 3 equal votes of 2 people never come"):
        rules(votes_needed=3, votes_at_most=2)
