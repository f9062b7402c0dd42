import numpy as np
import pytest
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.report import runs as several
from ontogeny.report.runs import matching, report_runs
from ontogeny.statements import Statement, Where
from records import make_record, make_run


def said(kind, subject, effect):
    return Statement(
        kind, subject, f"{subject} is <said>.", effect, "1", effect, effect, "95 %", "null", 1.0,
        Where("timeline", 3),
    )  # fmt: skip


FOUND = {
    "one": [said("a", "x", 3.0), said("b", "y", 2.0)],
    "two": [said("a", "x", 5.0)],
}


@pytest.fixture
def pair(tmp_path, monkeypatch):
    monkeypatch.setattr(several, "harvest_run", lambda run, progress: FOUND[run.path.name])
    return [make_run(tmp_path / name, make_record(seed=seed)).path
            for seed, name in enumerate(FOUND)]  # fmt: skip


def test_page_says_what_holds_in_how_many_runs(pair, tmp_path):
    page = report_runs(pair, tmp_path / "runs.html").read_text()
    assert "1 of 2 statements hold in both runs" in page
    assert "<b>A</b> x: 2 of 2<small>x is &lt;said&gt;. Effect 3 to 5.</small>" in page
    assert "<b>B</b> y: 1 of 2 (one)<small>y is &lt;said&gt;. Effect 2.</small>" in page
    assert page.index("<b>A</b>") < page.index("<b>B</b>")
    assert 'id="runs"' in page and 'id="matching"' in page
    assert "default-src 'none'" in page and "<said>" not in page


def test_runs_of_other_tasks_are_listed_and_not_compared(pair, tmp_path):
    other = make_run(tmp_path / "other" / "two", make_record(exemplars=24))
    page = report_runs([pair[0], other], tmp_path / "runs.html").read_text()
    assert "Layers and units are not compared: expected runs observed on the same" in page
    assert "statements hold in both runs" in page and 'id="matching"' not in page


def test_one_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected at least 2 runs, got 1: name another run"):
        report_runs([tmp_path], tmp_path / "runs.html")


def test_units_of_the_same_network_match_and_others_do_not():
    record = make_record(layers={"conv1": 8, "fc1": 12}, exemplars=40)
    order = np.random.default_rng(0).permutation(8)
    shuffled = record.copy(deep=True)
    shuffled["activation"].values[:, :, :8] = record["activation"].values[:, :, order]
    stranger = make_record(layers={"conv1": 8, "fc1": 12}, exemplars=40, seed=9)
    found = matching({"a": record, "b": shuffled, "c": stranger})
    assert found["run_b"].values.tolist() == ["b", "c"]
    assert (found["matched"].isel(pair=0) == 1).all()
    assert found["correlation_within"].sel(layer="conv1")[0] == pytest.approx(1)
    assert (found["matched"].isel(pair=1) < 0.2).all()
    assert isinstance(found, xr.Dataset)


def test_runs_of_one_name_are_told_by_their_paths(tmp_path):
    paths = [make_run(tmp_path / k / "run", make_record()) for k in ("a", "b")]
    assert list(several._named(paths)) == [str(p.path) for p in paths]
