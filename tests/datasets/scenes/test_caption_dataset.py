"""Training scenes with the words that are true of them, and the training of a tower on them."""

import pickle

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from ovdense.datasets.scenes import SceneGenerator, ScenesCaptionDataset
from ovdense.datasets.scenes.captions import load_caption_facts
from ovdense.datasets.scenes.shapes import composition_names
from ovdense.datasets.scenes.textures import STUFF
from ovdense.models.vocabulary_files import load_vocabulary


def test_the_bank_holds_every_word_of_a_training_scene_and_none_of_the_benchmark_s_own():
    bank = set(load_vocabulary("scenes-captions-600").classes)
    names = [*load_vocabulary("scenes-127").classes, *STUFF, *composition_names("seen")]
    assert bank == set(load_caption_facts().words(names))
    unseen = set(load_vocabulary("scenes-unseen-40").classes) - set(STUFF)
    assert len(unseen) == 24 and not bank & unseen
    assert not bank & set(composition_names("held-out"))


def test_names_weigh_one_and_their_synonyms_and_kinds_less():
    dataset = ScenesCaptionDataset(num_scenes=50, other_weight=0.25, generator=dict(size=48, zoom=1))
    words = dataset.bank.classes
    item, scene = dataset[3], SceneGenerator(**dataset._options)[3]
    assert item["inputs"].shape == (3, 48, 48) and item["inputs"].dtype == torch.uint8
    assert (item["inputs"].permute(1, 2, 0).numpy() == scene.image).all()
    assert {words[i] for i in (item["words"] == 1).nonzero().flatten()} == set(scene.names)
    others = {words[i] for i in (item["words"] == 0.25).nonzero().flatten()}
    assert others == set(scene.words) - set(scene.names)


def test_workers_draw_the_same_scenes():
    dataset = ScenesCaptionDataset(num_scenes=5, generator=dict(size=48, zoom=1))
    first = dataset[2]
    again = pickle.loads(pickle.dumps(dataset))[2]
    assert (first["inputs"] == again["inputs"]).all() and (first["words"] == again["words"]).all()


def test_a_word_that_the_bank_lacks_is_named():
    dataset = ScenesCaptionDataset(bank=["dog"], num_scenes=5, generator=dict(size=48, zoom=1))
    with pytest.raises(ValueError, match="the bank of words has no"):
        dataset[0]


def test_training_runs_and_goes_on(tmp_path):
    """Six steps, then six more from the checkpoint: the loss falls and the state of both optimizers is there."""

    def runner(steps, resume):
        config = Config.fromfile("configs/tiny/clip-pretrain_scenes_1xb64-8k_scenes-143-48.py")
        config.merge_from_dict(
            {
                "work_dir": str(tmp_path),
                "resume": resume,
                "model.vision.width": 32,
                "model.vision.layers": 1,
                "model.vocabulary": "scenes-captions-600",
                "train_cfg.max_iters": steps,
                "train_dataloader.batch_size": 8,
                "default_hooks.logger.interval": 1,
                "default_hooks.checkpoint.interval": 6,
                "param_scheduler": None,
            }
        )
        return Runner.from_cfg(config)

    first = runner(6, False)
    first.train()
    start = first.message_hub.get_scalar("train/loss").data[0][0]
    second = runner(12, True)
    second.train()
    losses = second.message_hub.get_scalar("train/loss").data[0]
    assert second.iter == 12 and losses[-1] < start
    assert any("momentum" in state for state in second.optim_wrapper.optimizer.state.values())
