import torch

from ovdense.models.decode_heads import ThingStuffHead
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.structures import ClassEmbeddings, DenseFeatures, Vocabulary

EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def features() -> DenseFeatures:
    """Two cells that look east; the first lies in a region."""
    dense = torch.tensor([EAST, EAST]).T[None, :, None]
    return DenseFeatures(dense=dense, maps=(torch.tensor([1.0, 0.0]).view(1, 1, 1, 2),), stride=2)


def test_things_win_in_regions_and_stuff_outside():
    vocabulary = load_vocabulary("scenes-48")
    thing, stuff = vocabulary.group("thing")[0], vocabulary.group("stuff")[0]
    rows = torch.tensor([EAST, EAST])
    classes = ClassEmbeddings(rows, torch.tensor([thing, stuff]), vocabulary, "test")
    logits = ThingStuffHead(penalty=0.5)(features(), rows, classes)
    assert logits[0, :, 0].tolist() == [[1.0, 0.5], [0.5, 1.0]]


def test_a_vocabulary_without_kinds_is_free():
    rows = torch.tensor([EAST, NORTH])
    classes = ClassEmbeddings(rows, torch.tensor([0, 1]), Vocabulary.parse(["a", "b"]), "test")
    assert torch.equal(ThingStuffHead()(features(), rows, classes), ThingStuffHead()(features(), rows))
