"""The embedded text tower: a small ``TextTransformer`` of open_clip, the text side of all embedded models.

It was distilled from the sentence encoder all-MiniLM-L6-v2: trained to give its vectors minus a mean
(``distiller.py``). A text tower is a folder: ``config.json`` (with open_clip's ``text_cfg``), ``model.safetensors``
(``text.*`` in open_clip's layout, float16, and ``mean``) and ``merges.txt.gz`` (byte pairs for its tokenizer).

Shapes: N texts, L tokens, D = 384 channels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "models" / "text_tower"
FILES = ("config.json", "model.safetensors", "merges.txt.gz")


def cut_tokenizer(merges: str | Path, context_length: int):
    """open_clip's tokenizer with another file of byte pairs; texts to ids (N, L), padded with 0."""
    import open_clip

    if not Path(merges).is_file():
        raise FileNotFoundError(f"no file of byte pairs there: {str(merges)!r}")
    return open_clip.SimpleTokenizer(bpe_path=str(merges), context_length=context_length)


def encode_tokens(tower: nn.Module, tokens: Tensor) -> Tensor:
    """Vectors (N,D) that a causal ``TextTransformer`` gives token ids (N,L) of any L up to its context.

    The same as ``tower(tokens)`` with the ids padded to the context, but open_clip 3.3 takes no shorter ids there.
    """
    length = tokens.shape[1]
    states = tower.token_embedding(tokens) + tower.positional_embedding[:length]
    states = tower.transformer(states, attn_mask=tower.attn_mask[:length, :length])
    end = states[torch.arange(len(tokens), device=tokens.device), tokens.argmax(1)]
    return tower.text_projection(tower.ln_final(end))


class SentenceTextTower(nn.Module):
    """Sentence encoder: list of N strings -> (N,D) unit rows.

    Args:
        folder: folder of a text tower; None for the embedded one.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        from open_clip.model import _build_text_tower

        super().__init__()
        folder = text_tower_folder(folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tensors = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
        self.register_buffer("mean", tensors.pop("mean"))
        self.tower = _build_text_tower(config["embed_dim"], config["text_cfg"])
        self.tower.load_state_dict({name.removeprefix("text."): tensor for name, tensor in tensors.items()})
        self.tokenizer = cut_tokenizer(folder / "merges.txt.gz", self.tower.context_length)
        self.embed_dim = config["embed_dim"]

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (N,L) -> unit rows (N,D)."""
        return F.normalize(encode_tokens(self.tower, tokens) + self.mean, dim=-1)

    @torch.no_grad()
    def encode(self, texts: Sequence[str], *, batch_size: int = 256, truncated: list[str] | None = None) -> Tensor:
        """Unit rows (N,D) on the module's device; texts of like length share a batch, equal texts are encoded once.

        ``truncated`` receives the texts that were too long and lost their end.
        """
        distinct, context = list(dict.fromkeys(texts)), self.tower.context_length
        rows = torch.empty(len(distinct), self.embed_dim, device=self.mean.device)
        if distinct:
            tokens = self.tokenizer(distinct, context_length=context + 1)
            if truncated is not None:
                truncated += [distinct[row] for row in tokens[:, -1].nonzero().flatten().tolist()]
            # The end token is the largest id; it takes the last place where a text is too long.
            tokens[tokens[:, -1] > 0, context - 1] = self.tokenizer.eot_token_id
            tokens = tokens[:, :context]
            lengths = tokens.argmax(1) + 1
            for part in lengths.argsort(stable=True).split(batch_size):
                rows[part] = self(tokens[part, : lengths[part].max()].to(rows.device)).to(rows)
        where = {text: index for index, text in enumerate(distinct)}
        return rows[torch.tensor([where[text] for text in texts], dtype=torch.long, device=rows.device)]


def text_tower_folder(folder: str | Path | None = None) -> Path:
    """The given folder, or the embedded one."""
    folder = FOLDER if folder is None else Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"a text tower is a folder with {', '.join(FILES)}, got {folder}")
    return folder


def is_text_tower(folder: str | Path) -> bool:
    """Whether a folder holds the files of a text tower."""
    return all((Path(folder) / name).is_file() for name in FILES)


@lru_cache(maxsize=4)
def load_text_tower(device: torch.device | str = "cpu", folder: str | Path | None = None) -> SentenceTextTower:
    """The text tower of a folder (None for the embedded one), frozen; read once per process and device."""
    return SentenceTextTower(folder).to(device).eval().requires_grad_(False)


@lru_cache(maxsize=4)
def text_tower_digest(folder: str | Path | None = None) -> str:
    """Hex digest of weights and tokens, for cache keys."""
    digest = hashlib.sha256()
    for name in FILES:
        digest.update((text_tower_folder(folder) / name).read_bytes())
    return digest.hexdigest()[:12]


def save_text_tower(folder: Path, text_cfg: dict, tower: nn.Module, mean: Tensor, merges: bytes) -> None:
    """Writes the folder of a text tower, weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"text.{name}": tensor.half().contiguous() for name, tensor in tower.state_dict().items()}
    save_file({**tensors, "mean": mean.float()}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)
    config = dict(embed_dim=tower.output_dim, text_cfg=text_cfg)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "merges.txt.gz").write_bytes(merges)
