"""Figures of a test with their origin, as a json file."""

import hashlib
import json

import numpy as np
from mmengine.config import Config

from ovdense.apis.score_report import score_report, write_score_report


class Evaluator:
    class_table = dict(bbox=[dict(name="cat", group="novel", AP50=np.float64(0.25), AP=float("nan"))])


def report(**options):
    given = dict(
        config=Config(dict(model=dict(backbone=dict(model="scenes")))),
        name="some-config",
        task="detection",
        protocol=dict(classes=65, pictures=np.int64(3), size=(4, 5)),
        line="65 names, 3 pictures",
    )
    return score_report({"mAP": np.float32(0.5), "mAP_novel": float("nan")}, **given | options)


def test_what_a_report_says(tmp_path):
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"weights")
    path = write_score_report(tmp_path / "out" / "r.json", report(evaluators=[Evaluator(), 3], checkpoint=str(weights)))
    content = json.loads(path.read_text())
    assert content["metrics"] == dict(mAP=0.5, mAP_novel=None)  # json knows no NaN
    assert content["classes"] == dict(bbox=[dict(name="cat", group="novel", AP50=0.25, AP=None)])
    assert content["protocol"] == dict(classes=65, pictures=3, size=[4, 5])
    assert content["protocol_line"] == "65 names, 3 pictures"
    assert content["checkpoint_sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert {"ovdense", "torch", "mmdet", "mmseg"} <= set(content["versions"])
    assert set(content["weights_sha256"]) == {"scenes", "text_tower"} and content["config"] == "some-config"


def test_the_digest_of_the_config_follows_its_settings():
    same = [report()["config_sha256"] for _ in range(2)]
    other = report(config=Config(dict(model=dict(backbone=dict(model="lite")))))["config_sha256"]
    assert same[0] == same[1] != other and len(other) == 64
    assert report()["checkpoint"] is None and report(checkpoint="http://a/b.pth")["checkpoint_sha256"] is None
