"""Layouts of CLIP weights that open_clip does not read by itself."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ovdense.models.backbones import load_clip
from ovdense.models.backbones.clip_layouts import from_transformers_layout, image_tower_of, with_long_table
from ovdense.registry import MODELS

ROOT = Path(__file__).resolve().parents[3]
SPEC = importlib.util.spec_from_file_location("import_clip", ROOT / "tools" / "model_converters" / "import_clip.py")
importer = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(importer)
CONFIG = dict(
    embed_dim=24,
    quick_gelu=True,
    vision_cfg=dict(image_size=32, layers=2, width=32, head_width=16, patch_size=16),
    text_cfg=dict(context_length=77, vocab_size=49408, width=16, heads=2, layers=2),
)


@pytest.fixture
def openai_layout():
    """Random weights of CONFIG by OpenAI's names."""
    torch.manual_seed(0)
    with pytest.warns(UserWarning, match="random"):
        loaded = load_clip(CONFIG)
    visual = {f"visual.{name}": value for name, value in loaded.visual.state_dict().items()}
    text = {name: value for name, value in loaded.text.state_dict().items() if name != "attn_mask"}
    return {**visual, **text, "logit_scale": torch.tensor(4.0)}


def to_transformers(tensors):
    """What transformers' conversion script makes of OpenAI's weights, written from its names."""
    out = {"logit_scale": tensors["logit_scale"]}
    for ours, theirs in (("visual.", "vision_model."), ("", "text_model.")):
        width = len(tensors[f"{ours}transformer.resblocks.0.ln_1.weight"])
        for layer in range(2):
            block, target = f"{ours}transformer.resblocks.{layer}.", f"{theirs}encoder.layers.{layer}."
            for part, name in enumerate("qkv"):
                rows = slice(part * width, (part + 1) * width)
                out[f"{target}self_attn.{name}_proj.weight"] = tensors[f"{block}attn.in_proj_weight"][rows]
                out[f"{target}self_attn.{name}_proj.bias"] = tensors[f"{block}attn.in_proj_bias"][rows]
            for kind in ("weight", "bias"):
                out[f"{target}self_attn.out_proj.{kind}"] = tensors[f"{block}attn.out_proj.{kind}"]
                out[f"{target}layer_norm1.{kind}"] = tensors[f"{block}ln_1.{kind}"]
                out[f"{target}layer_norm2.{kind}"] = tensors[f"{block}ln_2.{kind}"]
                out[f"{target}mlp.fc1.{kind}"] = tensors[f"{block}mlp.c_fc.{kind}"]
                out[f"{target}mlp.fc2.{kind}"] = tensors[f"{block}mlp.c_proj.{kind}"]
    out["vision_model.embeddings.class_embedding"] = tensors["visual.class_embedding"]
    out["vision_model.embeddings.patch_embedding.weight"] = tensors["visual.conv1.weight"]
    out["vision_model.embeddings.position_embedding.weight"] = tensors["visual.positional_embedding"]
    out["vision_model.embeddings.position_ids"] = torch.arange(5)[None]
    for kind in ("weight", "bias"):
        out[f"vision_model.pre_layrnorm.{kind}"] = tensors[f"visual.ln_pre.{kind}"]
        out[f"vision_model.post_layernorm.{kind}"] = tensors[f"visual.ln_post.{kind}"]
        out[f"text_model.final_layer_norm.{kind}"] = tensors[f"ln_final.{kind}"]
    out["text_model.embeddings.token_embedding.weight"] = tensors["token_embedding.weight"]
    out["text_model.embeddings.position_embedding.weight"] = tensors["positional_embedding"]
    out["visual_projection.weight"] = tensors["visual.proj"].t().contiguous()
    out["text_projection.weight"] = tensors["text_projection"].t().contiguous()
    return out


def outputs(pretrained):
    """(image embedding, text embedding) of open_clip's towers."""
    loaded = load_clip(CONFIG, pretrained)
    torch.manual_seed(1)
    with torch.no_grad():
        return loaded.visual(torch.randn(2, 3, 32, 32)), loaded.text(loaded.tokenizer(["a cat", "two dogs"]))


def assert_same(actual, expected):
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=0, rtol=0)


def test_transformers_layout_gives_the_same_towers(openai_layout):
    assert_same(outputs(to_transformers(openai_layout)), outputs(openai_layout))


def test_the_towers_equal_those_of_transformers_itself():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    common = dict(num_hidden_layers=2, num_attention_heads=2, hidden_act="quick_gelu")
    config = transformers.CLIPConfig(
        text_config=dict(common, hidden_size=16, intermediate_size=64, projection_dim=24, eos_token_id=49407),
        vision_config=dict(common, hidden_size=32, intermediate_size=128, image_size=32, patch_size=16),
        projection_dim=24,
    )
    model = transformers.CLIPModel(config).eval()
    loaded = load_clip(CONFIG, model.state_dict())
    images, tokens = torch.randn(2, 3, 32, 32), loaded.tokenizer(["a cat", "two dogs"])
    with torch.no_grad():
        visual = model.visual_projection(model.vision_model(pixel_values=images).pooler_output)
        text = model.text_projection(model.text_model(input_ids=tokens).pooler_output)
        torch.testing.assert_close(loaded.visual(images), visual, atol=2e-5, rtol=2e-5)
        torch.testing.assert_close(loaded.text(tokens), text, atol=2e-5, rtol=2e-5)


def fg_clip(tensors):
    """FG-CLIP's additions to transformers' layout."""
    torch.manual_seed(2)
    out = to_transformers(tensors)
    width = out["text_model.embeddings.position_embedding.weight"].shape[1]
    for name in ("ori", "res"):
        out[f"text_model.embeddings.position_embedding_{name}.weight"] = torch.randn(248, width)
    out["text_filip_projection.weight"] = torch.randn(24, width)
    return {**out, "logit_scale_finegraind": torch.tensor(1.0), "logit_scale_hardneg": torch.tensor(1.0)}


def test_fg_clip_reads_names_as_clip_does_and_long_sentences_by_its_own_path(openai_layout):
    theirs = fg_clip(openai_layout)
    assert_same(outputs(theirs), outputs(openai_layout))
    long = from_transformers_layout(theirs, long_text=True)
    table = long["text.positional_embedding"]
    torch.testing.assert_close(table[19], theirs["text_model.embeddings.position_embedding_ori.weight"][19])
    torch.testing.assert_close(table[20], theirs["text_model.embeddings.position_embedding_res.weight"][20])
    torch.testing.assert_close(long["text.text_projection"], theirs["text_filip_projection.weight"].t())
    assert table.shape == (248, 16)
    with pytest.raises(ValueError, match="only FG-CLIP has a path for long sentences"):
        from_transformers_layout(to_transformers(openai_layout), long_text=True)


def test_fg_clip_s_dense_features_are_the_value_path_with_residual_and_mlp(openai_layout):
    """forward_without_attn of the official code: x + out(v(ln_1 x)), then + mlp(ln_2), ln_post, projection."""
    backbone = MODELS.build(
        dict(
            type="CLIPViT", model=CONFIG, pretrained=fg_clip(openai_layout), attention="value", residual=True, mlp=True
        )
    )
    images = torch.randn(2, 3, 32, 32)
    visual = load_clip(CONFIG, openai_layout).visual
    last = visual.transformer.resblocks[-1]
    with torch.no_grad():
        x = visual.conv1(images).flatten(2).transpose(1, 2)
        x = torch.cat([visual.class_embedding.expand(2, 1, -1), x], 1) + visual.positional_embedding
        x = visual.transformer.resblocks[0](visual.ln_pre(x))
        weight, bias = last.attn.in_proj_weight[64:], last.attn.in_proj_bias[64:]
        x = x + last.attn.out_proj(torch.nn.functional.linear(last.ln_1(x), weight, bias))
        x = visual.ln_post(x + last.mlp(last.ln_2(x)))[:, 1:] @ visual.proj
        dense = backbone(images).dense
    torch.testing.assert_close(dense, x.transpose(1, 2).unflatten(2, (2, 2)), atol=2e-5, rtol=2e-5)


def long_clip(tensors):
    torch.manual_seed(3)
    return {**tensors, "positional_embedding": torch.randn(248, 16), "positional_embedding_res": torch.randn(248, 16)}


def test_long_clip_s_two_tables_are_joined_and_248_tokens_read(openai_layout):
    theirs = long_clip(openai_layout)
    loaded = load_clip(CONFIG, theirs)
    mask = (torch.arange(248) < 20)[:, None]
    expected = torch.where(mask, theirs["positional_embedding"], theirs["positional_embedding_res"])
    torch.testing.assert_close(loaded.text.positional_embedding, expected)
    sentence = "word " * 200
    tokens = loaded.tokenizer([sentence])
    assert tokens.shape == (1, 248) and int((tokens != 0).sum()) == 202
    encoder = MODELS.build(dict(type="CLIPTextEncoder", model=CONFIG, pretrained=theirs, cache_dir=False))
    assert encoder.encode_captions([sentence]).shape == (1, 24)
    assert encoder.tower.tokenize([sentence]).shape == (1, 248) and encoder.tower.truncated == []


def test_tables_without_a_second_one_stay(openai_layout):
    assert with_long_table(openai_layout)["positional_embedding"] is openai_layout["positional_embedding"]


@pytest.mark.parametrize("prefix", ["", "visual.", "model.clip.visual."])
def test_an_image_tower_is_found_whatever_stands_before_its_names(openai_layout, prefix):
    tower = {name: value for name, value in openai_layout.items() if name.startswith("visual.")}
    theirs = {prefix + name.removeprefix("visual."): value for name, value in tower.items()}
    found = image_tower_of({**theirs, "other.weight": torch.zeros(1)} if prefix else theirs)
    assert set(found) == set(tower) and all(found[name] is tower[name] for name in tower)


def test_a_file_without_an_image_tower_is_refused():
    with pytest.raises(ValueError, match=r"one ViT of OpenAI's layout .* got 0"):
        image_tower_of({"weight": torch.zeros(1)})
    with pytest.raises(ValueError, match="no tensor of transformers' CLIPModel or of FG-CLIP is called 'odd'"):
        from_transformers_layout({"odd": torch.zeros(1)})


def test_the_importer_joins_an_image_tower_with_the_text_it_was_tuned_beside(openai_layout, tmp_path):
    config = tmp_path / "model"
    config.mkdir()
    (config / "open_clip_config.json").write_text(json.dumps(dict(model_cfg=CONFIG)))
    save_file({name: value.contiguous() for name, value in openai_layout.items()}, config / "weights.safetensors")
    tuned = {name: value + 1 for name, value in openai_layout.items() if name.startswith("visual.")}
    torch.save(dict(state_dict=tuned), tmp_path / "tuned.ckpt")
    out = tmp_path / "out" / "joined.safetensors"
    importer.main([str(tmp_path / "tuned.ckpt"), str(out), "--image-tower-for", f"local-dir:{config}"])
    joined, base = load_clip(CONFIG, out), load_clip(f"local-dir:{config}")
    torch.testing.assert_close(joined.visual.conv1.weight, tuned["visual.conv1.weight"])
    torch.testing.assert_close(joined.text.ln_final.weight, openai_layout["ln_final.weight"])
    assert joined.text_digest == base.digest
    del tuned["visual.proj"]
    torch.save(tuned, tmp_path / "less.ckpt")
    with pytest.raises(ValueError, match=r"missing \['visual.proj'\]"):
        importer.convert(tmp_path / "less.ckpt", base=f"local-dir:{config}")


def test_the_importer_writes_whole_models(openai_layout, tmp_path):
    save_file({name: value.clone() for name, value in fg_clip(openai_layout).items()}, tmp_path / "fg.safetensors")
    importer.main([str(tmp_path / "fg.safetensors"), str(tmp_path / "names.safetensors")])
    importer.main([str(tmp_path / "fg.safetensors"), str(tmp_path / "long.safetensors"), "--long-text"])
    assert_same(outputs(tmp_path / "names.safetensors"), outputs(openai_layout))
    assert load_clip(CONFIG, tmp_path / "long.safetensors").config["text_cfg"]["context_length"] == 248
    with pytest.raises(SystemExit):
        importer.main([str(tmp_path / "fg.safetensors"), str(tmp_path / "names.safetensors")])
    torch.save(openai_layout, tmp_path / "openai.pt")
    with pytest.raises(ValueError, match="--long-text is for FG-CLIP"):
        importer.convert(tmp_path / "openai.pt", long_text=True)
