"""Agreement of models, ceilings and dimensions of a record with rsatoolbox and scikit-dimension.

Needs the dependency group `peers`: rsatoolbox 0.3.2, scikit-dimension 0.5.0.
"""

import importlib
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.measure import Chance
from ontogeny.measure.categories.dimension import dimension
from ontogeny.measure.categories.likeness_models import model_comparison
from ontogeny.measure.runs import noise_ceiling
from records import make_record

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # the peers' own; ours fail in their own tests
]
FEW = Chance(n_shuffles=19, n_resamples=10)


def peer(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's own import
        return importlib.import_module(name)


def of_layer(record, layer, k=-1):
    return record["activation"].values[k][:, record["layer"].values == layer].astype(float)


def test_fits_of_models_agree_with_rsatoolbox():
    """rsatoolbox has no partial correlation; its "rho-a" is `model_rho_a`."""
    rsatoolbox = peer("rsatoolbox")
    record = make_record(strength=4.0)
    data = model_comparison(record, everything=True, chance=FEW).sel(layer="fc1").isel(step=-1)
    x = rsatoolbox.data.Dataset(of_layer(record, "fc1"))
    rdm = rsatoolbox.rdm.calc_rdm(x, method="euclidean")
    image = rsatoolbox.data.Dataset(record["image"].values.reshape(60, -1).astype(float))
    token = np.repeat(np.arange(3), 20)
    models = {
        "token": rsatoolbox.rdm.RDMs((token[:, None] != token).astype(float)[None]),
        "pixels": rsatoolbox.rdm.calc_rdm(image, method="euclidean"),
    }
    for name, model in models.items():
        for key, method in (("model_rsa", "spearman"), ("model_rho_a", "rho-a")):
            desired = rsatoolbox.rdm.compare(rdm, model, method=method)[0, 0]
            # pixel distances are those of principal component scores: ranks may swap by rounding
            assert_allclose(data[key].sel(model=name), desired, atol=1e-4)


def test_ceilings_of_runs_agree_with_rsatoolbox():
    """`boot_noise_ceiling` with runs in the place of subjects; `cv_noise_ceiling` leaves items out.

    The latter is another quantity: it also takes held-out exemplars for the pooled RDM.
    """
    rsatoolbox = peer("rsatoolbox")
    records = {f"seed {k}": make_record(seed=k, strength=4.0) for k in range(4)}
    found = noise_ceiling(records, chance=FEW).sel(layer="fc1")
    for k in (2, 9):
        data = [rsatoolbox.data.Dataset(of_layer(r, "fc1", k)) for r in records.values()]
        rdms = rsatoolbox.rdm.calc_rdm(data, method="euclidean")
        bounds = rsatoolbox.inference.noise_ceiling.boot_noise_ceiling(rdms, method="spearman")
        at = found.isel(step=k)
        # the peer averages ranks of RDMs without rounding: ties may part
        assert_allclose([at["ceiling_low"], at["ceiling_high"]], bounds, atol=1e-4)


def test_dimensions_of_tokens_agree_with_scikit_dimension():
    """Its `method="mle"` that discards nothing; by default it discards a tenth and fits a line."""
    skdim = peer("skdim")
    record = make_record(exemplars=60, rises={})
    found = dimension(record, chance=FEW)["token_two_nn"].sel(layer="fc1", token="bo")
    x = of_layer(record, "fc1", 0)[60:120]
    desired = skdim.id.TwoNN(method="mle", discard_fraction=0).fit(x).dimension_
    assert_allclose(found[0], desired, rtol=1e-4)  # recorded in single precision
