"""The faces task: the same exemplars at every density, factors and parts that tell the truth."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ontogeny.errors import InputError
from ontogeny.tasks.designs import CAST, CODES, CONTRASTS, PAIRS, conjunctive_table
from ontogeny.tasks.faces import faces
from ontogeny.tasks.portrait import FACE_UNIT, N_VALUES, NUISANCES, PARTS, draw
from ontogeny.tasks.task import SPLITS, Task


@pytest.fixture(scope="module")
def task() -> Task:
    return faces(density=40, held_out=20, probe=10)


@pytest.fixture(scope="module")
def conjunctive() -> Task:
    return faces(design="conjunctive", density=100, held_out=100, probe=40, size=16)


# --- what is made ---------------------------------------------------------------------------------


def test_task_is_laid_out_as_promised(task):
    assert task.images.shape == (300, 32, 32, 3)
    assert task.tokens == ("ada", "bo", "cleo", "dov", "eli")
    assert task.parts == tuple(PARTS)
    assert task.name == "faces"
    for name, n in zip(SPLITS, (200, 50, 50, 0), strict=True):
        assert (task.split == SPLITS.index(name)).sum() == n
    assert task.density == dict.fromkeys(task.tokens, 40)
    assert_array_equal(task.group, np.arange(300))
    assert task.images.std() > 30


@pytest.mark.parametrize("size", [16, 17, 64, 128])
def test_any_size(size):
    small = faces(tokens=2, density=2, held_out=2, probe=1, size=size)
    assert small.images.shape == (8, size, size, 3)
    assert small.part_map is not None
    assert set(np.unique(small.part_map)) > {0, 1, 2}


def test_sizes_show_the_same_faces():
    small, large = (faces(tokens=2, density=3, held_out=2, probe=1, size=s) for s in (32, 128))
    for name in small.factors:
        assert_array_equal(small.factors[name], large.factors[name])
    shrunk = large.images.reshape(10, 32, 4, 32, 4, 3).mean(axis=(2, 4))
    # noise (sd up to 18) and edges differ; faces, colours and places do not
    assert np.corrcoef(small.images.ravel(), shrunk.ravel())[0, 1] > 0.95


def test_same_seed_same_task_and_another_seed_another():
    one, two, other = (faces(density=5, held_out=4, probe=2, seed=s) for s in (3, 3, 4))
    assert one.hash == two.hash
    assert one.hash != other.hash
    assert not np.array_equal(one.factors["x"], other.factors["x"])


@pytest.mark.parametrize("design", ["additive", "conjunctive"])
def test_a_sparser_task_is_the_head_of_a_denser_one(design):
    kwargs = {"design": design, "held_out": 7, "probe": 3, "size": 17}
    sparse, dense = faces(density=8, **kwargs), faces(density=61, **kwargs)
    n = len(sparse.images)
    assert_array_equal(sparse.images, dense.images[:n])
    assert sparse.part_map is not None and dense.part_map is not None
    assert_array_equal(sparse.part_map, dense.part_map[:n])
    assert_array_equal(sparse.split, dense.split[:n])
    for name in sparse.factors:
        assert_array_equal(sparse.factors[name], dense.factors[name][:n])


def test_an_individual_looks_the_same_in_any_company():
    alone = faces(tokens=["eli", "bo"], density=3, held_out=2, probe=1)
    among = faces(tokens=5, density=3, held_out=2, probe=1)
    assert_array_equal(alone.images[alone.token == 0], among.images[among.token == 4])


def test_held_out_exemplars_are_not_trained_on(task):
    rows = {image.tobytes() for image in task.images}
    assert len(rows) == len(task.images)


# --- factors --------------------------------------------------------------------------------------


def test_factors_lie_in_their_ranges(task):
    for name, (low, high) in NUISANCES.items():
        values = task.factors[name]
        low = max(low, 0.0) if name == "occluder_size" else low
        assert low <= values.min() and values.max() <= high, name
        assert values.max() - values.min() > 0.8 * (high - low), name


def test_attributes_lie_about_their_value(task):
    for part, (values, attributes) in PARTS.items():
        assert len(values) == N_VALUES
        own = task.factors[f"part_{part}"]
        for name, (centres, jitter) in attributes.items():
            assert len(centres) == N_VALUES
            away = np.abs(task.factors[name] - np.array(centres)[own])
            assert away.max() <= jitter + 1e-12, name
            assert jitter == 0.0 or away.max() > 0.8 * jitter, name


def test_nuisances_say_nothing_about_the_token(task):
    for name in NUISANCES:
        values = task.factors[name]
        means = [values[task.token == k].mean() for k in range(task.n_tokens)]
        # 60 exemplars a token: a mean of uniform draws has a standard error of .037 of the range
        low, high = NUISANCES[name]
        assert np.ptp(means) < 0.25 * (high - low), name


def test_noise_has_the_standard_deviation_it_says():
    task = faces(tokens=2, density=20, held_out=2, probe=1, size=64)
    clean, _ = draw(task.factors, 64)
    image = task.images.transpose(3, 0, 1, 2) / 255.0
    middle = (clean > 0.25) & (clean < 0.75)  # not clipped
    for k in range(len(task.images)):
        error = (image - clean)[:, k][middle[:, k]]
        assert_allclose(error.std(), task.factors["noise"][k], rtol=0.1)
        assert abs(error.mean()) < 0.01


# --- designs --------------------------------------------------------------------------------------


def test_cast_are_different_individuals():
    rows = list(CAST.values())
    assert {len(row) for row in rows} == {len(PARTS)}
    assert (
        min(sum(a != b for a, b in zip(*p, strict=True)) for p in itertools.combinations(rows, 2))
        >= 4
    )


def test_additive_parts_alone_tell_something(task):
    for part in PARTS:
        seen = [set(task.factors[f"part_{part}"][task.token == k]) for k in range(5)]
        assert all(len(values) == 1 for values in seen), part
        assert len(set.union(*seen)) >= 2, part


def test_conjunctive_parts_alone_tell_nothing(conjunctive):
    for part, which in itertools.product(PARTS, (0, 1, 2)):
        values = conjunctive.factors[f"part_{part}"]
        for token in range(5):
            own = values[(conjunctive.token == token) & (conjunctive.split == which)]
            counts = np.bincount(own, minlength=N_VALUES)
            assert_array_equal(counts[list(CONTRASTS[part])], len(own) // 2, err_msg=part)


def test_conjunctive_pairs_tell_the_token_and_no_others_do():
    table = conjunctive_table()
    index = {part: k for k, part in enumerate(PARTS)}
    for one, other in itertools.combinations(PARTS, 2):
        joint = np.zeros((len(table), N_VALUES, N_VALUES), int)
        for token, rows in enumerate(table):
            np.add.at(joint[token], (rows[:, index[one]], rows[:, index[other]]), 1)
        carries = any({one, other} == set(pair) for pair in PAIRS)
        differ = (joint != joint[0]).any()
        assert differ == carries, (one, other)


# --- the part map ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [32, 128])
@pytest.mark.parametrize("part", PARTS)
def test_removing_a_part_changes_its_pixels_and_no_others(task, part, size):
    some = {name: values[:40] for name, values in task.factors.items()}
    image, part_map = draw(some, size)
    without, map_without = draw(some, size, without=frozenset({part}))
    number = task.parts.index(part) + 1
    changed = np.abs(image - without).max(axis=0) > 0.02
    own = part_map == number
    near = own.copy()
    for dy, dx in itertools.product((-1, 0, 1), repeat=2):
        near |= np.roll(own, (dy, dx), axis=(1, 2))
    assert own.any()
    assert not (map_without == number).any()
    # Own pixels keep their colour where what is behind has it by chance. Where a part is thinner
    # than a pixel it owns none, but still tints some: more of them at 32 pixels.
    assert changed[own].mean() > 0.9
    assert near[changed].mean() > (0.98 if size == 128 else 0.8)


def test_parts_cover_the_area_that_their_factors_say():
    size = 256
    task = faces(tokens=["ada", "dov"], density=30, held_out=1, probe=1, size=size)
    f = task.factors
    free = (f["occluder_size"] == 0) & (np.hypot(f["x"], f["y"]) < 0.08)
    scale = (FACE_UNIT * f["scale"] * size)[free]
    assert task.part_map is not None
    for part, n in (("iris", 2), ("mark", 1)):
        area = (task.part_map[free] == task.parts.index(part) + 1).sum(axis=(1, 2))
        expected = n * np.pi * (f[f"{part}_radius"][free] * scale) ** 2
        # counted in whole pixels, of which a circle of some 150 has that many at its rim
        assert_allclose(area, expected, rtol=0.04)


def test_every_part_is_seen_in_most_exemplars(task):
    assert task.part_map is not None
    for k, part in enumerate(task.parts, start=1):
        seen = (task.part_map == k).any(axis=(1, 2))
        assert seen.mean() > 0.7, part


def test_task_keeps_the_part_map_of_what_is_drawn(task):
    _, part_map = draw(task.factors, 32)
    assert_array_equal(task.part_map, part_map)


# --- tables of the user's -------------------------------------------------------------------------


def test_table_of_integers_and_of_dicts_are_the_same():
    rows = [{"hair": "curls", "mouth": 3}, {"mark": "chin"}]
    plain = np.zeros((2, 9), int)
    plain[0, 1], plain[0, 6], plain[1, 8] = 2, 3, 3
    few = {"design": "table", "density": 2, "held_out": 2, "probe": 1}
    assert faces(table=rows, **few).hash == faces(table=plain, **few).hash
    assert faces(table=rows, **few).tokens == ("face0", "face1")
    assert faces(table=plain, tokens=["ann", "ben"], **few).tokens == ("ann", "ben")


def test_alternatives_are_drawn_in_balanced_order():
    table = np.zeros((2, 3, 9), int)
    table[:, :, 1] = [0, 2, 4]
    task = faces(design="table", table=table, density=42, held_out=1, probe=1, size=16)
    for token in range(2):
        own = task.factors["part_hair"][(task.token == token) & (task.split == 0)]
        assert_array_equal(np.bincount(own), [14, 0, 14, 0, 14])
        assert not np.array_equal(own[:21], own[21:])  # each block in an order of its own


def test_a_table_can_lie_between_the_designs():
    rows, hair = conjunctive_table()[:5], list(PARTS).index("hair")
    leaning = [
        own[own[:, hair] == (4 if code[0] == "1" else 0)]
        for own, code in zip(rows, CODES, strict=False)
    ]
    table = np.concatenate([rows, leaning], axis=1)
    task = faces(design="table", table=table, density=30, held_out=30, probe=10, size=16)
    values = task.factors["part_hair"]
    for k in range(5):
        long = (values[(task.token == k) & (task.split == 0)] == 4).mean()
        assert_allclose(long, 2 / 3 if CODES[k][0] == "1" else 1 / 3, rtol=1e-12)


# --- bad input ------------------------------------------------------------------------------------

ZEROS = np.zeros((2, 9), int)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"size": 15}, "size: expected a whole number from 16 to 1024, got 15"),
        ({"size": 32.0}, "size: expected a whole number from 16 to 1024, got 32.0"),
        ({"density": 0}, "density: expected a whole number of at least 1, got 0"),
        ({"probe": 201}, "probe: expected a whole number from 1 to 200, got 201"),
        ({"seed": -1}, "seed: expected a whole number of at least 0, got -1"),
        ({"density": 0, "size": 4}, "density: .*; size: "),
        ({"design": "holistic"}, "design out of additive, conjunctive, table, got 'holistic'"),
        ({"tokens": 1}, "at least two tokens to classify, got 1"),
        ({"tokens": 11}, "tokens of 2 to 10, got 11"),
        ({"tokens": 9, "design": "conjunctive"}, "tokens of 2 to 8, got 9"),
        ({"tokens": ["ada", "zoe"]}, "no token called zoe"),
        ({"design": "table"}, "got no table: give both"),
        ({"table": ZEROS}, "got a table and design='additive'"),
        ({"design": "table", "table": ZEROS[:, :8]}, r"9 parts\].*got int64 \[2, 1, 8\]"),
        ({"design": "table", "table": [[1, 2], [3]]}, "got object"),
        ({"design": "table", "table": ZEROS + 0.5}, "table of integers"),
        ({"design": "table", "table": ZEROS[:1]}, "at least two tokens, got 1"),
        (
            {"design": "table", "table": ZEROS + 5},
            "values from 0 to 4 in the table, got 5 for head",
        ),
        (
            {"design": "table", "table": [{"tail": 1}, {}]},
            "parts out of head.*got tail in row 0",
        ),
        ({"design": "table", "table": [{"hair": "mohawk"}, {}]}, "hair out of crop.*got 'mohawk'"),
        ({"design": "table", "table": [{"hair": 7}, {}]}, "got 7 for hair of token 0"),
        ({"design": "table", "table": [{}, [0] * 9]}, "a dict for each token.*for token 1"),
        ({"design": "table", "table": ZEROS, "tokens": 3}, "each of the 2 rows.*got tokens=3"),
        ({"design": "table", "table": ZEROS, "tokens": ["a", "a"]}, "as many different names"),
    ],
)
def test_bad_input_ends_in_one_sentence(kwargs, message):
    with pytest.raises(InputError, match=message):
        faces(**kwargs)
