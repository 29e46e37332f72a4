"""Write the fixed validation scenes that ovdense ships: ``ovdense/assets/scenes/val``.

    python tools/dataset_converters/make_fixed_scenes.py [--out FOLDER]

Scenes come from seeds and textures of their own. From a pool of scenes those are kept one by one that show the objects
and textures seen least so far, so that few pictures hold every class about equally often.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from ovdense.datasets.scenes.base import select_objects
from ovdense.datasets.scenes.fixed import FIXED, FIXED_VOCABULARIES, write_fixed_scenes
from ovdense.datasets.scenes.generator import Scene, SceneGenerator
from ovdense.datasets.scenes.sprites import HELD_OUT_STYLE, TRAIN_STYLES
from ovdense.models.vocabulary_files import load_vocabulary

POOL = 8  # candidates for every scene that is kept
# number of scenes, drawing styles
SUBSETS = {
    "base": (46, TRAIN_STYLES),
    "full": (56, TRAIN_STYLES),
    "synonyms": (36, TRAIN_STYLES),
    "style": (28, (HELD_OUT_STYLE,)),
    "unseen": (28, TRAIN_STYLES),
    "composition": (28, TRAIN_STYLES),
}


def keep_varied(scenes: list[Scene], count: int) -> list[Scene]:
    """``count`` of the scenes, each time the one whose names were seen least so far."""
    seen: Counter = Counter()
    kept = []
    for _ in range(count):
        gains = [sum(1 / (1 + seen[name]) ** 4 for name in scene.names) for scene in scenes]
        scene = scenes.pop(max(range(len(scenes)), key=gains.__getitem__))
        seen.update(scene.names)
        kept.append(scene)
    return kept


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FIXED, help="folder of the sheets")
    args = parser.parse_args(argv)
    for position, (name, (count, styles)) in enumerate(SUBSETS.items()):
        classes = select_objects(load_vocabulary(FIXED_VOCABULARIES[name]), None)
        options = dict(seed=77_000 + position, texture_seed=77, texture_variants=6, num_objects=(1, 4))
        generator = SceneGenerator(classes=classes, styles=styles, **options)
        scenes = keep_varied([generator[index] for index in range(POOL * count)], count)
        write_fixed_scenes(name, scenes, args.out)
        size = sum(path.stat().st_size for path in args.out.glob(f"{name}*"))
        names = Counter(item.name for scene in scenes for item in scene.objects if not item.ignored)
        print(f"{name}: {count} scenes, {len(names)} of {len(classes)} objects, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
