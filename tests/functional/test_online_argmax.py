import pytest
import torch

from ovdense.functional.online_argmax import OnlineArgmax, class_chunks
from ovdense.functional.similarity import synonym_max


@pytest.mark.parametrize("size", [1, 3, 100])
def test_chunks_never_split_a_class(size):
    class_index = torch.tensor([4, 0, 0, 2, 2, 2, 1, 0])
    chunks = list(class_chunks(class_index, size))
    assert sorted(torch.cat(chunks).tolist()) == list(range(8))
    seen = [set(class_index[chunk].tolist()) for chunk in chunks]
    assert sum(map(len, seen)) == 4  # no class in two chunks
    assert (len(chunks) == 1) == (size == 100)


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_running_result_equals_the_whole_softmax(softmax, size):
    torch.manual_seed(0)
    class_index, logits = torch.tensor([3, 0, 0, 2, 2, 1, 0]), torch.randn(7, 5, 6)
    best = OnlineArgmax(scale=2.0, softmax=softmax)
    for chunk in class_chunks(class_index, size):
        best.update(logits[chunk], class_index[chunk])
    whole = synonym_max(((logits * 2).softmax(0) if softmax else logits)[None], class_index, 4)[0]
    assert torch.equal(best.labels, whole.argmax(0))
    torch.testing.assert_close(best.probability(), whole.amax(0))


def test_barred_classes_count_in_the_normaliser_only():
    logits = torch.tensor([3.0, 2.0, 1.0])[:, None, None]
    best = OnlineArgmax()
    allowed = torch.tensor([False, True, True])
    for index in range(3):
        best.update(logits[index : index + 1], torch.tensor([index]), allowed)
    assert best.labels.item() == 1
    torch.testing.assert_close(best.probability(), logits.softmax(0)[1])


def test_first_class_wins_ties():
    best = OnlineArgmax()
    for index in (2, 1):
        best.update(torch.ones(1, 1, 1), torch.tensor([index]))
    assert best.labels.item() == 1
    with pytest.raises(ValueError, match="no class was allowed"):
        OnlineArgmax().probability()
