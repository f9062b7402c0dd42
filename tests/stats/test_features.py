"""Features: the twin's, in its order; names that part exemplars alike are one."""

import numpy as np

from ontogeny.stats.features import FEWEST, MOST, features
from oracles.gains import features_twin


def scene(seed, n=60):
    """Tokens and factors of all kinds: with the token, a measure, a constant."""
    rng = np.random.default_rng(seed)
    token = rng.integers(0, 4, n)
    return token, {
        "hair": (token > 1) * 1, "hat": rng.integers(0, 3, n), "word": rng.choice(list("xy"), n),
        "size": rng.random(n), "id": np.arange(n), "same": np.zeros(n, int),
        "on": rng.random(n) < 0.5, "rare": (np.arange(n) < FEWEST - 1) * 1,
    }  # fmt: skip


def assert_equal_to_twin(token, tokens, factors, words):
    found, also = features(token, tokens, factors, words)
    twin, twin_also = features_twin(token, tokens, factors, words)
    assert list(found) == [name for name, _ in twin]
    for name, member in twin:
        assert set(np.flatnonzero(found[name]).tolist()) == member
    assert {name: also[name] for name in found} == {name: twin_also[name] for name in found}
    return found, also


def test_equals_the_twin():
    for seed in range(6):
        token, factors = scene(seed)
        words = {"hair": ("red", "blond"), "hat": ("none",)}
        found, _ = assert_equal_to_twin(token, ["a", "b", "c", "d"], factors, words)
        assert len(found) > 20


def test_tokens_of_two_exemplars_are_no_features():
    token = np.repeat(np.arange(6), 2)
    found, _ = assert_equal_to_twin(token, list("abcdef"), {}, {})
    assert list(found)[:2] == ["a or b", "a or c"]
    assert len(found) == 15
    assert features(np.repeat([0, 1], 2), ["a", "b"], {})[0] == {}


def test_factors_that_do_not_vary_or_are_measures_give_none():
    token = np.repeat([0, 1], 10)
    factors = {"same": np.ones(20, int), "size": np.linspace(0, 1, 20), "id": np.arange(20)}
    assert list(features(token, ["a", "b"], factors)[0]) == ["a"]


def test_two_tokens_are_one_feature_with_two_names():
    found, also = features(np.repeat([0, 1], 5), ["a", "b"], {})
    assert list(found) == ["a"]
    assert also == {"a": ["b"]}


def test_no_more_than_so_many_the_first_ones():
    token = np.repeat(np.arange(20), 5)
    tokens = [f"t{k}" for k in range(20)]
    found, _ = assert_equal_to_twin(token, tokens, {}, {})
    assert len(found) == MOST
    assert list(found)[:20] == tokens
