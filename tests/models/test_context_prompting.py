"""Names in the context of a picture: tokens, caching, both forms of prompting, and the pool of any backbone."""

import open_clip
import pytest
import torch

from ovdense.models.context_prompting import AttentionPool, ContextPrompts, tokenize_names

CLIP = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=64, layers=(1, 1, 1, 1), width=16, head_width=32),
    text_cfg=dict(context_length=16, vocab_size=49408, width=16, heads=2, layers=1),
)
pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")


def prompts(**options):
    torch.manual_seed(0)
    text = dict(model=CLIP, classes=["wall", "street lamp"], name_length=5, num_words=4)
    return ContextPrompts(text=text, decoder=dict(width=8, heads=2, layers=1), **options).eval()


def test_names_are_cut_to_what_they_need():
    tokenizer = open_clip.SimpleTokenizer()
    tokens = tokenize_names(tokenizer, ["wall", "building"], 5)
    assert tokens.shape == (2, 5)
    assert tokens[0].tolist() == [49406, 2569, 49407, 0, 0]
    with pytest.raises(ValueError, match="'a b c d' has 6 tokens with start and end: set name_length=6, got 5"):
        tokenize_names(tokenizer, ["wall", "a b c d"], 5)


@torch.no_grad()
@pytest.mark.parametrize("prompting", ["post", "pre"])
def test_pictures_of_a_batch_do_not_mix(prompting):
    model = prompts(prompting=prompting)
    model.gamma.fill_(1.0)
    embedding, dense = torch.randn(3, 24), torch.randn(3, 24, 2, 5)
    scores = model.score_map(embedding, dense)
    assert scores.shape == (3, 2, 2, 5) and scores.abs().max() <= 1 + 1e-6
    torch.testing.assert_close(model.score_map(embedding[1:2], dense[1:2]), scores[1:2], atol=1e-5, rtol=1e-4)
    assert (model(embedding, dense)[0] - model(embedding, dense)[1]).abs().max() > 1e-4


def test_names_are_encoded_once_in_evaluation_and_learn_in_training():
    model = prompts()
    with torch.no_grad():
        assert model.rows() is model.rows()
    model.train()
    model(torch.randn(1, 24), torch.randn(1, 24, 2, 2)).sum().backward()
    assert model.text.words.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.text.tower.parameters())  # frozen


def test_unknown_prompting_is_told():
    with pytest.raises(ValueError, match="'post' or 'pre', got 'both'"):
        prompts(prompting="both")


def test_a_pool_takes_any_grid():
    pool = AttentionPool(in_channels=32, embed_dim=24, heads=4, table=2)
    embedding, dense = pool(torch.randn(2, 32, 3, 5))
    assert embedding.shape == (2, 24) and dense.shape == (2, 24, 3, 5)
