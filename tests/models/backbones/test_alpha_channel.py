"""Alpha-CLIP's channel: weights, defaults, what learns, and the way from an official file to named regions."""

import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ovdense.apis import Detector
from ovdense.apis.regions import RegionNamer
from ovdense.models.backbones import CLIPViT, load_clip
from ovdense.models.mask_heads.region_clip import RegionCLIPClassifier

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
ROOT = Path(__file__).resolve().parents[3]
MODEL = dict(embed_dim=16, vision_cfg=dict(image_size=32, patch_size=8, width=32, layers=2, head_width=8))


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / "model_converters" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """An Alpha-CLIP of the embedded model as the official code saves it, and the file that the importer makes of it."""
    folder = tmp_path_factory.mktemp("alpha")
    stock = load_clip("scenes").tensors
    bare = {name.removeprefix("visual."): value for name, value in stock.items() if name.startswith("visual.")}
    bare = {name.replace("attn.in_proj_", "attn.in_proj."): value.clone() for name, value in bare.items()}
    width, _, patch, _ = bare["conv1.weight"].shape
    bare["conv1_alpha.weight"] = 0.02 * torch.randn(width, 1, patch, patch, generator=torch.manual_seed(0))
    torch.save(bare, folder / "official.pth")
    report = tool("import_alpha_clip").convert(folder / "official.pth", folder / "alpha.safetensors", "scenes")
    assert len(report) == len(bare)
    return folder


def test_a_new_channel_changes_nothing_until_it_learns():
    torch.manual_seed(0)
    plain = CLIPViT(model=MODEL, with_global=True)
    state = {f"visual.{name}": value for name, value in plain.visual.state_dict().items()}
    vit = CLIPViT(model=MODEL, pretrained=state, alpha=True, with_global=True, frozen=False)
    images, masks = torch.randn(2, 3, 24, 40), torch.ones(2, 1, 24, 40)
    torch.testing.assert_close(vit(images, masks=masks).global_embedding, plain(images).global_embedding)
    vit(images, masks=masks).global_embedding.sum().backward()
    assert vit.alpha_conv.weight.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="no alpha channel"):
        plain(images, masks=masks)


def test_no_mask_means_the_whole_picture_and_each_mask_its_own(official):
    vit = CLIPViT(model="scenes", pretrained=official / "alpha.safetensors", with_global=True)
    images = torch.randn(1, 3, 48, 64, generator=torch.manual_seed(1)).expand(2, -1, -1, -1)
    masks = torch.ones(2, 1, 48, 64)
    masks[1, :, :, 32:] = 0
    whole, both = vit(images).global_embedding, vit(images, masks=masks).global_embedding
    torch.testing.assert_close(both[0], whole[0])
    assert (both[1] - whole[1]).abs().max() > 1e-3
    torch.testing.assert_close(vit(images[1:], masks=masks[1:]).global_embedding[0], both[1], atol=1e-5, rtol=1e-5)
    off = CLIPViT(model="scenes", pretrained=official / "alpha.safetensors", alpha=False)
    assert off.alpha_conv is None and not off.takes_masks


def test_regions_are_named_by_prompt_and_as_masks(official):
    detector = Detector.from_pretrained("scenes", str(official / "alpha.safetensors"))
    namer = RegionNamer(detector, prompt="alpha", batch=1)
    picture = torch.randint(0, 255, (96, 144, 3), generator=torch.manual_seed(2)).byte().numpy()
    boxes = [[0, 0, 60, 60], [70, 20, 140, 90]]
    found = namer.extract_region_features(picture, boxes=boxes)
    assert found.shape[0] == 2 and (found[0] - found[1]).abs().max() > 1e-3
    with pytest.raises(ValueError, match="needs the weights of an Alpha-CLIP"):
        RegionNamer(Detector.from_pretrained("scenes"), prompt="alpha")
    classifier = RegionCLIPClassifier(
        backbone=dict(type="CLIPViT", model="scenes", pretrained=official / "alpha.safetensors"),
        fill="keep",
        expand=float("inf"),
    )
    image, masks = torch.rand(3, 40, 60) * 255, torch.zeros(3, 40, 60, dtype=torch.bool)
    masks[0, :20], masks[2, :, 30:] = True, True
    (crops, shown), *_ = classifier.crops(image, masks[[0, 2]])
    torch.testing.assert_close(crops[0], crops[1])  # the whole picture both times
    assert not torch.equal(shown[0], shown[1])
    embedded, valid = classifier(image, masks)
    assert valid.tolist() == [True, False, True] and (embedded[0] - embedded[1]).abs().max() > 1e-3


def test_files_that_do_not_fit_end_the_conversion(official, tmp_path):
    convert = tool("import_alpha_clip").convert
    bare = torch.load(official / "official.pth", weights_only=True)
    torch.save({name: value for name, value in bare.items() if name != "ln_post.bias"}, tmp_path / "less.pth")
    with pytest.raises(ValueError, match=r"1 missing, such as .*ln_post\.bias"):
        convert(tmp_path / "less.pth", tmp_path / "out.safetensors", "scenes")
    torch.save({"conv1.weight": bare["conv1.weight"]}, tmp_path / "clip.pth")
    with pytest.raises(ValueError, match=r"conv1_alpha\.weight is missing"):
        convert(tmp_path / "clip.pth", tmp_path / "out.safetensors", "scenes")
    assert "logit_scale" in load_file(official / "alpha.safetensors")  # what is not the image tower comes along
