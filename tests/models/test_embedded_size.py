"""What the package carries of models stays small."""

from ovdense.models.backbones.open_clip_loader import ASSETS


def test_embedded_models_take_less_than_50_mb():
    sizes = {path.name: sum(file.stat().st_size for file in path.iterdir()) for path in ASSETS.iterdir()}
    assert {"lite", "scenes", "text_tower"} <= set(sizes)
    assert sum(sizes.values()) < 50e6
