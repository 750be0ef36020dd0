"""The cards say what RAF-DB's documentation says."""

from __future__ import annotations

import dataclasses
from itertools import combinations

import pytest
from coabench_rafdb import coabench_register_datasets
from coabench_rafdb.dataset import RafDb
from support.rafdb_tree import BASIC, COMPOUND, REAL_COUNTS

from coabench.base import shipped
from coabench.dataset import Card
from coabench.errors import UserError


def read(subset: str) -> Card:
    return Card.read(shipped.path("datasets_registry", f"raf-db-{subset}.yaml"))


@pytest.mark.parametrize("subset", ["basic", "compound"])
def test_registration_names_the_card_and_the_loader_of_that_card(subset):
    registered = {}

    def register(name, target, **details):
        registered[name] = (target, details["card"])

    coabench_register_datasets(register=register)
    card = read(subset)
    assert registered[card.name] == ("coabench_rafdb.dataset:RafDb", card.path)
    assert card.loader == card.name
    assert card.splits[0] == "test"


def test_basic_options_have_the_fixed_order_and_official_codes():
    space = read("basic").space
    assert tuple(space.basic) == tuple(space.names) == BASIC
    assert tuple(space.from_code(code) for code in range(1, 8)) == BASIC
    assert not space.compound
    assert space.neutral == "Neutral"


def test_compound_pairs_have_official_names_and_codes():
    space = read("compound").space
    assert tuple(space.basic) == BASIC
    assert [(x.code, x.name, frozenset(x.pair)) for x in space.labels] == [
        (code, name, frozenset(pair)) for code, (name, *pair) in enumerate(COMPOUND, start=1)
    ]


def test_exactly_four_pairs_of_emotions_have_no_compound_class():
    space = read("compound").space
    emotions = space.basic - "Neutral"
    without = {frozenset(pair) for pair in combinations(emotions, 2) if space.name_of(*pair) is None}
    expected = [("Fear", "Disgust"), ("Happiness", "Sadness"), ("Happiness", "Fear"), ("Happiness", "Anger")]
    assert without == set(map(frozenset, expected))


@pytest.mark.parametrize("subset", ["basic", "compound"])
def test_counts_are_those_of_rafdb(subset):
    card = read(subset)
    for split, counts in REAL_COUNTS[subset].items():
        assert [card.counts[split][name] for name in card.space.names] == counts


def test_totals_and_majority_baselines_agree_with_the_literature():
    totals = {(s, split): sum(c) for s, splits in REAL_COUNTS.items() for split, c in splits.items()}
    assert totals == {
        ("basic", "train"): 12_271,
        ("basic", "test"): 3_068,
        ("compound", "train"): 3_162,
        ("compound", "test"): 792,
    }
    for subset in ("basic", "compound"):
        tests = REAL_COUNTS[subset]["test"]
        description = read(subset).description
        assert f"{max(tests) / sum(tests):.3%}"[:4] in description  # WAR of the majority class
        assert f"{1 / len(tests):.2%}"[:3] in description  # UAR of any constant answer


def test_only_derived_counts_are_not_verified():
    assert set(read("basic").counts_verified) == {"test", "train"}
    assert set(read("compound").counts_verified) == {"test"}


def test_a_card_without_subset_is_refused(tmp_path):
    card = dataclasses.replace(read("basic"), options={})
    with pytest.raises(UserError, match=r"the field 'subset' is missing(?s:.)*basic or compound"):
        RafDb(card, tmp_path, RafDb.Options())
