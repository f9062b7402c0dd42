import threading

import pytest
import torch

from ontogeny.pictures.side import side_by_side

pytestmark = pytest.mark.torch


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order_and_each_piece_has_one_thread(two_threads):
    together = threading.Barrier(2, timeout=30)

    def work(k):
        if k < 2:
            together.wait()  # two pieces are under way at once, or this fails
        return k, torch.get_num_threads()

    assert list(side_by_side(work, range(5))) == [(k, 1) for k in range(5)]
    assert torch.get_num_threads() == 2


def test_a_failure_ends_the_others_and_leaves_threads_as_they_were(two_threads):
    done = []

    def work(k):
        if k == 0:
            raise ValueError
        done.append(k)

    with pytest.raises(ValueError):
        list(side_by_side(work, range(10_000)))
    assert len(done) < 10_000
    assert torch.get_num_threads() == 2
