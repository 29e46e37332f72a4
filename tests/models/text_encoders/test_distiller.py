"""The text tower's training: losses by hand, batches by length, a run of tools/train.py, and the export."""

import gzip
import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from safetensors.torch import load_file, save_file

from ovdense.datasets.sentences import LengthBatchSampler, SentenceDataset, pad_sentences
from ovdense.models.text_encoders import SentenceTextTower, TextDistiller
from ovdense.models.text_encoders.bag_of_words import count_tokens, fit_tokens
from ovdense.models.text_encoders.distiller import relation_loss
from ovdense.models.text_encoders.text_tower import cut_tokenizer, encode_tokens, save_text_tower
from ovdense.structures import Vocabulary

ROOT = Path(__file__).resolve().parents[3]
CONFIG = next((ROOT / "configs" / "tiny").glob("text-tower_minilm_*_sentences.py"))
MERGES = gzip.compress(b"#version: 0.2\nc a\nca t</w>\nd o\ndo g</w>", mtime=0)
VOCAB = 512 + 4 + 2
TEXT_CFG = dict(context_length=8, vocab_size=VOCAB, width=32, heads=2, layers=1, mlp_ratio=2.0, proj_bias=True)
TEXTS = ["cat", "dog", "a cat", "a dog", "cat dog", "dog a a cat", "cat cat cat", "a a a dog"]


def load_tool(path):
    spec = importlib.util.spec_from_file_location("tool", ROOT / "tools" / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight sentences with random vectors."""
    root = tmp_path_factory.mktemp("sentences")
    (root / "merges.txt.gz").write_bytes(MERGES)
    tokens = cut_tokenizer(root / "merges.txt.gz", 8)(TEXTS)
    save_file({"tokens": tokens.short()}, root / "tokens.safetensors")
    generator = np.random.default_rng(0)
    np.save(root / "vectors.npy", generator.normal(size=(8, 384)).astype(np.float16) / 20)
    np.save(root / "mean.npy", generator.normal(size=384).astype(np.float32) / 20)
    torch.manual_seed(0)
    vectors, components = torch.randn(VOCAB, 384), torch.linalg.qr(torch.randn(384, 384)).Q
    bag = dict(vectors=vectors, components=components.contiguous(), norm=torch.tensor(0.9))
    save_file({**bag, "mean": torch.from_numpy(np.load(root / "mean.npy"))}, root / "bag_of_words.safetensors")
    return root


def distiller(**options):
    torch.manual_seed(0)
    return TextDistiller(text_cfg=TEXT_CFG, **options)


def test_relation_loss_by_hand():
    teacher = F.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), dim=1)
    student = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    # Temperature 1: of the two neighbours the teacher prefers one by e : 1 where cosines are 1 and 0.
    high, low = math.e / (1 + math.e), 1 / (1 + math.e)
    swapped = high * math.log(high / low) + low * math.log(low / high)
    flat_teacher = 0.5 * (math.log(0.5 / high) + math.log(0.5 / low))
    flat_student = high * math.log(high / 0.5) + low * math.log(low / 0.5)
    expected = (flat_student + swapped + flat_teacher) / 3
    assert relation_loss(student, teacher, 1.0).item() == pytest.approx(expected, abs=1e-6)
    assert relation_loss(teacher, teacher, 0.1).item() == pytest.approx(0, abs=1e-6)
    assert relation_loss(student[:1], teacher[:1], 1.0).item() == 0


def test_losses_of_right_and_of_doubled_vectors():
    targets = F.normalize(torch.randn(4, 384, generator=torch.Generator().manual_seed(0)), dim=1)
    right = distiller().loss(targets, targets)
    assert all(right[name].item() == pytest.approx(0, abs=1e-6) for name in right if name.startswith("loss"))
    doubled = distiller(length_weight=0.5).loss(2 * targets, targets)
    assert doubled["loss_length"].item() == pytest.approx(0.5) and doubled["cosine"].item() == pytest.approx(1)


def test_short_batches_equal_padded_ones():
    tower = distiller().tower.eval()
    tokens = torch.tensor([[516, 5, 7, 517], [516, 9, 517, 0]])
    with torch.no_grad():
        torch.testing.assert_close(encode_tokens(tower, tokens), tower(F.pad(tokens, (0, 4))), atol=1e-6, rtol=0)


def test_counts_by_hand():
    counts = count_tokens(torch.tensor([[3, 1, 1, 4], [3, 4, 0, 0]]), 5).to_dense()
    expected = [[0, 0.5, 0, 0.25, 1], [0, 0, 0, 0.5, 1]]
    torch.testing.assert_close(counts, torch.tensor(expected))


def test_fitted_tokens_are_the_ridge_solution():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, 9, (40, 6), generator=generator)
    tokens[:, 5] = 9
    counts = count_tokens(tokens, 10)
    targets, prior = torch.randn(40, 3, generator=generator), torch.randn(10, 3, generator=generator)
    fitted = fit_tokens(counts, targets, prior, ridge=0.3, steps=50)
    dense = counts.to_dense()
    start = prior * ((dense @ prior * targets).sum() / (dense @ prior).square().sum())
    normal = dense.T @ dense + 0.3 * torch.eye(10)
    expected = start + torch.linalg.solve(normal, dense.T @ (targets - dense @ start))
    torch.testing.assert_close(fitted, expected, atol=1e-4, rtol=0)


def test_the_tower_starts_as_the_bag_of_words(folder):
    bag = load_file(folder / "bag_of_words.safetensors")
    model = distiller(start=folder / "bag_of_words.safetensors").eval()
    assert torch.equal(model.mean, bag["mean"])
    tokens = SentenceDataset(data_root=folder).tokens.long()
    components = bag["components"][:, :30]
    with torch.no_grad():
        kept = count_tokens(tokens, VOCAB) @ bag["vectors"] @ components @ components.T
        # The two layer norms also take each vector's mean over the channels: of 32, a thirtieth of its energy each.
        assert F.cosine_similarity(model(tokens), kept).min() > 0.94


def test_sentences_and_their_centred_vectors(folder):
    dataset = SentenceDataset(data_root=folder)
    assert dataset.lengths == [3, 3, 4, 4, 4, 6, 5, 6]
    batch = pad_sentences([dataset[0], dataset[5]])
    assert batch["inputs"].shape == (2, 6) and batch["inputs"][0].tolist()[-4:] == [517, 0, 0, 0]
    expected = np.load(folder / "vectors.npy")[5].astype(np.float32) - np.load(folder / "mean.npy")
    torch.testing.assert_close(batch["targets"][1], torch.from_numpy(expected))
    with pytest.raises(FileNotFoundError, match=r"make_sentences\.py"):
        SentenceDataset(data_root=folder / "nowhere")


def test_batches_of_like_length(folder):
    dataset = SentenceDataset(data_root=folder)
    sampler = torch.utils.data.RandomSampler(dataset, generator=torch.Generator().manual_seed(0))
    sampler.dataset = dataset
    batches = list(LengthBatchSampler(sampler, batch_size=2, group=4))
    assert sorted(index for batch in batches for index in batch) == list(range(8)) and len(batches) == 4
    assert sorted(tuple(sorted(dataset.lengths[i] for i in batch)) for batch in batches) == [
        (3, 3),
        (4, 4),
        (4, 5),
        (6, 6),
    ]


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """(checkpoint, config) of 24 quick steps, stopped after twelve and resumed."""
    work = tmp_path_factory.mktemp("tower")
    config = Config.fromfile(CONFIG)
    config.model.update(text_cfg=TEXT_CFG, start=str(folder / "bag_of_words.safetensors"), precision="fp32")
    config.train_dataloader.dataset.data_root = str(folder)
    config.train_dataloader.batch_sampler.batch_size = 4
    config.default_hooks.checkpoint.interval = 12
    config.train_cfg.max_iters = 12
    config.param_scheduler, config.custom_hooks = [], []
    config.optim_wrapper.optimizer.lr = 1e-2
    path = work / "tiny.py"
    config.dump(path)
    train = load_tool("train.py")
    train.main([str(path), "--work-dir", str(work)])
    train.main([str(path), "--work-dir", str(work), "--resume", "--cfg-options", "train_cfg.max_iters=24"])
    return work / "iter_24.pth", path


def test_training_lowers_the_loss(trained, folder):
    start = distiller(start=folder / "bag_of_words.safetensors")
    end = distiller()
    end.load_state_dict(torch.load(trained[0], weights_only=False, map_location="cpu")["state_dict"])
    batch = pad_sentences(list(SentenceDataset(data_root=folder)))
    with torch.no_grad():
        before, after = (model(**batch, mode="loss")["loss_cosine"].item() for model in (start, end))
    assert after < before - 0.01


def test_export_gives_the_trained_vectors(trained, folder, tmp_path):
    checkpoint, config = trained
    export = load_tool("model_converters/export_text_tower.py")
    export.main([str(checkpoint), str(folder), str(tmp_path), "--config", str(config)])
    encoder = SentenceTextTower(tmp_path).eval()
    end = distiller()
    end.load_state_dict(torch.load(checkpoint, weights_only=False, map_location="cpu")["state_dict"])
    dataset = SentenceDataset(data_root=folder)
    with torch.no_grad():
        expected = F.normalize(end(pad_sentences(list(dataset))["inputs"]) + end.mean, dim=1)
    torch.testing.assert_close(encoder.encode(TEXTS), expected, atol=2e-3, rtol=0)
    torch.testing.assert_close(encoder.encode(TEXTS, batch_size=3), encoder.encode(TEXTS), atol=1e-6, rtol=0)
    assert encoder.encode([]).shape == (0, 384)
    truncated = []
    encoder.encode(["cat", "dog " * 20], truncated=truncated)
    assert truncated == ["dog " * 20]


def test_plain_open_clip_loads_the_model_with_its_centring(trained, folder, tmp_path):
    import open_clip

    from ovdense.models.backbones.open_clip_loader import load_clip

    checkpoint, config = trained
    export = load_tool("model_converters/export_text_tower.py")
    options = ["--config", str(config), "--with-image-tower", "scenes"]
    export.main([str(checkpoint), str(folder), str(tmp_path), *options])
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    tokenizer = open_clip.SimpleTokenizer(bpe_path=str(tmp_path / "merges.txt.gz"), context_length=8)
    end = distiller()
    end.load_state_dict(torch.load(checkpoint, weights_only=False, map_location="cpu")["state_dict"])
    scenes = load_clip("scenes")
    with torch.no_grad():
        have = model.eval().encode_text(tokenizer(TEXTS))
        want = end(tokenizer(TEXTS)) + end.mean - scenes.tensors["text_mean"].float()
        images = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(model.encode_image(images), scenes.visual(images), atol=2e-3, rtol=0)
    torch.testing.assert_close(have, want, atol=2e-3, rtol=0)
    assert json.loads((tmp_path / "open_clip_config.json").read_text())["model_cfg"]["text_cfg"]["proj_bias"] is True


@pytest.mark.parametrize("model", ["scenes", "lite"])
def test_embedded_models_read_through_another_tower(model, folder, tmp_path):
    from ovdense.models.text_encoders import CLIPTextEncoder

    save_text_tower(tmp_path, TEXT_CFG, distiller().tower, torch.full((384,), 0.05), MERGES)
    encoder = CLIPTextEncoder(model=model, sentence_encoder=str(tmp_path), cache_dir=False, device="cpu")
    rows = encoder.encode(Vocabulary.parse(["cat", "dog"])).rows
    usual = CLIPTextEncoder(model=model, cache_dir=False, device="cpu")
    assert encoder.tower.fingerprint != usual.tower.fingerprint and encoder.space == usual.space
    templates = encoder.tower.default_templates
    sentences = [template.replace("{}", name) for name in ("cat", "dog") for template in templates]
    mean = SentenceTextTower(tmp_path).eval().encode(sentences).unflatten(0, (2, -1)).mean(1)
    if model == "lite":
        text = encoder.tower.text
        expected = text.read_out(F.normalize(mean - text.mean, dim=1))
    else:
        expected = F.normalize(mean - encoder.tower.mean, dim=1)
    torch.testing.assert_close(rows, expected, atol=2e-6, rtol=0)


def test_shipped_names_come_several_times(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no shipped\.npy"):
        SentenceDataset(data_root=folder, shipped_repeat=2)
    for name in ("tokens.safetensors", "vectors.npy", "mean.npy"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    np.save(tmp_path / "shipped.npy", np.arange(8) == 5)
    dataset = SentenceDataset(data_root=tmp_path, shipped_repeat=3)
    assert len(dataset) == len(dataset.lengths) == 10
    for index in (8, 9):
        assert torch.equal(dataset[index]["inputs"], dataset[5]["inputs"])
        assert torch.equal(dataset[index]["targets"], dataset[5]["targets"])
    with pytest.raises(ValueError, match="at least 1, got 0"):
        SentenceDataset(data_root=tmp_path, shipped_repeat=0)


def test_unknown_sentence_encoders_are_named():
    from ovdense.models.text_encoders import CLIPTextEncoder

    with pytest.raises(ValueError, match=r"'text_tower', or the path of .* all-MiniLM-L6-v2 .*, got 'bert'"):
        CLIPTextEncoder(model="scenes", sentence_encoder="bert").encode(Vocabulary.parse(["cat"]))
    with pytest.raises(ValueError, match="choice of the embedded models, got model 'ViT-B-32'"):
        CLIPTextEncoder(model="ViT-B-32", pretrained={}, sentence_encoder="text_tower").encode(
            Vocabulary.parse(["cat"])
        )
