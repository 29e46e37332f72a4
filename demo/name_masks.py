"""Names for masks that another tool made: ``python demo/name_masks.py PHOTO --masks masks.json --classes "cat, dog"``.

The json holds COCO run lengths or polygons, for instance what SAM's automatic mask generator gives with
``output_mode="coco_rle"``.
"""

import argparse

from ovdense.apis import Detector, Segmenter, classify_masks, load_config, task_of


def main(argv=None):
    parser = argparse.ArgumentParser(description="Name the masks of a picture by words of your own.")
    parser.add_argument("image")
    parser.add_argument("--masks", required=True, help="json file of COCO run lengths or polygons")
    parser.add_argument("--classes", required=True, help='"cat, dog", or a file of names')
    parser.add_argument("--model", default="lite", help="lite, scenes or an open_clip model name")
    parser.add_argument("--pretrained", help="open_clip tag or local weights file")
    parser.add_argument("--config", help="a config instead of model and pretrained, such as one of configs/ovseg")
    parser.add_argument("--checkpoint", help="trained weights for --config")
    parser.add_argument("--device", help="cpu, cuda:0, ...")
    parser.add_argument("--out", default="outputs/name_masks.jpg", help="the painted picture (default: %(default)s)")
    args = parser.parse_args(argv)

    if args.config:
        kind = Segmenter if task_of(load_config(args.config)) == "segmentation" else Detector
        predictor = kind.from_config(args.config, args.checkpoint, args.device)
    else:
        predictor = Detector.from_pretrained(args.model, args.pretrained, device=args.device)
    named = classify_masks(predictor, args.image, args.masks, args.classes)
    for index, name in enumerate(named.names):
        score = named.scores[index].max()
        print(f"{index}: no pixel" if name is None else f"{index}: {name} {score:.2f}")
    print("wrote", named.result.save_plot(args.out))


if __name__ == "__main__":
    main()
