"""The feedback of ResCLIP through a small backbone: labels of the first pass, and the second pass that they steer."""

import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.attention_resclip import feedback_affinity
from ovdense.functional.pamr import pamr
from ovdense.functional.similarity import pixel_logits
from ovdense.models.backbones import CLIPViT
from ovdense.models.decode_heads import ResCLIPHead
from ovdense.registry import MODELS

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
TINY = dict(embed_dim=16, vision_cfg=dict(image_size=64, layers=4, width=32, head_width=16, patch_size=16))
CAPTURE = ("block_input", "recorded", "images")


def make_backbone(**options):
    options = dict(attention="resclip", attention_options=dict(blocks=(1, 2)), capture=CAPTURE) | options
    return CLIPViT(model=TINY, **options)


def make_head(backbone, **options):
    head = ResCLIPHead(num_iter=2, dilations=(1, 3), label_threshold=0.3, **options)
    head.bind_backbone(backbone)
    return head


def test_first_labels_are_those_of_refined_maps():
    torch.manual_seed(0)
    backbone, images, rows = make_backbone(), torch.randn(2, 3, 64, 96), torch.randn(40, 16)
    features = backbone(images)
    logits = pixel_logits(features.dense, rows)
    maps = F.interpolate(logits, size=(64, 96), mode="bilinear")
    probability, labels = (pamr(images, maps, 2, (1, 3)) * 40).softmax(1).max(1)
    labels[probability < 0.3] = 0
    expected = labels.unfold(1, 16, 16).unfold(2, 16, 16).flatten(3).mode(-1).values
    assert torch.equal(make_head(backbone).first_labels(logits, features), expected)


def test_the_second_pass_is_the_last_block_with_the_labels_affinity():
    torch.manual_seed(1)
    backbone, images, rows = make_backbone(), torch.randn(2, 3, 64, 96), torch.randn(5, 16)
    head, features = make_head(backbone), backbone(images)
    cells = head.first_labels(pixel_logits(features.dense, rows), features)
    again = backbone(images, sfr=feedback_affinity(cells))
    torch.testing.assert_close(head(features, rows), pixel_logits(again.dense, rows))
    assert not torch.allclose(again.dense, features.dense)


def test_the_recorded_attention_is_the_mean_of_ordinary_blocks():
    backbone, images = make_backbone(), torch.randn(1, 3, 64, 64)
    recorded = backbone(images).extras["recorded"]
    plain = CLIPViT(model=TINY, attention="vanilla", capture=("attention",))
    plain.load_state_dict(backbone.state_dict())
    maps = []
    for last in (1, 2):
        cut = CLIPViT(model=TINY, attention="vanilla", capture=("attention",))
        cut.visual.transformer.resblocks = plain.visual.transformer.resblocks[: last + 1]
        cut.visual.load_state_dict(
            {key: value for key, value in backbone.visual.state_dict().items() if key in cut.visual.state_dict()}
        )
        maps.append(cut(images).extras["attention"])
    torch.testing.assert_close(recorded, (maps[0] + maps[1]) / 2)
    assert recorded.shape == (1, 2, 17, 17)


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="attention='resclip', got CLIPViT"):
        make_head(CLIPViT(model=TINY, attention="kk"))
    with pytest.raises(ValueError, match=r"blocks \(2, 3\).*0 to 2 before its last"):
        make_backbone(attention_options=dict(blocks=(2, 3)))
    with pytest.raises(ValueError, match="records no attention"):
        make_backbone(attention="kk", attention_options={})
    with pytest.raises(ValueError, match="add 'images'"):
        backbone = make_backbone(capture=())
        make_head(backbone)(backbone(torch.randn(1, 3, 64, 64)), torch.randn(2, 16))
    with pytest.raises(ValueError, match=r"missing: .'block_input'"):
        backbone = make_backbone(capture=("images", "recorded"))
        make_head(backbone)(backbone(torch.randn(1, 3, 64, 64)), torch.randn(2, 16))
    with pytest.raises(ValueError, match="needs its backbone"):
        ResCLIPHead()(backbone(torch.randn(1, 3, 64, 64)), torch.randn(2, 16))
    with pytest.raises(ValueError, match="from 0 to 1, got 2"):
        ResCLIPHead(label_threshold=2)
    resnet = dict(embed_dim=8, vision_cfg=dict(image_size=64, layers=[1, 1, 1, 1], width=8, patch_size=None))
    with pytest.raises(ValueError, match="one attention layer"):
        MODELS.build(dict(type="CLIPBackbone", model=resnet, attention="resclip"))


def test_an_encoded_image_answers_to_other_names():
    model = MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=dict(
                type="CLIPBackbone",
                model=TINY,
                attention="resclip",
                attention_options=dict(blocks=(0,)),
                capture=CAPTURE,
            ),
            decode_head=dict(type="ResCLIPHead", num_iter=1),
            class_embeddings={name: torch.randn(16) for name in ("cat", "dog", "tree")},
            vocabulary=["cat", "dog", "tree"],
        )
    )
    assert not any(key.startswith("decode_head") for key in model.state_dict())
    encoded = model.encode(torch.randn(1, 3, 70, 90))
    assert model.decode(encoded)[0].pred_sem_seg.data.shape == (1, 70, 90)
    model.set_vocabulary(["dog", "cat"])
    assert int(model.decode(encoded)[0].pred_sem_seg.data.max()) <= 1
