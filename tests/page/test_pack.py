"""Packing keeps values within the stated error and NaN apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ontogeny.errors import InputError
from ontogeny.page.pack import DTYPES, Blob, pack

NUMBERS = arrays(
    np.float64, st.integers(1, 40), elements=st.floats(-1e4, 1e4, allow_subnormal=False)
)


@given(NUMBERS, st.sampled_from(DTYPES))
def test_values_come_back_within_the_stated_error(values, dtype):
    packed = pack(values, dtype)
    assert np.abs(packed.values() - values).max() <= packed.error + 1e-12
    levels = 2**23 if dtype == "float32" else np.iinfo(dtype).max - 1
    assert packed.error <= max(np.ptp(values), np.abs(values).max()) / levels + 1e-6


@given(NUMBERS, st.sampled_from(DTYPES))
def test_what_is_unknown_stays_unknown_and_nothing_else_becomes_so(values, dtype):
    values = np.append(values, np.nan)
    np.testing.assert_array_equal(np.isnan(pack(values, dtype).values()), np.isnan(values))


@given(NUMBERS)
def test_zero_stays_zero_in_signed_types(values):
    assert pack(np.append(values, 0.0), "int8").values()[-1] == 0


def test_whole_numbers_that_fit_are_kept():
    packed = pack(np.array([-1.0, 0, 4, np.nan]), "int8")
    assert packed.raw.tolist() == [-1, 0, 4, -128]
    assert (packed.scale, packed.add, packed.missing, packed.error) == (1.0, 0.0, -128, 0.0)


def test_nothing_known_and_all_alike_are_packed():
    assert np.isnan(pack(np.full(3, np.nan), "uint8").values()).all()
    np.testing.assert_allclose(pack(np.full(3, 0.25), "uint8").values(), 0.25)


def test_infinity_needs_a_float():
    assert pack(np.array([np.inf, 1]), "float32").values()[0] == np.inf
    with pytest.raises(InputError, match="expected finite values or NaN to pack as int8"):
        pack(np.array([np.inf]), "int8")


def test_an_unknown_type_is_refused():
    with pytest.raises(InputError, match=r"expected one of float32, .*, got float64"):
        pack(np.zeros(1), "float64")


def test_arrays_are_aligned_and_little_endian():
    blob = Blob()
    assert blob.add(pack(np.arange(3.0), "uint8")) == 0
    assert blob.add(pack(np.array([1.5]), "float32")) == 4
    assert bytes(blob.data) == bytes([0, 1, 2, 0]) + np.array([1.5], "<f4").tobytes()
    assert blob.description()["bytes"] == 8
