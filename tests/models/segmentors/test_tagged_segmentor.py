"""Learning from image tags: tags, descriptions, pseudo labels, and a short training through the runner."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from ovdense.datasets.transforms import ImageTags
from ovdense.models.segmentors.attribute_segmentor import read_descriptions
from ovdense.registry import MODELS

TINY = Path(__file__).resolve().parents[3] / "configs" / "tiny"


def build(name, **options):
    config = Config.fromfile(TINY / f"{name}.py").model
    config.update(options)
    with DefaultScope.overwrite_default_scope("ovdense"):
        return MODELS.build(config)


def test_tags_replace_the_mask(tmp_path):
    labels = torch.tensor([[0, 3], [255, 3]]).numpy()
    found = ImageTags()(dict(gt_seg_map=labels, seg_fields=["gt_seg_map"]))
    assert found["image_tags"] == [0, 3] and "gt_seg_map" not in found and found["seg_fields"] == []
    (tmp_path / "tags.json").write_text('{"cat": [4]}')
    from_file = ImageTags(tags_file=str(tmp_path / "tags.json"))
    assert from_file(dict(img_path="photos/cat.jpg"))["image_tags"] == [4]
    with pytest.raises(ValueError, match="says nothing of dog"):
        from_file(dict(img_path="dog.jpg"))
    with pytest.raises(ValueError, match="put LoadAnnotations before"):
        ImageTags()({})


def test_descriptions_draw_the_rows(tmp_path):
    words = {"grass": ["green blades", "a green lawn"], "water": ["blue waves"]}
    (tmp_path / "words.json").write_text(str(words).replace("'", '"'))
    model = build("excel-seeds_scenes_scenes-48-96", descriptions=str(tmp_path / "words.json"), attributes=2)
    plain = build("excel-seeds_scenes_scenes-48-96")
    rows, before = model.class_embeddings.rows, plain.class_embeddings.rows
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(rows)))
    assert (rows - before).abs().max() > 1e-3 and model.attribute_bank().shape == (2, 384)
    assert model.class_embeddings.rows is rows  # once
    with pytest.raises(ValueError, match=r"descriptions are \{name"):
        read_descriptions({"cat": "furry"})
    with pytest.raises(ValueError, match="no such file"):
        read_descriptions(tmp_path / "none.json")


def test_pseudo_labels_hold_tags_alone_and_each_picture_its_own():
    model = build("excel_scenes_1xb8-60_scenes-48-96").eval()
    images = torch.randn(2, 3, 48, 64, generator=torch.manual_seed(0))
    tags = [torch.tensor([1, 5]), torch.tensor([7])]
    features = model.extract_feat(images)
    labels = model.pseudo_labels(images, features, tags)
    assert labels.shape == (2, 48, 64) and set(labels[0].unique().tolist()) <= {1, 5} and (labels[1] == 7).all()
    fused = model.decode_head.fused(features)
    learnt = (fused.detach(), model.decode_head.affinity(fused).detach())
    both = model.pseudo_labels(images, features, tags, learnt)
    first = tuple(part[:1] for part in learnt)
    alone = model.pseudo_labels(images[:1], model.extract_feat(images[:1]), tags[:1], first)
    assert (both[0] == alone[0]).float().mean() > 0.99  # rounding may decide a pixel


def test_a_short_training_moves_the_decoder_alone(tmp_path):
    config = Config.fromfile(TINY / "excel_scenes_1xb8-60_scenes-48-96.py")
    config.work_dir = str(tmp_path)
    config.merge_from_dict(
        {
            "train_cfg.max_iters": 3,
            "train_cfg.val_interval": 3,
            "train_dataloader.batch_size": 2,
            "val_dataloader.dataset.num_scenes": 2,
            "model.calibrate_from": 1,
            "model.learn_from_self": 2,
            "param_scheduler": None,
        }
    )
    runner = Runner.from_cfg(config)
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    runner.train()
    changed = {key for key, value in runner.model.state_dict().items() if not torch.equal(value, before[key])}
    assert changed and all(key.startswith("decode_head.") or key == "step" for key in changed)
    assert runner.message_hub.get_scalar("train/decode.loss_affinity").current() > 0
