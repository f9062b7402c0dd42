import pytest

from ontogeny.progress import Parts


def test_parts_add_up_to_the_whole_by_their_cost():
    said = []
    parts = Parts(lambda *state: said.append(state), {"short": 1, "long": 3})
    parts.of("short")("half of the short one", 5, 10)
    parts.of("short")("the short one", 10, 10)
    parts.of("long")("a third of the long one", 1, 3)
    parts.of("long")("the long one", 0, 0)
    assert said == [
        ("half of the short one", 0.5, 4),
        ("the short one", 1, 4),
        ("a third of the long one", 2, 4),
        ("the long one", 4, 4),
    ]


def test_parts_may_run_side_by_side_and_within_parts():
    said = []
    outer = Parts(lambda *state: said.append(state), {"a": 1, "b": 1})
    inner = Parts(outer.of("a"), {"x": 1, "y": 1})
    outer.of("b")("b", 1, 2)
    inner.of("x")("x", 1, 1)
    outer.of("b")("b", 2, 2)
    inner.of("y")("y", 1, 1)
    assert [done / total for _, done, total in said] == [0.25, 0.5, 0.75, 1]


def test_nobody_need_be_told():
    Parts(None, {"a": 1}).of("a")("a", 1, 1)


def test_an_unknown_part_is_a_fault():
    with pytest.raises(KeyError):
        Parts(None, {"a": 1}).of("b")("b", 1, 1)
