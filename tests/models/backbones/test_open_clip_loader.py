"""Finding CLIP models and weights: names, files, state dicts, layouts; what does not fit says why."""

import json

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from ovdense.models.backbones import CLIPViT, open_clip_loader
from ovdense.models.backbones.open_clip_loader import embedded_models, image_statistics, load_clip
from ovdense.registry import MODELS

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
TINY = dict(
    embed_dim=32,
    vision_cfg=dict(layers=1, width=64, head_width=32, image_size=32, patch_size=16),
    text_cfg=dict(context_length=16, width=32, heads=2, layers=1, vocab_size=100),
)
IMAGE = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
TEXT = torch.arange(16)[None]


@pytest.fixture
def clip():
    torch.manual_seed(5)
    return open_clip.CLIP(**TINY).eval()


@pytest.fixture(autouse=True)
def no_checkpoints_kept():
    open_clip_loader._checkpoints.clear()
    yield
    open_clip_loader._checkpoints.clear()


@torch.no_grad()
def assert_same(loaded, clip):
    torch.testing.assert_close(loaded.visual(IMAGE), clip.encode_image(IMAGE))
    torch.testing.assert_close(loaded.text(TEXT), clip.encode_text(TEXT))


def test_openai_layout_from_safetensors_and_pt(clip, tmp_path):
    save_file(clip.state_dict(), tmp_path / "clip.safetensors")
    torch.save(clip.state_dict(), tmp_path / "clip.pt")
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in clip.state_dict().items()}, "epoch": 3}, tmp_path / "run.pt"
    )
    for name in ("clip.safetensors", "clip.pt", "run.pt"):
        loaded = load_clip(TINY, tmp_path / name)
        assert_same(loaded, clip)
        assert loaded.embed_dim == 32 and loaded.image_size == (32, 32)
        assert loaded.logit_scale == pytest.approx(1 / 0.07, rel=1e-5)


def test_nested_text_layout_and_state_dicts(clip):
    nested = open_clip.model.convert_to_custom_text_state_dict(clip.state_dict())
    assert any(name.startswith("text.") for name in nested)
    assert_same(load_clip(TINY, nested), clip)
    assert_same(load_clip(TINY, clip.state_dict()), clip)


def test_half_precision_weights_become_float32(clip):
    loaded = load_clip(TINY, {name: value.half() for name, value in clip.state_dict().items()})
    assert loaded.visual(IMAGE).dtype == torch.float32
    torch.testing.assert_close(loaded.visual(IMAGE), clip.encode_image(IMAGE), atol=0.02, rtol=0.02)


def test_one_half_is_enough_for_its_tower(clip):
    visual = {name: value for name, value in clip.state_dict().items() if name.startswith("visual.")}
    loaded = load_clip(TINY, visual)
    torch.testing.assert_close(loaded.visual(IMAGE), clip.encode_image(IMAGE))
    with pytest.raises(ValueError, match=r"has no text\.\* weights for custom-.*got \['visual'\]"):
        _ = loaded.text


def test_position_table_of_another_image_size_is_resized(clip, tmp_path):
    save_file(clip.state_dict(), tmp_path / "clip.safetensors")
    larger = dict(TINY, vision_cfg=dict(TINY["vision_cfg"], image_size=64))
    assert load_clip(larger, tmp_path / "clip.safetensors").visual.positional_embedding.shape == (17, 64)


def test_space_is_the_content_not_the_path(clip, tmp_path):
    save_file(clip.state_dict(), tmp_path / "one.safetensors")
    (tmp_path / "two.safetensors").write_bytes((tmp_path / "one.safetensors").read_bytes())
    changed = dict(clip.state_dict(), logit_scale=torch.tensor(1.0))
    save_file(changed, tmp_path / "three.safetensors")
    spaces = [load_clip(TINY, tmp_path / f"{name}.safetensors").space for name in ("one", "two", "three")]
    assert spaces[0] == spaces[1] != spaces[2]
    assert load_clip(TINY, clip.state_dict()).space != load_clip(TINY, changed).space
    assert CLIPViT(model=TINY, pretrained=tmp_path / "one.safetensors").space == spaces[0]


def test_random_weights_warn_and_have_no_digest():
    with pytest.warns(UserWarning, match="no pretrained weights for custom-.*random"):
        loaded = load_clip(TINY)
    assert loaded.digest is None and loaded.space.endswith("/random")


def test_towers_share_one_read_and_only_a_few_files_stay_mapped(clip, tmp_path, monkeypatch):
    reads = []
    read = open_clip_loader.read_state_dict
    monkeypatch.setattr(open_clip_loader, "read_state_dict", lambda *args: reads.append(args) or read(*args))
    for index in range(4):
        save_file(dict(clip.state_dict(), logit_scale=torch.tensor(float(index))), tmp_path / f"{index}.safetensors")
    _ = load_clip(TINY, tmp_path / "0.safetensors").visual
    _ = load_clip(TINY, tmp_path / "0.safetensors").text
    assert len(reads) == 1
    for index in range(4):
        load_clip(TINY, tmp_path / f"{index}.safetensors")
    assert len(open_clip_loader._checkpoints) == open_clip_loader.CACHED_CHECKPOINTS


def test_backbones_do_not_share_weights(clip, tmp_path):
    save_file(clip.state_dict(), tmp_path / "clip.safetensors")
    first, second = (CLIPViT(model=TINY, pretrained=tmp_path / "clip.safetensors") for _ in range(2))
    with torch.no_grad():
        first.visual.conv1.weight.zero_()
    assert second.visual.conv1.weight.abs().sum() > 0


def test_a_backbone_holds_no_text_tower(clip):
    backbone = CLIPViT(model=TINY, pretrained=clip.state_dict())
    own = sum(parameter.numel() for parameter in backbone.parameters())
    assert own == sum(parameter.numel() for parameter in clip.visual.parameters())


def test_checkpoint_that_does_not_fit(clip):
    deeper = dict(TINY, vision_cfg=dict(TINY["vision_cfg"], layers=2))
    with pytest.raises(ValueError, match=r"visual tower of custom-.*12 missing: transformer\.resblocks\.1\."):
        _ = load_clip(deeper, clip.state_dict()).visual
    wider = dict(TINY, embed_dim=48)
    with pytest.raises(ValueError, match=r"1 of another shape: proj \(64, 32\) instead of \(64, 48\)"):
        _ = load_clip(wider, clip.state_dict()).visual
    extra = dict(clip.state_dict(), **{"visual.adapter": torch.zeros(1)})
    with pytest.raises(ValueError, match="1 unexpected: adapter"):
        _ = load_clip(TINY, extra).visual
    with pytest.raises(ValueError, match=r"has no visual\.\* weights.*got \['backbone'\]"):
        _ = load_clip(TINY, {"backbone.weight": torch.zeros(1)}).visual


def test_files_that_cannot_be_mapped_are_not_held(clip, tmp_path):
    torch.save(clip.state_dict(), tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    assert_same(load_clip(TINY, tmp_path / "legacy.pt"), clip)
    assert not open_clip_loader._checkpoints


def test_loading_draws_no_random_numbers(clip):
    before = torch.get_rng_state()
    _ = load_clip(TINY, clip.state_dict()).visual
    assert torch.equal(torch.get_rng_state(), before)


def test_counters_of_batch_norms_may_be_missing():
    config = dict(embed_dim=32, vision_cfg=dict(image_size=64, layers=[1, 1, 1, 1], width=8))
    tower = load_clip(config).visual
    state = {f"visual.{k}": v for k, v in tower.state_dict().items() if not k.endswith("num_batches_tracked")}
    loaded = load_clip(config, state).visual
    assert loaded.bn1.num_batches_tracked == 0
    image = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(loaded(image), tower(image))


def test_embedded_models_bring_their_own_weights():
    with pytest.raises(ValueError, match=r"lite brings its own weights: use pretrained=None, got 'openai'"):
        MODELS.build(dict(type="CLIPBackbone", model="lite", pretrained="openai"))


def test_unknown_names():
    with pytest.raises(ValueError, match=r"embedded model \(.*scenes.*got 'ViT-B16'; did you mean ViT-B-16"):
        load_clip("ViT-B16")
    with pytest.raises(ValueError, match=r"tags of ViT-B-16 .*openai.*got 'opnai'"):
        load_clip("ViT-B-16", "opnai")
    with pytest.raises(FileNotFoundError, match=r"local file.*got '/nowhere/clip.pt'"):
        load_clip("ViT-B-16", "/nowhere/clip.pt")
    with pytest.raises(ValueError, match="needs embed_dim and vision_cfg, got"):
        load_clip(dict(width=3))


def test_local_dir(clip, tmp_path):
    config = dict(model_cfg=TINY, preprocess_cfg=dict(mean=[0.1, 0.2, 0.3], std=[1, 1, 1]))
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    save_file(clip.state_dict(), tmp_path / "open_clip_model.safetensors")
    loaded = load_clip(f"local-dir:{tmp_path}")
    assert_same(loaded, clip)
    assert loaded.image_mean == (0.1, 0.2, 0.3) and loaded.image_std == (1, 1, 1)
    with pytest.raises(FileNotFoundError, match=r"holds open_clip_config\.json"):
        load_clip(f"local-dir:{tmp_path / 'none'}")


def test_embedded_models():
    assert {"scenes"} <= set(embedded_models()) and "text_tower" not in embedded_models()
    loaded = load_clip("scenes")
    assert loaded.space.startswith("scenes/") and loaded.embed_dim == 384


def test_statistics_of_a_name_hold_for_local_files():
    assert image_statistics("ViT-B-16-SigLIP", {}) == ((0.5,) * 3, (0.5,) * 3)
    assert image_statistics("MobileCLIP-S2", {}) == ((0.0,) * 3, (1.0,) * 3)
    assert image_statistics("ViT-B-16", {}) == (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)


def test_tag_decides_the_activation(clip, tmp_path, monkeypatch):
    """OpenAI's weights want QuickGELU under the name ViT-B-16 too, where open_clip only warns."""
    save_file(clip.state_dict(), tmp_path / "clip.safetensors")
    monkeypatch.setattr(open_clip_loader, "fetch_tag", lambda name, tag, cfg: tmp_path / "clip.safetensors")
    assert load_clip("ViT-B-16", "openai").config["quick_gelu"] is True
    assert load_clip("ViT-B-16", "laion2b_s34b_b88k").config["quick_gelu"] is False
    assert load_clip("ViT-B-16", "openai").space == "ViT-B-16/openai"
    assert load_clip("ViT-B-16", str(tmp_path / "clip.safetensors")).config.get("quick_gelu", False) is False


def test_tokenizers():
    ids = load_clip(TINY).tokenizer(["a cat"])
    assert ids.shape == (1, 16)
    assert load_clip("ViT-B-32").tokenizer(["a cat"]).shape == (1, 77)
