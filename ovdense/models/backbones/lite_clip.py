"""The embedded photo model behind open_clip's face, for code that is written for open_clip models.

    model, preprocess, tokenizer = open_lite()
    image = model.encode_image(preprocess(Image.open("photo.jpg"))[None], normalize=True)
    text = model.encode_text(tokenizer(["a photo of a cat", "a photo of a dog"]), normalize=True)
    probabilities = (model.logit_scale.exp() * image @ text.T).softmax(-1)

``open_clip.create_model`` cannot build it: its image head is a softmax over classes and its text head compares a
sentence with anchors, and open_clip's configs state linear and MLP heads only. What takes an open_clip model as an
argument, such as ``open_clip.build_zero_shot_classifier``, takes this one.

Shapes: B images, N texts, L tokens, C = 1000 + R joint channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovdense.models.backbones.lite import LiteBackbone
from ovdense.models.lite_files import lite_config
from ovdense.models.text_encoders.lite_text import LiteText
from ovdense.models.text_encoders.text_tower import SentenceTextTower, load_text_tower

LOGIT_SCALE = 10.0  # of the shipped configs: the scores of one picture lie close together


class LiteCLIP(nn.Module):
    """Images and token ids -> one space, with the methods of ``open_clip.CLIP``.

    Args:
        folder: a folder with the files of ``lite_files.py``; None for the embedded model.
        **backbone: options of ``LiteBackbone``, such as ``towers``.
    """

    def __init__(self, *, folder: str | Path | None = None, **backbone) -> None:
        super().__init__()
        self.visual = LiteBackbone(folder=folder, with_global=True, **backbone)
        self.text: SentenceTextTower = load_text_tower()
        self.readout = LiteText(sentence_encoder=self.text.encode, folder=folder)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(LOGIT_SCALE)), requires_grad=False)

    def encode_image(self, image: Tensor, normalize: bool = False) -> Tensor:
        """(B, 3, H, W) of any size -> (B, C); before ``normalize`` the entries of a row sum to 1."""
        features = self.visual(image).global_embedding
        return F.normalize(features, dim=-1) if normalize else features

    def encode_text(self, text: Tensor, normalize: bool = False) -> Tensor:
        """Token ids (N, L) of the model's tokenizer -> (N, C) unit rows, normalised or not."""
        sentences = self.text(text).cpu() - self.readout.mean
        return self.readout.read_out(F.normalize(sentences, dim=-1)).to(text.device)

    def forward(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unit rows of images and texts, and the factor on their cosines."""
        return self.encode_image(image, normalize=True), self.encode_text(text, normalize=True), self.logit_scale.exp()


def open_lite(folder: str | Path | None = None, **backbone) -> tuple[LiteCLIP, Callable, Callable]:
    """The photo model, the transform from a PIL picture to its input and its tokenizer, as open_clip hands them out."""
    from open_clip import image_transform

    config = lite_config(folder)
    model = LiteCLIP(folder=folder, **backbone).eval()
    preprocess = image_transform(config["vision_cfg"]["image_size"], is_train=False, **config["preprocess_cfg"])
    return model, preprocess, model.text.tokenizer
