import pytest
import torch
import torch.nn.functional as F

from ovdense.models.text_encoders import CLIPTextEncoder
from ovdense.models.text_encoders.towers import OpenCLIPTower, SentenceTower
from ovdense.models.vocabulary_files import load_templates
from ovdense.registry import MODELS
from ovdense.structures import Vocabulary

TINY = dict(
    embed_dim=32,
    vision_cfg=dict(layers=1, width=64, head_width=32, image_size=32, patch_size=16),
    text_cfg=dict(context_length=16, width=32, heads=2, layers=2, vocab_size=49408),
)


@pytest.fixture(scope="module")
def clip():
    import open_clip

    torch.manual_seed(0)
    return open_clip.CLIP(**TINY).eval()


@pytest.fixture
def encoder(clip, tmp_path):
    return CLIPTextEncoder(model=TINY, pretrained=clip.state_dict(), cache_dir=tmp_path, device="cpu")


@torch.no_grad()
def official(clip, sentences):
    import open_clip

    return clip.encode_text(open_clip.SimpleTokenizer(context_length=16)(sentences))


class CountingTower(OpenCLIPTower):
    """Notes the phrases that it is asked to encode."""

    def encode_phrases(self, phrases, templates, advance):
        self.asked = [*getattr(self, "asked", []), *phrases]
        return super().encode_phrases(phrases, templates, advance)


def test_rows_are_unit_means_of_unit_encodings(clip, encoder):
    vocabulary = Vocabulary.parse([["cat", "kitten"], "dog"], templates=["a {}.", "two {}s"])
    encoded = encoder.encode(vocabulary)
    for phrase, row in zip(("cat", "kitten", "dog"), encoded.rows):
        mean = F.normalize(official(clip, [f"a {phrase}.", f"two {phrase}s"]), dim=-1).mean(0)
        torch.testing.assert_close(row, F.normalize(mean, dim=0), atol=2e-6, rtol=0)
    assert encoded.class_index.tolist() == [0, 0, 1]
    assert encoded.vocabulary is vocabulary
    assert encoded.space == encoder.space and encoder.embed_dim == 32


def test_raw_mean_on_request(clip, tmp_path):
    encoder = CLIPTextEncoder(
        model=TINY, pretrained=clip.state_dict(), cache_dir=tmp_path, device="cpu", normalize_before_mean=False
    )
    rows = encoder.encode(Vocabulary.parse(["cat"], templates=["a {}.", "two {}s"])).rows
    expected = F.normalize(official(clip, ["a cat.", "two cats"]).mean(0), dim=0)
    torch.testing.assert_close(rows[0], expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("batch_size", [1, 3, 256])
def test_chunks_do_not_change_the_rows(clip, encoder, batch_size):
    vocabulary = Vocabulary.parse(["cat", "dog", "sky", "cup"], templates=load_templates("simple-7"))
    small = CLIPTextEncoder(
        model=TINY, pretrained=clip.state_dict(), cache_dir=False, device="cpu", batch_size=batch_size
    )
    torch.testing.assert_close(small.encode(vocabulary).rows, encoder.encode(vocabulary).rows, atol=2e-6, rtol=0)


def test_templates_of_the_vocabulary_win_over_the_encoders_own(clip):
    weights = clip.state_dict()
    encoder = CLIPTextEncoder(model=TINY, pretrained=weights, templates="plain", cache_dir=False, device="cpu")
    plain = F.normalize(official(clip, ["cat"]), dim=-1)
    torch.testing.assert_close(encoder.encode(Vocabulary.parse(["cat"])).rows, plain, atol=2e-6, rtol=0)
    single = F.normalize(official(clip, ["a photo of a cat."]), dim=-1)
    named = encoder.encode(Vocabulary.parse(["cat"], templates=load_templates("single"))).rows
    torch.testing.assert_close(named, single, atol=2e-6, rtol=0)
    default = CLIPTextEncoder(model=TINY, pretrained=weights, cache_dir=False, device="cpu")
    torch.testing.assert_close(default.encode(Vocabulary.parse(["cat"])).rows, single, atol=2e-6, rtol=0)


def test_only_new_phrases_are_encoded(clip, tmp_path):
    def encode(names, **options):
        encoder = CLIPTextEncoder(model=TINY, pretrained=clip.state_dict(), cache_dir=tmp_path, device="cpu", **options)
        encoder.tower = CountingTower(model=TINY, pretrained=clip.state_dict(), **encoder.tower_options)
        return encoder.encode(Vocabulary.parse(names, duplicates="keep")).rows, getattr(encoder.tower, "asked", [])

    first, asked = encode(["cat", "dog", "cat"])
    assert asked == ["cat", "dog"] and torch.equal(first[0], first[2])
    again, asked = encode(["dog", "sky"])
    assert asked == ["sky"] and torch.equal(again[0], first[1])
    assert encode(["cat", "sky"])[1] == []
    assert encode(["cat"], templates="plain")[1] == ["cat"]
    assert encode(["cat"], precision="bf16")[1] == ["cat"]


def test_other_weights_do_not_share_rows(clip, encoder, tmp_path):
    import open_clip

    torch.manual_seed(1)
    other = CLIPTextEncoder(
        model=TINY, pretrained=open_clip.CLIP(**TINY).state_dict(), cache_dir=tmp_path, device="cpu"
    )
    vocabulary = Vocabulary.parse(["cat"])
    assert other.space != encoder.space
    assert not torch.allclose(other.encode(vocabulary).rows, encoder.encode(vocabulary).rows, atol=1e-3)


@pytest.mark.filterwarnings("ignore:no pretrained weights")
def test_random_weights_are_not_kept(tmp_path):
    encoder = CLIPTextEncoder(model=TINY, cache_dir=tmp_path, device="cpu")
    assert encoder.encode(Vocabulary.parse(["cat"])).rows.shape == (1, 32)
    assert list(tmp_path.iterdir()) == []


def test_long_names_are_cut_with_one_warning(encoder, recwarn):
    # 16 tokens: start, 14 of the sentence "a photo of a ... .", end.
    encoder.encode(Vocabulary.parse(["cat " * 9, "sky"]))
    assert not [one for one in recwarn if "lost their end" in str(one.message)]
    with pytest.warns(UserWarning, match=r"2 sentence\(s\) .*got 'a photo of a cat") as caught:
        encoder.encode(Vocabulary.parse(["cat " * 10, "dog " * 500, "sky"]))
    assert len([one for one in caught if "lost their end" in str(one.message)]) == 1


@pytest.mark.parametrize("name", ["猫", "crème brûlée", "🦊", "{x}", "<|endoftext|>"])
def test_any_text_gives_a_finite_row(encoder, name):
    row = encoder.encode(Vocabulary.parse([name])).rows[0]
    torch.testing.assert_close(row.norm(), torch.tensor(1.0))


def test_bad_precision(clip):
    with pytest.raises(ValueError, match="fp32, fp16, bf16, got 'int8'"):
        CLIPTextEncoder(model=TINY, pretrained=clip.state_dict(), precision="int8").encode(Vocabulary.parse(["cat"]))


@pytest.mark.parametrize("length", [2, 17])
def test_bad_context_length(clip, length):
    encoder = CLIPTextEncoder(model=TINY, pretrained=clip.state_dict(), context_length=length, device="cpu")
    with pytest.raises(ValueError, match=f"reads 3 to 16 tokens, got {length}"):
        encoder.encode(Vocabulary.parse(["cat"]))


def test_a_shorter_context_reads_less(clip):
    import open_clip

    encoder = CLIPTextEncoder(
        model=TINY, pretrained=clip.state_dict(), context_length=8, cache_dir=False, device="cpu", templates="plain"
    )
    with torch.no_grad():
        tokens = open_clip.SimpleTokenizer(context_length=8)(["a cat"])
        expected = F.normalize(clip.encode_text(F.pad(tokens, (0, 8))), dim=-1)
    torch.testing.assert_close(encoder.encode(Vocabulary.parse(["a cat"])).rows, expected, atol=2e-6, rtol=0)


def test_embedded_models_refuse_options_that_they_lack():
    with pytest.raises(ValueError, match=r"'scenes' has no such options, got \{'precision': 'fp16'\}"):
        CLIPTextEncoder(model="scenes", precision="fp16").encode(Vocabulary.parse(["cat"]))


def test_lite_rows_are_those_of_its_text_side(tmp_path):
    from ovdense.models.text_encoders import load_text_tower
    from ovdense.models.text_encoders.lite_text import LiteText

    text = LiteText(sentence_encoder=load_text_tower().encode)
    encoder = MODELS.build(dict(type="CLIPTextEncoder", model="lite", cache_dir=tmp_path, device="cpu", batch_size=2))
    encoded = encoder.encode(Vocabulary.parse([["cat", "kitten"], "traffic light"]))
    expected = text.encode_phrases(["cat", "kitten", "traffic light"])
    torch.testing.assert_close(encoded.rows, expected, atol=2e-5, rtol=0)
    assert encoded.space == text.space and encoder.embed_dim == text.embed_dim
    assert torch.equal(encoder.encode(Vocabulary.parse("kitten")).rows[0], encoded.rows[1])


def test_scenes_rows_are_centred_sentences():
    from ovdense.models.text_encoders import load_text_tower

    encoder = MODELS.build(dict(type="CLIPTextEncoder", model="scenes", cache_dir=False, device="cpu"))
    rows = encoder.encode(Vocabulary.parse(["dog", "tree"])).rows
    tower = encoder.tower
    assert isinstance(tower, SentenceTower) and tower.default_templates == load_templates("scenes-5")
    for name, row in zip(("dog", "tree"), rows):
        sentences = [template.replace("{}", name) for template in load_templates("scenes-5")]
        expected = F.normalize(load_text_tower().encode(sentences).mean(0) - tower.mean, dim=0)
        torch.testing.assert_close(row, expected, atol=2e-6, rtol=0)
    assert encoder.space.startswith("scenes/")
