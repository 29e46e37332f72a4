"""tools/analysis_tools/referring_accuracy.py on a miniature RefCOCO in the official layout."""

import importlib.util
import json
import pickle
from pathlib import Path

import pytest
from PIL import Image

from ovdense.datasets.scenes import SceneGenerator

TOOL = Path(__file__).resolve().parents[2] / "tools" / "analysis_tools" / "referring_accuracy.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("referring_accuracy", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def refcoco(tmp_path_factory):
    """refs(unc).p, instances.json and COCO's train2014: a reference for every object of three drawn scenes."""
    root = tmp_path_factory.mktemp("refcoco")
    (root / "train2014").mkdir()
    images, annotations, references = [], [], []
    for number, scene in ((n, SceneGenerator(size=(96, 96), num_objects=(2, 3), seed=5)[n]) for n in range(3)):
        name = f"COCO_train2014_{number:012d}.jpg"
        Image.fromarray(scene.image).save(root / "train2014" / name)
        images.append(dict(id=number, file_name=name, height=96, width=96))
        for one in scene.objects:
            x0, y0, x1, y1 = map(float, one.box)
            place = len(annotations) + 1
            annotations.append(dict(id=place, image_id=number, category_id=1, bbox=[x0, y0, x1 - x0, y1 - y0]))
            sentence = dict(sent=f"the {one.name}", raw=f"The {one.name}", tokens=["the", one.name], sent_id=place)
            references.append(
                dict(
                    ref_id=place,
                    ann_id=place,
                    image_id=number,
                    split="val" if number else "testA",
                    category_id=1,
                    file_name=f"{name[:-4]}_{place}.jpg",
                    sent_ids=[place],
                    sentences=[sentence],
                )
            )
    (root / "refs(unc).p").write_bytes(pickle.dumps(references, protocol=2))
    content = dict(images=images, annotations=annotations, categories=[dict(id=1, name="object")])
    (root / "instances.json").write_text(json.dumps(content))
    return root


def arguments(root, *more):
    files = [str(root / name) for name in ("refs(unc).p", "instances.json", "train2014")]
    return [*files, "--model", "scenes", *more]


def test_figures_and_protocol_of_a_split(tool, refcoco, capsys):
    result = tool.main(arguments(refcoco, "--split", "val", "--json", str(refcoco / "r.json")))
    assert 0 <= result["choice"] <= result["accuracy"] <= 1 and result["pictures"] == 2
    assert json.loads((refcoco / "r.json").read_text()) == result
    assert "scenes, prompt roi" in result["line"] and result["line"] in capsys.readouterr().out


def test_mistakes_are_one_line(tool, refcoco, tmp_path):
    with pytest.raises(SystemExit, match=r"no sentences of the split 'testC'.*\['testA', 'val'\]"):
        tool.main(arguments(refcoco, "--split", "testC"))
    (tmp_path / "refs(unc).p").write_bytes((refcoco / "refs(unc).p").read_bytes()[:-40])
    (tmp_path / "instances.json").write_bytes((refcoco / "instances.json").read_bytes())
    with pytest.raises(SystemExit, match="no whole pickle"):
        tool.main(arguments(tmp_path))
    (tmp_path / "refs(unc).p").write_bytes(pickle.dumps(dict(a=1)))
    with pytest.raises(SystemExit, match="list of references"):
        tool.main(arguments(tmp_path))
    (tmp_path / "refs(unc).p").write_bytes((refcoco / "refs(unc).p").read_bytes())
    with pytest.raises(SystemExit, match=r"no such file.*COCO_train2014"):
        tool.main(arguments(tmp_path))
