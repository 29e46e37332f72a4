"""Drawn scenes with exact labels: sprites pasted over procedural textures.

Shapes: H x W pixels; images are RGB uint8. Scene ``index`` of a generator depends on (seed, index) and the options
only, whichever process draws it and in whatever order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.random import Generator

from ovdense.datasets.scenes.shapes import SHAPE_STYLE, composition_names, composition_sprite, is_composition
from ovdense.datasets.scenes.sprites import load_atlas
from ovdense.datasets.scenes.textures import NOMINAL_SIZE, SKY_LIKE, STUFF, TextureBank

NOMINAL_SCENE = 96
IGNORE_LABEL = 255
CAPTIONS = ("{things} on {stuff}", "a picture of {things} with {stuff}", "{things}, {stuff}", "{stuff} with {things}")


@dataclass(frozen=True)
class SceneObject:
    """One pasted sprite.

    ``box`` is (x0, y0, x1, y1) of the visible pixels, in pixels with exclusive ends; ``visible`` is the share of the
    sprite's pixels that no later sprite covers; an ``ignored`` object is too hidden or too small to be asked for.
    """

    name: str
    style: str
    instance_id: int
    box: tuple[int, int, int, int]
    visible: float
    ignored: bool


@dataclass(frozen=True)
class Scene:
    """A drawn image and everything that is known about it.

    Args:
        image: (H, W, 3) RGB uint8.
        semantic: (H, W) uint8 index into ``labels``; 255 on ignored objects.
        instances: (H, W) uint8, ``instance_id`` of the objects (ignored ones included), 0 elsewhere.
        objects: the objects with visible pixels, in drawing order.
        stuff: names of the textures that cover at least 8 % of the picture.
        caption: a sentence that names the objects and textures.
        labels: names of the semantic labels: classes of the atlas, textures, and the scene's own compositions.
    """

    image: np.ndarray
    semantic: np.ndarray
    instances: np.ndarray
    objects: tuple[SceneObject, ...]
    stuff: tuple[str, ...]
    caption: str
    labels: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What is to be seen: names of the objects that are not ignored, then of the textures, each once."""
        return tuple(dict.fromkeys([item.name for item in self.objects if not item.ignored])) + self.stuff

    def semantic_as(self, classes: Sequence[str]) -> np.ndarray:
        """(H, W) uint8 index into ``classes`` (at most 255); 255 where the picture shows something else."""
        position = {name: index for index, name in enumerate(classes)}
        table = np.full(256, IGNORE_LABEL, np.uint8)
        table[: len(self.labels)] = [position.get(name, IGNORE_LABEL) for name in self.labels]
        return table[self.semantic]


class SceneGenerator:
    """Draws scene after scene; ``generator[index]`` is a pure function of the options and the index.

    Args:
        classes: names of the objects that may appear (compositions as well); default all of the atlas.
        styles: drawing styles that may appear; default all of the atlas.
        compositions: shapes drawn beside the classes: ``dict(share=0.15, group="seen")`` draws this share of the
            objects from the combinations of shape, colour and pattern, ``seen``, ``held-out`` or ``all``.
        size: side of the picture in pixels, or (height, width).
        num_objects: fewest and most sprites in a scene.
        object_size: smallest and largest side of a sprite in pixels; default 28 to 60 times ``zoom``.
        zoom: size of textures, shadows and blur, 1 for a scene of 96 pixels; default ``max(1, shorter side / 96)``.
        seed: seed of the scenes.
        texture_seed: seed of the textures. Splits that must not share textures take different seeds.
        texture_variants: different textures of each material.
        min_visible: share of an object that must be visible, below which it is ignored.
    """

    def __init__(
        self,
        *,
        classes: Sequence[str] | None = None,
        styles: Sequence[str] | None = None,
        compositions: dict | None = None,
        size: int | tuple[int, int] = NOMINAL_SCENE,
        num_objects: tuple[int, int] = (1, 4),
        object_size: tuple[float, float] | None = None,
        zoom: float | None = None,
        seed: int = 0,
        texture_seed: int = 1,
        texture_variants: int = 24,
        min_visible: float = 0.35,
    ) -> None:
        self.atlas = load_atlas()
        self.height, self.width = (size, size) if isinstance(size, int) else size
        if min(self.height, self.width) < 16:
            raise ValueError(f"a scene needs at least 16 x 16 pixels, got {self.height} x {self.width}")
        self.zoom = max(1.0, min(self.height, self.width) / NOMINAL_SCENE) if zoom is None else zoom
        self.object_size = (28 * self.zoom, 60 * self.zoom) if object_size is None else object_size
        self.num_objects, self.min_visible, self.seed = num_objects, min_visible, seed
        self.sprites = self._choose_sprites(classes, styles)
        self.share_of_shapes, self.shapes = _compositions(**compositions) if compositions else (0.0, ())
        self.labels = self.atlas.classes + STUFF
        texture_size = NOMINAL_SIZE if self.zoom < 1.5 else 2 * NOMINAL_SIZE
        self.textures = _texture_bank(texture_variants, texture_seed, texture_size)

    def _choose_sprites(self, classes, styles) -> list[tuple[str, tuple[str, ...]]]:
        unknown = set(styles or ()) - set(self.atlas.styles)
        if unknown:
            raise ValueError(f"the atlas has the styles {', '.join(self.atlas.styles)}; got {sorted(unknown)}")
        wanted = self.atlas.styles if styles is None else styles
        names = self.atlas.classes if classes is None else classes
        shapes = [(name, (SHAPE_STYLE,)) for name in names if is_composition(name)]
        names = [name for name in names if not is_composition(name)]
        drawn = [(name, tuple(s for s in self.atlas.styles_of(name) if s in wanted)) for name in names]
        drawn = [(name, of_class) for name, of_class in drawn if of_class] + shapes
        if not drawn:
            raise ValueError(f"no class is drawn in the styles {', '.join(wanted)}; got the classes {', '.join(names)}")
        return drawn

    def __getitem__(self, index: int) -> Scene:
        rng = np.random.default_rng([self.seed, index])
        image, semantic = self._background(rng)
        image = image.astype(np.float32)
        instances = np.zeros(semantic.shape, np.uint8)
        pasted, labels = [], list(self.labels)
        for instance_id in range(1, int(rng.integers(self.num_objects[0], self.num_objects[1] + 1)) + 1):
            name, style, window, mask = self._paste(rng, image)
            if name not in labels:
                labels.append(name)
            semantic[window][mask] = labels.index(name)
            instances[window][mask] = instance_id
            pasted.append((name, style, int(mask.sum())))
        objects = self._visible_objects(pasted, semantic, instances)
        image = self._degrade(rng, image)
        areas = np.bincount(semantic.ravel(), minlength=256)[len(self.atlas.classes) :]
        stuff = tuple(name for name, area in zip(STUFF, areas) if area > 0.08 * semantic.size)
        caption = _caption(rng, [item.name for item in objects if not item.ignored], stuff)
        return Scene(image, semantic, instances, objects, stuff, caption, tuple(labels))

    def _background(self, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
        """One texture (40 %), a horizon (40 %) or two textures at any angle (20 %): image and label map."""
        layout, first_label = rng.random(), len(self.atlas.classes)
        if layout < 0.4:
            kind = int(rng.integers(len(STUFF)))
            label = np.full((self.height, self.width), first_label + kind, np.uint8)
            return self._texture(rng, kind), label
        if layout < 0.8:
            above = STUFF.index(SKY_LIKE[rng.integers(len(SKY_LIKE))])
            below = (above + 1 + int(rng.integers(len(STUFF) - 1))) % len(STUFF)
            angle = rng.normal(0, 0.12)
        else:
            above, below = (int(kind) for kind in rng.choice(len(STUFF), 2, replace=False))
            angle = rng.uniform(-math.pi / 2, math.pi / 2)
        y, x = np.ogrid[0 : self.height, 0 : self.width]
        wobble = rng.normal(0, self.height * 0.05, 6)
        wobble = np.interp(np.arange(self.width), np.linspace(0, self.width, 6), wobble)
        height = (y - self.height * rng.uniform(0.3, 0.7)) * math.cos(angle) + (x - self.width / 2) * math.sin(angle)
        is_below = height + wobble > 0
        image = np.where(is_below[..., None], self._texture(rng, below), self._texture(rng, above))
        return image, np.where(is_below, first_label + below, first_label + above).astype(np.uint8)

    def _texture(self, rng: Generator, kind: int) -> np.ndarray:
        """(H, W, 3) uint8 random cut of a random texture of a kind."""
        texture = self.textures.get(kind, int(rng.integers(self.textures.variants)))
        side, full = max(self.height, self.width), len(texture)
        cut = int(min(full, side / self.zoom * (full / NOMINAL_SIZE) * rng.uniform(0.8, 1.6)))
        top, left = rng.integers(0, full - cut + 1, 2)
        texture = texture[top : top + cut, left : left + cut]
        if cut != side:
            interpolation = cv2.INTER_AREA if cut > side else cv2.INTER_LINEAR
            texture = cv2.resize(texture, (side, side), interpolation=interpolation)
        return texture[: self.height, : self.width].copy()

    def _choose(self, rng: Generator) -> tuple[str, str]:
        """Name and style of a random sprite."""
        if self.shapes and rng.random() < self.share_of_shapes:
            return self.shapes[rng.integers(len(self.shapes))], SHAPE_STYLE
        name, styles = self.sprites[rng.integers(len(self.sprites))]
        return name, styles[rng.integers(len(styles))]

    def _sprite(self, name: str, style: str) -> np.ndarray:
        """(sprite_size, sprite_size, 4) RGBA uint8."""
        return composition_sprite(name, self.atlas.sprite_size) if style == SHAPE_STYLE else self.atlas.get(name, style)

    def _paste(self, rng: Generator, image: np.ndarray) -> tuple[str, str, tuple[slice, slice], np.ndarray]:
        """Draw a random sprite into ``image``: its name, style, window of the picture, and mask in the window."""
        name, style = self._choose(rng)
        side = rng.uniform(*self.object_size)
        scale = side / self.atlas.sprite_size
        sprite = self._sprite(name, style)
        if scale < 0.75:  # against aliasing: 0.35 pixels in the scene
            sprite = cv2.GaussianBlur(sprite, (0, 0), 0.35 / scale)
        angle = math.radians(np.clip(rng.normal(0, 12), -30, 30))
        flip = -1 if rng.random() < 0.5 else 1
        aspect = math.exp(rng.normal(0, 0.08))
        margin = 0.35 * side
        x, y = (rng.uniform(margin, max(margin, extent - margin)) for extent in (self.width, self.height))
        reach = side * (0.5 * (abs(math.cos(angle)) + abs(math.sin(angle))) * max(1.0, aspect)) + 11 * self.zoom
        left, top = max(0, int(x - reach)), max(0, int(y - reach))
        right, bottom = min(self.width, int(x + reach) + 1), min(self.height, int(y + reach) + 1)
        cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
        matrix = np.array([[flip * cos * aspect, -sin, 0], [flip * sin, cos, 0]], np.float32)
        matrix[:, 2] = [x - left, y - top] - matrix[:, :2] @ np.full(2, self.atlas.sprite_size / 2)
        warped = cv2.warpAffine(sprite, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR).astype(np.float32)
        alpha = warped[..., 3:] / 255
        colour = (warped[..., :3] - 128) * rng.uniform(0.8, 1.2) + 128 + rng.normal(0, 12)
        colour = colour * rng.uniform(0.88, 1.12, 3)
        window = slice(top, bottom), slice(left, right)
        below = image[window]
        if rng.random() < 0.3:
            below = below * (1 - 0.4 * self._shadow(alpha[..., 0])[..., None] * (1 - alpha))
        image[window] = below * (1 - alpha) + colour * alpha
        return name, style, window, alpha[..., 0] > 0.5

    def _shadow(self, alpha: np.ndarray) -> np.ndarray:
        """A soft shadow of the sprite, fallen to the lower right."""
        down, right = max(1, round(3 * self.zoom)), max(1, round(2 * self.zoom))
        shadow = np.zeros_like(alpha)
        shadow[down:, right:] = alpha[:-down, :-right]
        return cv2.GaussianBlur(shadow, (0, 0), 2 * self.zoom)

    def _visible_objects(self, pasted, semantic: np.ndarray, instances: np.ndarray) -> tuple[SceneObject, ...]:
        """The objects that can be seen; hidden ones are marked as ignored in ``semantic``."""
        objects = []
        for instance_id, (name, style, full_area) in enumerate(pasted, start=1):
            mask = instances == instance_id
            area = int(mask.sum())
            if area == 0:
                continue
            ignored = area < self.min_visible * full_area or area < 40 * self.zoom**2
            if ignored:
                semantic[mask] = IGNORE_LABEL
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
            objects.append(SceneObject(name, style, instance_id, box, area / full_area, ignored))
        return tuple(objects)

    def _degrade(self, rng: Generator, image: np.ndarray) -> np.ndarray:
        """Camera effects: some blur, brightness and noise."""
        if rng.random() < 0.15:
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 0.9) * self.zoom)
        noise = rng.standard_normal((self.height, self.width, 1), dtype=np.float32) * np.float32(rng.uniform(0, 7))
        image = image * rng.uniform(0.85, 1.15) + noise
        return np.clip(image, 0, 255).astype(np.uint8)


@lru_cache(maxsize=8)
def _texture_bank(variants: int, seed: int, size: int) -> TextureBank:
    return TextureBank(variants=variants, seed=seed, size=size)


def _compositions(share: float, group: str = "seen") -> tuple[float, tuple[str, ...]]:
    if not 0 <= share <= 1:
        raise ValueError(f"the share of compositions lies between 0 and 1, got {share}")
    return share, composition_names(group)


def _caption(rng: Generator, things: Sequence[str], stuff: Sequence[str]) -> str:
    template = CAPTIONS[rng.integers(len(CAPTIONS))]
    phrases = [_counted(name, things.count(name)) for name in dict.fromkeys(things)]
    return template.format(things=" and ".join(phrases) or "nothing", stuff=" and ".join(stuff))


def _counted(name: str, count: int) -> str:
    article = "an" if name[0] in "aeiou" else "a"
    return f"{article} {name}" if count == 1 else f"{count} times {article} {name}"
