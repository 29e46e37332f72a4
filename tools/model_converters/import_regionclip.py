"""Makes a checkpoint for configs/regionclip of an official RegionCLIP file, or of a pretraining here.

python tools/model_converters/import_regionclip.py regionclip_pretrained-cc_rn50.pth checkpoints/regionclip_rn50.pth
python tools/model_converters/import_regionclip.py regionclip.pth out.pth --rpn rpn_coco_48.pth --names coco-65
python tools/model_converters/import_regionclip.py work_dirs/NAME/iter_600000.pth checkpoints/regionclip_rn50.pth

The result goes to ``tools/test.py`` as a checkpoint and to ``load_from``. A report says what the file holds and what it
lacks; names that are not known end the conversion. Class embeddings of the file are written beside it, ``*_train.*``
and ``*_test.*``, for ``model.class_embeddings``.
"""

import argparse
from pathlib import Path

import torch

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.apis.checkpoints import CheckpointError, read_checkpoint
from ovdense.models.backbones.checkpoint import read_state_dict
from ovdense.models.regionclip_checkpoint import RegionCLIPWeights, convert_regionclip
from ovdense.models.text_encoders.embedding_files import load_class_embeddings, save_class_embeddings
from ovdense.models.vocabulary_files import load_vocabulary

EXTRACTOR = "roi_extractor."


def read(path: Path) -> RegionCLIPWeights:
    """An official file, or a checkpoint of ``RegionTextPretrainer``."""
    try:
        tensors, _ = read_checkpoint(path)
    except CheckpointError:
        tensors = read_state_dict(path)
    if any(name.startswith(EXTRACTOR) for name in tensors):
        renamed = {name.replace(EXTRACTOR, "roi_head.bbox_roi_extractor.", 1): tensors[name] for name in tensors}
        return RegionCLIPWeights(renamed, has_proposals=any(name.startswith("proposals.") for name in renamed))
    return convert_regionclip(tensors)


def convert(source: Path, out: Path, rpn: Path | None = None, names: str | None = None) -> RegionCLIPWeights:
    """Writes the checkpoint and the embeddings; returns what was found."""
    found = read(source)
    if rpn is not None:
        added = convert_regionclip({**_offline(read_state_dict(rpn)), "backbone.layer1.0.conv1.weight": torch.zeros(1)})
        found.state.update({name: value for name, value in added.state.items() if name.startswith("proposals.")})
        found.has_proposals = any(name.startswith("proposals.") for name in found.state)
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=found.state), out)
    for kind, rows in (("train", found.train_rows), ("test", found.test_rows)):
        if rows is not None:
            path = out.with_name(f"{out.stem}_{kind}.pt")
            torch.save(rows.clone(), path)
            if kind == "test" and names is not None:
                embeddings = load_class_embeddings(rows, load_vocabulary(names))
                save_class_embeddings(embeddings, out.with_name(f"{out.stem}_test.safetensors"))
    return found


def _offline(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A Detectron2 Mask R-CNN's RPN under the names of RegionCLIP's offline network."""
    renamed = {}
    for name, value in tensors.items():
        if name.startswith("backbone.") or name.startswith("proposal_generator."):
            renamed[f"offline_{name}"] = value
        elif name.startswith("offline_"):
            renamed[name] = value
    if not renamed:
        raise ValueError(f"no backbone.* and proposal_generator.* for the proposal network, got {sorted(tensors)[:8]}")
    return renamed


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path, help="checkpoint to write (.pth)")
    parser.add_argument("--rpn", type=Path, help="Detectron2 Mask R-CNN whose RPN proposes, where the file has none")
    parser.add_argument("--names", help="vocabulary of the test embeddings, as load_vocabulary takes it")
    args = parser.parse_args(argv)
    try:
        found = convert(args.source, args.out, args.rpn, args.names)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    print(found.report())
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
