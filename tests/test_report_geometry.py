import matplotlib as mpl
import numpy as np
import pytest

from ontogeny.measure import Chance, dimension
from ontogeny.measure.categories.likeness_models import model_comparison
from ontogeny.measure.runs import noise_ceiling, run_similarity
from ontogeny.report import geometry as drawn
from ontogeny.report.figures import Material
from ontogeny.statements import Findings
from records import make_record

mpl.use("agg")
FEW = Chance(n_shuffles=39, n_resamples=20)


@pytest.fixture(scope="module")
def material():
    record = make_record(strength=6.0)
    rng = np.random.default_rng(0)
    record = record.assign_coords(
        factor_tilt=("exemplar", rng.normal(size=60)),
        factor_part_hat=("exemplar", np.repeat([0, 1, 1], 20)),
    )
    structure = model_comparison(record, chance=FEW).merge(dimension(record, chance=FEW))
    return Material(None, Findings(record, structure=structure))


@pytest.mark.parametrize("shown", drawn.FIGURES, ids=lambda shown: shown.key)
def test_every_section_draws_and_says_what_is_seen(material, shown):
    section = shown.draw(material)
    assert section.key == shown.key
    assert section.key.isidentifier()
    for words in (section.title, section.definition, section.null):
        assert len(words) > 20
    section.figure.canvas.draw()
    assert all(len(ax.lines) + len(ax.images) for ax in section.figure.axes)


def test_runs_are_told_with_their_likeness_and_ceiling():
    records = {f"seed {k}": make_record(seed=k, strength=6.0) for k in range(2)}
    section = drawn.runs(run_similarity(records, chance=FEW), noise_ceiling(records, chance=FEW))
    assert section.title.startswith("The runs are most alike in ")
    assert "are nearer (Procrustes) than the same responses" in section.seen
    section.figure.canvas.draw()
