"""import_mask_models.py on what MAFT+ and Mask-Adapter add to FC-CLIP's layout, from file to file."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "conformance"))
from adapters.fcclip import FCCLIPAdapter  # noqa: E402
from official_cases import SHIPPED, Case  # noqa: E402

TEXT = {
    "token_embedding.weight": torch.ones(9, 4),
    "positional_embedding": torch.ones(7, 4),
    "text_projection": torch.ones(4, 20),
    "ln_final.weight": torch.ones(4),
}
ADAPTER = dict(type="MaskAdapterPooling", clip_dim=20, threshold=0.5, adapter=dict(width=8, num_maps=4, num_blocks=1))
# layout: the model's changes, and how names of ours begin or read on in the official checkpoint
LAYOUTS = {
    "maft-plus": (
        dict(type="MAFTPlus", ensemble=None, transfer=dict(mode="semantic", num_heads=2)),
        "transfer.",
        {"transfer.attention": "cdt.cross_atten.multihead_attn", "transfer.": "cdt.cross_atten.", "mlp": "MLP"},
    ),
    "mask-adapter": (
        dict(type="MaskTunedMaskFormer", region_classifier=ADAPTER),
        "region_classifier.adapter.",
        {
            "region_classifier.adapter.": "mask_adapter.",
            "mask_embed.": "mask_downscaling.",
            "blocks.0.": "cnext1.",
            "depthwise": "dwconv",
            "mlp.0": "pwconv1",
            "mlp.2": "pwconv2",
            "maps": "final",
        },
    ),
}


@pytest.mark.filterwarnings("ignore:no pretrained weights")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_tool_fills_the_text_tower_and_reports_every_key(layout, tmp_path):
    spec = importlib.util.spec_from_file_location("tool", ROOT / "tools/model_converters/import_mask_models.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    changes, own, words = LAYOUTS[layout]
    case = FCCLIPAdapter(Case(SHIPPED / "fcclip_full"))
    config = case.config() | changes
    config.pop("class_embeddings")
    config["backbone"]["pretrained"] = None
    Config(dict(model=config, default_scope="ovdense")).dump(tmp_path / "config.py")
    official = load_file(case.case.weights)
    for name, value in tool.build_model(str(tmp_path / "config.py")).state_dict().items():
        if name.startswith(own):
            for ours, theirs in words.items():
                name = name.replace(ours, theirs)
            official[name] = torch.randn(value.shape)
    if layout == "maft-plus":
        official["backbone_t.clip_model.logit_scale"] = torch.ones(())
    torch.save(dict(model=official), tmp_path / "official.pth")
    torch.save(TEXT, tmp_path / "clip.pt")
    files = [str(tmp_path / name) for name in ("official.pth", "ours.pth")]
    arguments = [layout, *files, "--config", str(tmp_path / "config.py")]
    with pytest.raises(SystemExit, match=r"error: .*4 missing of the text tower.*--clip"):
        tool.main(arguments)
    tool.main([*arguments, "--clip", str(tmp_path / "clip.pt")])
    lines = (tmp_path / "ours.report.txt").read_text().splitlines()
    assert {line.split(" -> ")[0] for line in lines} == {*official, "(not in the checkpoint)"}
    assert len(lines) == len(official) + len(TEXT)
