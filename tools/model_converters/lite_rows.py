"""Extra rows of the photo model: what ImageNet has no class for, learnt from hand rules on unlabelled photos.

``pseudo_cells`` marks grid cells that colour, smoothness, position and ImageNet context make very likely to be sky,
grass, tree, ...; ``fit_rows`` trains a softmax regression on the trunk features of these cells. No label is read.

Shapes: h x w grid, F = 1280 trunk channels, R rows.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage
from torch import Tensor

CELL = 8  # pixels of a cell in the picture that the rules look at
OTHER, UNKNOWN = -1, -2


class Context:
    """Which ImageNet classes speak for a word, for outdoors and for indoors."""

    def __init__(self, members: dict[str, list[int]], rows: dict, num_classes: int = 1000) -> None:
        self.members = members
        self.traffic = sorted({index for word in rows["traffic"] for index in members[word]})
        self.outdoor, self.indoor = np.zeros(num_classes), np.zeros(num_classes)
        for weights, words in ((self.outdoor, rows["outdoor"]), (self.indoor, rows["indoor"])):
            weights[[index for word in words for index in members[word]]] = 1.0
        self.outdoor[:398] = 0.0  # animals: the wild ones are mostly outdoors, pets are anywhere
        for start, stop in rows["wild_animals"]:
            self.outdoor[start:stop] = 0.6

    def outdoors(self, posterior: np.ndarray) -> bool:
        """Whether a photo, by its mean posterior (1000,), is outdoors."""
        return float(posterior @ self.outdoor) > 1.5 * float(posterior @ self.indoor)


class Cells:
    """Colour statistics of grid cells (h, w): mean colours, saturation, value, edges; deviation; height."""

    def __init__(self, image: Image.Image, grid: tuple[int, int]) -> None:
        height, width = grid
        picture = image.convert("RGB").resize((width * CELL, height * CELL), Image.BILINEAR)
        rgb = np.asarray(picture, np.float32) / 255
        grey, value = rgb.mean(-1), rgb.max(-1)
        saturation = (value - rgb.min(-1)) / np.maximum(value, 1e-6)
        steps = np.abs(np.diff(grey, axis=1, append=grey[:, -1:])) + np.abs(np.diff(grey, axis=0, append=grey[-1:]))

        def mean(plane: np.ndarray) -> np.ndarray:
            return plane.reshape(height, CELL, width, CELL).mean((1, 3))

        self.red, self.green, self.blue = (mean(rgb[..., channel]) for channel in range(3))
        self.saturation, self.value, self.edges = mean(saturation), mean(value), mean(steps)
        self.deviation = np.sqrt(np.maximum(mean(grey**2) - mean(grey) ** 2, 0))
        self.down = ((np.arange(height) + 0.5) / height)[:, None] * np.ones((1, width))  # 0 at the top, 1 at the bottom


def pseudo_cells(image: Image.Image, posterior: np.ndarray, context: Context, rows: list[str]) -> np.ndarray:
    """Row index of every cell, OTHER where no rule speaks, from the picture and the posterior (1000, h, w)."""
    masks = rule_masks(Cells(image, posterior.shape[1:]), posterior, context)
    labels = np.full(posterior.shape[1:], OTHER)
    for index, name in enumerate(rows):
        labels[masks[name] & (labels == OTHER)] = index
    return labels


def rule_masks(cells: Cells, posterior: np.ndarray, context: Context) -> dict[str, np.ndarray]:
    """Masks (h, w) of each row's rule, before earlier rows take precedence."""

    def share(word: str) -> np.ndarray:
        return posterior[context.members[word]].sum(0)

    outdoors = context.outdoors(posterior.mean((1, 2)))
    open_ground = outdoors & (posterior.max(0) <= 0.6)  # no cell that ImageNet names with confidence
    bluish = (cells.blue > cells.red + 0.03) & (cells.blue >= cells.green - 0.01)
    white = (cells.saturation < 0.12) & (cells.value > 0.72)
    smooth = (cells.deviation < 0.035) & (cells.edges < 0.03) & (cells.value > 0.45)
    sky = touching_top(smooth & (bluish | white) & open_ground) & (cells.down < 0.65)
    green = (cells.green > cells.red + 0.02) & (cells.green > cells.blue + 0.02) & (cells.saturation > 0.15)
    lakeside = (share("water").mean() > 0.25) & (cells.blue > cells.red + 0.02) & (cells.down > 0.5)
    traffic = posterior[context.traffic].sum(0).mean() > 0.06
    asphalt = (cells.saturation < 0.2) & (cells.value > 0.2) & (cells.value < 0.7) & (cells.edges < 0.045)
    frosty = (cells.value > 0.7) & (cells.saturation < 0.18) & (cells.edges < 0.03)
    return {
        "sky": sky,
        "grass": green & (cells.down > 0.45) & (cells.edges < 0.09) & open_ground,
        "tree": green & (cells.down < 0.55) & (cells.edges > 0.035) & (cells.value < 0.6) & open_ground,
        "water": (cells.down > 0.35) & ((share("water") > 0.45) & ~sky | lakeside) & open_ground,
        "road": (cells.down > 0.6) & asphalt & traffic & open_ground,
        "snow": (cells.down > 0.35) & frosty & (share("snow").mean() > 0.06) & open_ground,
        "person": share("person") > 0.6,
        "building": (share("building") + share("house") > 0.5) & outdoors,
    }


def touching_top(mask: np.ndarray) -> np.ndarray:
    """The connected parts of a mask that reach the first line."""
    parts, _ = ndimage.label(mask)
    return np.isin(parts, [part for part in np.unique(parts[0]) if part])


def fit_rows(
    features: list[Tensor],
    labels: list[np.ndarray],
    *,
    num_rows: int,
    iterations: int = 240,
    dropout: float = 0.3,
    weight_decay: float = 0.3,
    per_photo: tuple[int, int] = (60, 120),
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Weight (R + 1, F) and bias (R + 1,) of a balanced softmax regression; the last row is "other".

    Args:
        features: trunk maps (F, h, w) of the photos.
        labels: their pseudo cells (h, w).
        per_photo: cells taken at most from a photo, of each row and of "other".
    """
    generator = torch.Generator().manual_seed(seed)
    cells, targets = [], []
    for photo, marks in zip(features, labels):
        marks = torch.from_numpy(marks).flatten()
        for row in [row for row in marks.unique().tolist() if row != UNKNOWN]:
            where = (marks == row).nonzero()[:, 0]
            keep = torch.randperm(len(where), generator=generator)[: per_photo[row == OTHER]]
            cells.append(photo.flatten(1).T[where[keep]].float())
            targets.append(torch.full((len(keep),), num_rows if row == OTHER else row))
    cells, targets = torch.cat(cells), torch.cat(targets)
    counts = torch.bincount(targets, minlength=num_rows + 1).float()
    balance = (counts.clamp(min=20) / counts.sum()) ** -0.5
    mean, spread = cells.mean(0), cells.std(0) + 0.05
    cells = (cells - mean) / spread
    torch.manual_seed(seed)
    head = torch.nn.Linear(cells.shape[1], num_rows + 1)
    optimizer = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=weight_decay)
    with torch.enable_grad():
        for _ in range(iterations):
            batch = torch.randint(0, len(cells), (1024,), generator=generator)
            kept = (torch.rand(len(batch), cells.shape[1], generator=generator) > dropout) / (1 - dropout)
            loss = F.cross_entropy(head(cells[batch] * kept), targets[batch], balance / balance.mean())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    weight = (head.weight / spread).detach()
    return weight, (head.bias - (head.weight * (mean / spread)).sum(1)).detach()
