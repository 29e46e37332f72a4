"""dino.txt: batches and non-square images, the text side, and weights in all their published forms."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from ovdense.models.backbones import DINOTxtBackbone
from ovdense.models.dinotxt_checkpoint import read_dinotxt
from ovdense.models.text_encoders.dinotxt_text import CausalTextTransformer, DINOTxtTextEncoder
from ovdense.registry import MODELS
from ovdense.structures import Vocabulary

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
TRUNKS = {
    "vit_small_patch14_reg4_dinov2": dict(depth=2, embed_dim=32, num_heads=2, img_size=56),
    "vit_small_patch16_dinov3": dict(depth=2, embed_dim=32, num_heads=2),
}
TEXT = dict(width=64, layers=2, heads=2, out_dim=64)


def backbone(name="vit_small_patch14_reg4_dinov2", **options):
    torch.manual_seed(0)
    options = dict(trunk_pretrained=False, model_options=TRUNKS[name]) | options
    made = DINOTxtBackbone(model=name, **options)
    for block in made.vision_head.blocks:  # at 1e-5 the blocks would say nothing
        block.ls1.gamma.fill_(0.5)
        block.ls2.gamma.fill_(0.5)
    return made


def official_names(made, text):
    """What the project holds, by the official names."""
    head = {}
    for key, value in made.vision_head.state_dict().items():
        for ours, theirs in (("blocks.", "block_list."), ("fc1_g", "w1"), ("fc1_x", "w2"), ("fc2", "w3")):
            key = key.replace(ours, theirs)
        head[key] = value.clone()
    sentences = {}
    for key, value in text.state_dict().items():
        for ours, theirs in (
            (".norm1.", ".attention_norm."),
            (".attn.", ".attention."),
            (".norm2.", ".ffn_norm."),
            (".mlp.", ".feed_forward."),
        ):
            key = key.replace(ours, theirs)
        key = key.replace("projection.", "head.linear_projection.") if "projection" in key else f"backbone.{key}"
        sentences[key] = value.clone()
    return head, sentences


@pytest.fixture
def weights():
    made = backbone()
    torch.manual_seed(1)
    return made, *official_names(made, CausalTextTransformer(**TEXT))


@pytest.mark.parametrize("name", TRUNKS)
def test_batches_of_non_square_images_and_whole_cells(name):
    made = backbone(name, with_global=True)
    images = torch.randn(3, 3, 50, 75)
    together = made(images)
    assert together.grid == (-(-50 // made.stride), -(-75 // made.stride))
    assert together.image_size == (50, 75) and together.padding == (0, 0, 0, 0)
    for image, part in zip(images, (together[index] for index in range(3))):
        alone = made(image[None])
        torch.testing.assert_close(alone.dense, part.dense, atol=2e-5, rtol=2e-5)
        torch.testing.assert_close(alone.global_embedding, part.global_embedding, atol=2e-5, rtol=2e-5)
    size = tuple(cells * made.stride for cells in together.grid)
    stretched = made(F.interpolate(images, size=size, mode="bicubic"))
    torch.testing.assert_close(stretched.dense, together.dense, atol=2e-5, rtol=2e-5)


def test_the_head_reads_all_normed_tokens():
    made = backbone(with_global=True)
    images = torch.randn(2, 3, 28, 42)
    with torch.no_grad():
        tokens = made.vision_head(made.trunk.norm(made.trunk.blocks(made.embed(images)[0])))
    features = made(images)
    torch.testing.assert_close(features.dense.flatten(2).mT, tokens[:, 5:], atol=2e-5, rtol=2e-5)
    whole = torch.cat([tokens[:, 0], tokens[:, 5:].mean(1)], dim=1)
    torch.testing.assert_close(features.global_embedding, whole, atol=2e-5, rtol=2e-5)
    assert features.dense.shape[1] == made.embed_dim == 32 and made.space == "dinotxt/random"


def test_text_looks_back_only_and_ends_at_the_highest_id():
    text = CausalTextTransformer(**TEXT, vocab_size=50, context_length=8).eval()
    sentence = torch.tensor([[40, 3, 5, 49, 0, 0, 0, 0]])
    longer = torch.tensor([[40, 3, 5, 49, 7, 8, 9, 1]])
    torch.testing.assert_close(text(sentence), text(longer))
    assert not torch.allclose(text(sentence), text(torch.tensor([[40, 4, 5, 49, 0, 0, 0, 0]])))


def test_halves_are_cut_before_they_are_normed(weights, tmp_path):
    _, _, text = weights
    save_file(text, tmp_path / "text_encoder.safetensors")
    options = dict(pretrained=tmp_path / "text_encoder.safetensors", text_options=dict(heads=2), cache_dir=tmp_path)
    vocabulary = Vocabulary.parse(["cat", "dog"], templates=["a {}.", "two {}s"])
    whole = DINOTxtTextEncoder(half="both", device="cpu", **options).tower.encode_sentences(["a cat.", "two cats"])
    for half, channels in (("patch", slice(32, 64)), ("class", slice(0, 32))):
        rows = DINOTxtTextEncoder(half=half, device="cpu", **options).encode(vocabulary).rows
        expected = F.normalize(F.normalize(whole[:, channels], dim=-1).mean(0), dim=0)
        torch.testing.assert_close(rows[0], expected, atol=2e-6, rtol=0)
    with pytest.raises(ValueError, match="half must be one of patch, class, both, got 'second'"):
        DINOTxtTextEncoder(half="second")
    with pytest.raises(ValueError, match=r"holds no head weights.*_vision_head.pth"):
        backbone(pretrained=tmp_path / "text_encoder.safetensors")


def test_every_published_form_gives_the_same_model(weights, tmp_path):
    made, head, text = weights
    save_file(head, tmp_path / "vision_head.safetensors")
    save_file(text, tmp_path / "text_encoder.safetensors")
    both = {f"visual_model.head.{key}": value for key, value in head.items()}
    both |= {f"text_model.{key}": value for key, value in text.items()} | dict(logit_scale=torch.tensor([3.0]))
    save_file(both, tmp_path / "both.safetensors")
    forms = [
        tmp_path / "both.safetensors",
        (tmp_path / "vision_head.safetensors", tmp_path / "text_encoder.safetensors"),
        both,
    ]
    images = torch.randn(1, 3, 28, 42)
    for form in forms:
        loaded = backbone(pretrained=form, trunk_pretrained=dict(made.trunk.state_dict()))
        torch.testing.assert_close(loaded(images).dense, made(images).dense, atol=2e-5, rtol=2e-5)
        encoder = DINOTxtTextEncoder(pretrained=form, text_options=dict(heads=2), cache_dir=tmp_path / "cache")
        assert encoder.space == loaded.space != "dinotxt/random" and encoder.embed_dim == 32
    assert loaded.logit_scale == pytest.approx(20.0855, rel=1e-5)


def test_files_that_do_not_fit_are_loud(weights, tmp_path):
    _, head, text = weights
    with pytest.raises(ValueError, match=r"1 keys belong neither to visual_model nor to text_model: stray\.weight"):
        read_dinotxt({**text, "stray.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"1 missing: blocks\.1\.norm2\.weight"):
        backbone(pretrained={key: value for key, value in head.items() if key != "block_list.1.norm2.weight"})
    with pytest.raises(ValueError, match=r"1 unexpected: blocks\.0\.attn\.qkv\.bias"):
        backbone(pretrained={**head, "block_list.0.attn.qkv.bias": torch.zeros(96)})
    save_file(head, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="twice: name each file once"):
        read_dinotxt([tmp_path / "a.safetensors", tmp_path / "a.safetensors"])
    with pytest.raises(ValueError, match=r"is no text encoder of dino\.txt, missing: positional_embedding"):
        CausalTextTransformer.from_official(
            {key: value for key, value in text.items() if "positional" not in key}, "this file"
        )
    with pytest.raises(ValueError, match="input_size must be 'cells', None or a multiple of the patch of 14"):
        backbone(input_size=50)


def test_a_projection_is_read_from_the_weights(weights):
    _, head, _ = weights
    wide = backbone(pretrained={**head, "linear_projection.weight": torch.randn(48, 32)})
    assert wide.embed_dim == 48 and wide(torch.randn(1, 3, 28, 28)).dense.shape == (1, 48, 2, 2)


def test_through_the_segmentor(weights, tmp_path):
    made, head, text = weights
    both = {f"visual_model.head.{key}": value for key, value in head.items()}
    both |= {f"text_model.{key}": value for key, value in text.items()}
    save_file(both, tmp_path / "both.safetensors")
    save_file(dict(made.trunk.state_dict()), tmp_path / "trunk.safetensors")
    assert load_file(tmp_path / "both.safetensors").keys() == both.keys()
    model = MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=dict(
                type="DINOTxtBackbone",
                model="vit_small_patch14_reg4_dinov2",
                pretrained=tmp_path / "both.safetensors",
                trunk_pretrained=tmp_path / "trunk.safetensors",
                model_options=TRUNKS["vit_small_patch14_reg4_dinov2"],
            ),
            text_encoder=dict(
                type="DINOTxtTextEncoder",
                pretrained=tmp_path / "both.safetensors",
                text_options=dict(heads=2),
                cache_dir=False,
            ),
            decode_head=dict(type="PixelTextHead"),
            vocabulary=["cat", "sky", "grass"],
            test_cfg=dict(mode="slide", crop_size=48, stride=24, logit_scale=1, window_softmax=True),
        )
    )
    labels = model.predict(torch.randn(2, 3, 60, 90))[1].pred_sem_seg.data
    assert labels.shape == (1, 60, 90) and int(labels.max()) < 3
    assert not any(key.startswith("backbone") for key in model.state_dict())
