import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from ontogeny.config import Config
from ontogeny.errors import InputError


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"steps": 0}, r"steps 0 \(a whole number >= 1\)"),
        ({"steps": 2.5}, r"steps 2.5 \(a whole number >= 1\)"),
        ({"batch": 0}, "batch 0"),
        ({"seed": -1}, "seed -1"),
        ({"seed": True}, "seed True"),
        ({"checkpoint_every": 0}, "checkpoint_every 0"),
        ({"rungs": -1}, "rungs -1"),
        ({"threads": 0}, "threads 0"),
        ({"optimiser": "adam"}, r"optimiser 'adam' \(adamw or sgd\)"),
        ({"learning_rate": 0.0}, r"learning_rate 0.0 \(> 0\)"),
        ({"learning_rate": math.nan}, "learning_rate nan"),
        ({"learning_rate": "high"}, r"learning_rate 'high' \(a number > 0\)"),
        ({"learning_rate_schedule": "step"}, "learning_rate_schedule 'step'"),
        ({"momentum": 1.0}, "momentum 1.0"),
        ({"weight_decay": -0.1}, "weight_decay -0.1"),
        ({"precision": "float16"}, r"precision 'float16' \(float32 or bfloat16\)"),
        ({"flips": "yes"}, r"flips 'yes' \(True or False\)"),
        ({"warmup_steps": 5, "steps": 5}, r"warmup_steps 5 \(fewer than the 5 steps\)"),
        ({"snapshots": "often"}, "snapshots 'often'"),
        ({"snapshots": [0, 5000]}, r"snapshots \[0, 5000\]"),
        ({"snapshots": 2.5}, "snapshots 2.5"),
    ],
)
def test_impossible_choices_are_refused(choice, words):
    with pytest.raises(InputError, match=words):
        Config(**choice)


def test_all_impossible_choices_are_named_at_once():
    with pytest.raises(InputError, match=r"steps 0 .*; batch -3 .*; momentum 2"):
        Config(steps=0, batch=-3, momentum=2)


def test_a_config_does_not_change_and_equals_one_of_numpy_numbers():
    config = Config(steps=np.int64(10), snapshots=np.array([2, 5]), learning_rate=np.float64(0.1))
    assert config == Config(steps=10, snapshots=(2, 5), learning_rate=0.1)
    assert hash(config) == hash(Config(steps=10, snapshots=(2, 5), learning_rate=0.1))
    with pytest.raises(FrozenInstanceError):
        config.steps = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_json_gives_the_same_config():
    config = Config(steps=10, snapshots=[0, 4], threads=2, flips=True)
    assert Config.from_json(config.to_json()) == config


def test_an_entry_of_a_newer_version_is_refused():
    with pytest.raises(InputError, match="got dropout: update ontogeny"):
        Config.from_json({**Config().to_json(), "dropout": 0.1})


def test_the_default_is_sixty_snapshots_and_step_zero():
    steps = Config().snapshot_steps
    assert len(steps) == 61
    assert (steps[0], steps[-1]) == (0, 1200)


def test_checkpoints_come_every_so_often_and_at_the_end():
    config = Config(steps=25, checkpoint_every=10)
    assert [s for s in range(1, 26) if config.is_checkpoint(s)] == [10, 20, 25]


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({}, {0, 300, 600, 900, 1200}),
        ({"rungs": 0}, {0}),
        ({"steps": 250, "rungs": 2}, {0, 200, 250}),
        ({"steps": 30, "checkpoint_every": 7}, {0, 14, 21, 28, 30}),
    ],
)
def test_rungs_are_checkpoints_evenly_spaced(choices, expected):
    config = Config(**choices)
    assert config.lasting_checkpoints == expected
    assert all(config.is_checkpoint(step) for step in expected - {0})


def test_learning_rate_rises_in_warm_up_and_falls_as_a_cosine():
    config = Config(steps=12, learning_rate=2.0, warmup_steps=4, learning_rate_schedule="cosine")
    rates = [config.learning_rate_at(step) for step in range(1, 13)]
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
    expected = [1 + math.cos(math.pi * k / 8) for k in range(8)]
    np.testing.assert_allclose(rates[4:], expected, rtol=1e-12)


def test_a_constant_learning_rate_is_constant():
    config = Config(learning_rate_schedule="constant", steps=5)
    assert {config.learning_rate_at(step) for step in range(1, 6)} == {1e-3}


def test_flips_are_the_tasks_unless_said_otherwise():
    assert Config().settled(mirrors=True, n_train=9).flips is True
    assert Config().settled(mirrors=False, n_train=9).flips is False
    assert Config(flips=False).settled(mirrors=True, n_train=9).flips is False


def test_a_batch_is_fifty_or_all_there_are_unless_said_otherwise():
    assert Config().settled(mirrors=True, n_train=2500).batch == 50
    assert Config().settled(mirrors=True, n_train=18).batch == 18
    assert Config(batch=30).settled(mirrors=True, n_train=18).batch == 30  # refused by `train`
