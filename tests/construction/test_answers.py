import json

import numpy as np
import pytest

pytest.importorskip("torch")

import ontogeny as ont
from ontogeny.construction.answers import STRONGEST, picture_answer
from ontogeny.pictures.asked import Asked

pytestmark = pytest.mark.torch


def test_an_answer_tells_the_strongest_units_for_and_against_by_layer(tmp_path):
    task = ont.load_task("faces", tokens=3, density=20, size=16)
    network = ont.vgg(task, widths=(6, 12), dense=16, depth=1)
    config = ont.Config(steps=6, snapshots=2)
    asked = Asked(ont.train(task, network, config=config, out=tmp_path))
    found = json.loads(json.dumps(picture_answer(asked, 5, 4)))
    graph = ont.picture_graph(asked, 4, step=5, keep=1)
    assert found["token"] == graph.attrs["token"]
    assert found["explained"] == graph.explained.item()
    biases = [name for name in graph.node.values if name.startswith("bias")]
    assert found["bias"] == pytest.approx(graph.attribution.sel(node=biases).sum().item())
    assert [row["layer"] for row in found["layers"]] == ["fc1", "conv2", "conv1"]
    for row in found["layers"]:
        units = [n for n in graph.node.values if n.startswith(f"{row['layer']}:")]
        attribution = np.sort(graph.attribution.sel(node=units).values)
        expected = [
            *attribution[attribution > 0][::-1][:STRONGEST],
            *attribution[attribution < 0][:STRONGEST],
        ]
        np.testing.assert_allclose(row["attribution"], expected)
        np.testing.assert_allclose(
            graph.attribution.sel(node=row["units"]).values, row["attribution"]
        )
