"""Render the icons of the scenes benchmark into one sprite sheet a drawing style.

Needs a folder with the icon packs and the renderer, neither of which ovdense depends on::

    npm install --prefix PACKS @iconify-json/noto@1.2.9 @iconify-json/noto-v1@1.2.5 \\
        @iconify-json/fluent-emoji-flat@1.2.6 @iconify-json/fluent-emoji@1.2.7 @iconify-json/fxemoji@1.2.2
    pip install resvg-py==0.5.0
    python tools/dataset_converters/build_sprite_atlas.py PACKS/node_modules/@iconify-json

Reads ``classes.json`` of the output folder (class name -> emoji code point and label) and writes ``<style>.png`` and
``index.json`` beside it. A sheet holds the sprites row by row; a style that lacks a class simply has no sprite of it.
"""

from __future__ import annotations

import argparse
import io
import json
import re
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

ASSETS = Path(__file__).parents[2] / "ovdense" / "assets" / "scenes"
STYLES = ("noto", "noto-v1", "fluent-emoji-flat", "fluent-emoji", "fxemoji")  # Apache-2.0 and MIT only
MIN_COVERAGE = 0.05  # a sprite with less than this share of opaque pixels failed to render


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs", type=Path, help="folder of the icon packs: node_modules/@iconify-json")
    parser.add_argument("--out", type=Path, default=ASSETS, help="asset folder with classes.json")
    parser.add_argument("--size", type=int, default=128, help="side of a sprite in pixels")
    parser.add_argument("--columns", type=int, default=16, help="sprites in a row of a sheet")
    parser.add_argument("--bits", type=int, default=6, help="bits kept of each colour and of alpha")
    return parser.parse_args()


class IconPack:
    """One @iconify-json package: icons by emoji code point, or by name where the pack has no code points."""

    def __init__(self, folder: Path) -> None:
        self.icons = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
        chars = folder / "chars.json"
        self.chars = json.loads(chars.read_text(encoding="utf-8")) if chars.exists() else {}
        self.names = {key.replace("-", ""): key for key in self.icons["icons"]}
        info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
        package = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        self.licence, self.author = info["license"]["spdx"], info["author"]["name"]
        self.source = f"{package['name']}@{package['version']}"

    def find(self, code_point: str, label: str) -> str | None:
        """The pack's key of an emoji, or None."""
        code_point = code_point.lower()
        for code in (code_point, code_point.replace("-fe0f", "")):
            if self.chars.get(code) in self.icons["icons"]:
                return self.chars[code]
        name = re.sub(r"[^a-z0-9]+", "", label.lower())
        candidates = name, name + "face", name.replace("face", "")
        return next((self.names[candidate] for candidate in candidates if candidate in self.names), None)

    def render(self, key: str, size: int) -> np.ndarray:
        """(size, size, 4) RGBA uint8 of an icon."""
        icon = self.icons["icons"][key]
        width, height = (icon.get(side, self.icons.get(side, 16)) for side in ("width", "height"))
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{icon.get("left", 0)} {icon.get("top", 0)} {width} {height}" width="{size}" height="{size}">'
            f"{icon['body']}</svg>"
        )
        png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size)
        return np.array(Image.open(io.BytesIO(bytes(png))).convert("RGBA").resize((size, size)))


def reduce_bits(sprite: np.ndarray, bits: int) -> np.ndarray:
    """Round every channel to ``bits`` bits (0 and 255 stay exact) and clear the colour of transparent pixels."""
    levels = 2**bits - 1
    sprite = (np.round(sprite.astype(np.float32) / 255 * levels) * (255 / levels)).round().astype(np.uint8)
    sprite[sprite[..., 3] == 0] = 0
    return sprite


def main() -> None:
    args = parse_args()
    classes = json.loads((args.out / "classes.json").read_text(encoding="utf-8"))
    sheets, sprites = {}, []
    for style in STYLES:
        pack = IconPack(args.packs / style)
        images = []
        for name, emoji in classes.items():
            key = pack.find(emoji["emoji"], emoji["label"])
            image = None if key is None else reduce_bits(pack.render(key, args.size), args.bits)
            if image is None or (image[..., 3] > 128).mean() < MIN_COVERAGE:
                continue
            sprites.append({"class": name, "style": style, "cell": len(images), "icon": key})
            images.append(image)
        rows = -(-len(images) // args.columns)
        cells = np.zeros((rows * args.columns, args.size, args.size, 4), np.uint8)
        cells[: len(images)] = images
        sheet = cells.reshape(rows, args.columns, args.size, args.size, 4).swapaxes(1, 2)
        sheet = sheet.reshape(rows * args.size, args.columns * args.size, 4)
        Image.fromarray(sheet).save(args.out / f"{style}.png", optimize=True)
        sheets[style] = {"file": f"{style}.png", "licence": pack.licence, "author": pack.author, "source": pack.source}
        print(f"{style}: {len(images)} sprites, {(args.out / f'{style}.png').stat().st_size / 1e6:.2f} MB")
    index = {"sprite_size": args.size, "columns": args.columns, "styles": sheets, "sprites": sprites}
    lines = json.dumps(index, indent=1, ensure_ascii=False)
    lines = re.sub(r"\{\s+(\"class\"[^}]*?)\s+\}", lambda match: "{" + re.sub(r"\s+", " ", match[1]) + "}", lines)
    (args.out / "index.json").write_text(lines + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
