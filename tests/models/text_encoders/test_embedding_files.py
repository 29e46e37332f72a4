from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ovdense.models.text_encoders import load_class_embeddings
from ovdense.models.text_encoders.embedding_checks import check_embeddings
from ovdense.models.text_encoders.embedding_files import (
    background_embedding,
    missing_classes,
    save_class_embeddings,
)
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.structures import ClassEmbeddings, Vocabulary

TABLE = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
UNIT = [[0.6, 0.8], [0.0, 1.0]]
NAMES = Vocabulary.parse(["cat", "dog"])


def write(path, content):
    if path.suffix == ".npy":
        np.save(path, content.numpy())
    elif path.suffix == ".pt":
        torch.save(content, path)
    else:
        save_file(content if isinstance(content, dict) else {"rows": content}, path)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".pt", ".safetensors"])
def test_tables(tmp_path, suffix):
    loaded = load_class_embeddings(write(tmp_path / f"table{suffix}", TABLE), NAMES, space="a")
    torch.testing.assert_close(loaded.rows, torch.tensor(UNIT))
    assert loaded.class_index.tolist() == [0, 1] and loaded.space == "a"


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_vectors_by_name(tmp_path, suffix):
    path = write(
        tmp_path / f"names{suffix}", {"dog": TABLE[1].clone(), "cat": TABLE[0].clone(), "cow": TABLE[0].clone()}
    )
    torch.testing.assert_close(load_class_embeddings(path, NAMES).rows, torch.tensor(UNIT))
    with pytest.raises(ValueError, match=r"no embedding for 1 of 2 classes.*got \['sky'\]"):
        load_class_embeddings(path, Vocabulary.parse(["cat", "sky"]))
    assert set(load_class_embeddings(path).vocabulary.classes) == {"cat", "cow", "dog"}


def test_a_table_may_hold_a_row_for_each_phrase():
    vocabulary = Vocabulary.parse([["cat", "kitten"], "dog"])
    assert load_class_embeddings(torch.eye(3), vocabulary).class_index.tolist() == [0, 0, 1]
    assert load_class_embeddings(torch.eye(2), vocabulary).class_index.tolist() == [0, 1]


def test_own_files_carry_names_and_space(tmp_path):
    vocabulary = Vocabulary.parse([["cat", "kitten"], "dog"], groups=dict(base=[0]))
    saved = ClassEmbeddings(torch.eye(3), torch.tensor([0, 0, 1]), vocabulary, "ViT-B-16/openai")
    save_class_embeddings(saved, tmp_path / "own.safetensors")
    loaded = load_class_embeddings(tmp_path / "own.safetensors")
    assert loaded.vocabulary == vocabulary and loaded.space == "ViT-B-16/openai"
    assert torch.equal(loaded.rows, saved.rows) and torch.equal(loaded.class_index, saved.class_index)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (torch.ones(4, 3), "2 classes and 2 phrases, got 4 rows"),
        (torch.ones(2), r"shape \(K, C\), or \(K, P, C\), got \(2,\)"),
        (torch.tensor([[1.0, 0.0], [0.0, 0.0]]), r"zero or non-finite rows at \[1\]"),
        (torch.tensor([[float("nan"), 0.0], [1.0, 0.0]]), r"zero or non-finite rows at \[0\]"),
    ],
)
def test_bad_tables(table, message):
    with pytest.raises(ValueError, match=message):
        load_class_embeddings(table, NAMES)


def test_a_table_needs_names():
    with pytest.raises(ValueError, match=r"needs a vocabulary.*got \(2, 2\)"):
        load_class_embeddings(TABLE)


def test_files_of_other_kinds(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npy"):
        load_class_embeddings(tmp_path / "none.npy", NAMES)
    (tmp_path / "table.csv").write_text("1,2")
    with pytest.raises(ValueError, match=r"\.safetensors, \.npy or \.pt, got .*table.csv"):
        load_class_embeddings(tmp_path / "table.csv", NAMES)


def test_a_row_too_many_is_the_background(tmp_path):
    table = torch.cat([TABLE, torch.tensor([[0.0, -3.0]])])
    assert torch.equal(load_class_embeddings(table, NAMES).rows, load_class_embeddings(TABLE, NAMES).rows)
    torch.testing.assert_close(background_embedding(table, 2), torch.tensor([0.0, -1.0]))
    named = dict(cat=TABLE[0], dog=TABLE[1], background=table[2])
    assert load_class_embeddings(named).vocabulary.classes == ("cat", "dog")
    torch.testing.assert_close(background_embedding(named), torch.tensor([0.0, -1.0]))
    with pytest.raises(ValueError, match=r"no embedding of the background.*table \(2, 2\)"):
        background_embedding(TABLE, 2)


def test_classes_are_taken_by_name_from_a_table_of_more(tmp_path):
    path = write(tmp_path / "coco.npy", torch.eye(80))
    chosen = load_class_embeddings(path, load_vocabulary("coco-65"), rows="coco-80")
    every = load_vocabulary("coco-80").classes
    assert [every[place] for place in chosen.rows.argmax(1).tolist()] == list(load_vocabulary("coco-65").classes)
    same = load_class_embeddings(dict(source=str(path), rows="coco-80"), load_vocabulary("coco-65"))
    assert torch.equal(same.rows, chosen.rows)
    with pytest.raises(ValueError, match=r"65 classes.*got 80 rows.*say rows='coco-80'"):
        load_class_embeddings(path, load_vocabulary("coco-65"))
    with pytest.raises(ValueError, match="looks transposed"):
        load_class_embeddings(torch.ones(5, 2), NAMES)


def test_several_prompts_a_class():
    table = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 4.0], [0.0, 1.0]]])
    loaded = load_class_embeddings(table, NAMES)
    assert loaded.class_index.tolist() == [0, 0, 1, 1]
    torch.testing.assert_close(loaded.rows[2], torch.tensor([0.6, 0.8]))


def test_names_are_found_however_files_write_them():
    vocabulary = load_vocabulary("lvis-1203")
    odd = {"bow_(weapon)": "Bow (weapon)", "speaker_(stereo_equipment)": "speaker_(stero_equipment)"}
    vectors = {odd.get(name, name): torch.ones(2) for name in vocabulary.classes if name != "zucchini"}
    assert missing_classes(vectors, vocabulary) == ["zucchini"]
    with pytest.raises(ValueError, match=r"no embedding for 1 of 1203 classes.*\['zucchini'\]"):
        load_class_embeddings(vectors, vocabulary)


def test_a_row_without_direction_is_named():
    with pytest.raises(ValueError, match=r"rows at \[1\], those of \['dog'\]"):
        load_class_embeddings(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), NAMES)


def test_the_report_names_gaps_copies_and_rows_out_of_order(tmp_path):
    eye = torch.eye(4)
    right = write(tmp_path / "right.npy", eye)
    vocabulary = ["cat", "dog", "cow", "bus"]
    swapped = write(tmp_path / "swapped.npy", 3 * eye[[1, 0, 2, 3]])
    report = check_embeddings(swapped, vocabulary, against=right)
    assert report.agreement == 0.5 and report.swapped == [("cat", "dog"), ("dog", "cat")]
    assert report.norms == (3.0, 3.0) and "lengths 3.00 to 3.00, made unit" in report.lines()
    gaps = write(tmp_path / "gaps.pt", dict(cat=eye[0].clone(), dog=eye[0].clone(), background=eye[1].clone()))
    report = check_embeddings(gaps, vocabulary)
    assert not report.usable and report.missing == ["cow", "bus"] and report.repeated == [("cat", "dog")]
    assert report.background == (0.0, "cat")


REAL = Path(__file__).resolve().parents[3].parent / "shared" / "real" / "text_embeddings"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")
@pytest.mark.parametrize(
    ("file", "vocabulary", "options"),
    [
        ("ovdet_coco_clip_hand_craft.npy", "coco-80", dict(against="detic_coco_clip_a+cname.npy")),
        ("ovdet_coco_clip_hand_craft.npy", "coco-65", dict(rows="coco-80")),
        ("ovdet_coco_clip_hand_craft_attn12.npy", "coco-80", {}),
        ("ovdet_lvis_clip_hand_craft.npy", "lvis-1203", dict(against="detic_lvis_v1_clip_a+cname.npy")),
        ("ovdet_lvis_v1_clip_detpro.npy", "lvis-1203", {}),
        ("clipself_coco_panoptic_clip_hand_craft_EVACLIP_ViTB16.npy", "coco-133", {}),
        ("clipself_coco_panoptic_clip_hand_craft_ViTL14x336.npy", "coco-133", {}),
        ("clim_coco_openai_vitb16_hand_craft_with_background.npy", "coco-80", {}),
        ("fvit_coco_with_background_evaclip_vitb_16.pt", "coco-80", {}),
        ("fvit_lvis_with_background_evaclip_vitb_16.pt", "lvis-1203", {}),
        ("otseg_coco_otseg.npy", "coco-stuff-171", {}),
    ],
)
def test_the_published_files_load_in_their_order(file, vocabulary, options):
    if "against" in options:
        options = dict(options, against=REAL / options["against"])
    report = check_embeddings(REAL / file, vocabulary, **options)
    assert report.usable and 0 < report.mean_cosine < 0.95
    assert report.agreement is None or report.agreement > 0.97


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")
def test_fvits_rows_are_the_first_80_of_clipselfs_panoptic_ones():
    ours = load_class_embeddings(REAL / "fvit_coco_with_background_evaclip_vitb_16.pt", load_vocabulary("coco-80"))
    other = load_class_embeddings(
        REAL / "clipself_coco_panoptic_clip_hand_craft_EVACLIP_ViTB16.npy", load_vocabulary("coco-80"), rows="coco-133"
    )
    torch.testing.assert_close(ours.rows, other.rows, atol=1e-6, rtol=0)
    cosine = ours.rows @ ours.rows.T - 2 * torch.eye(80)
    names = load_vocabulary("coco-80").classes
    nearest = {name: names[int(row.argmax())] for name, row in zip(names, cosine)}
    assert nearest["dog"] == "cat" and nearest["skateboard"] == "snowboard" and nearest["couch"] == "bed"
