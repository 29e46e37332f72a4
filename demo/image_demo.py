"""One picture, your words: ``python demo/image_demo.py PHOTO --classes "cat, dog, grass" [--boxes] [--out FILE]``.

The command ``ovdense segment`` does more; this file shows how little code the Python API needs.
"""

import argparse

from ovdense.apis import Detector, Segmenter


def main(argv=None):
    parser = argparse.ArgumentParser(description="Segment a picture, or box its objects, by words of your own.")
    parser.add_argument("image")
    parser.add_argument("--classes", required=True, help='"cat, dog", or a file of names')
    parser.add_argument("--boxes", action="store_true", help="boxes instead of a class for every pixel")
    parser.add_argument("--model", default="lite", help="lite, scenes or an open_clip model name")
    parser.add_argument("--pretrained", help="open_clip tag or local weights file")
    parser.add_argument("--config", help="a config instead of model and pretrained")
    parser.add_argument("--checkpoint", help="trained weights for --config")
    parser.add_argument("--device", help="cpu, cuda:0, ...")
    parser.add_argument("--out", default="outputs/image_demo.jpg", help="the painted picture (default: %(default)s)")
    args = parser.parse_args(argv)

    kind = Detector if args.boxes else Segmenter
    if args.config:
        predictor = kind.from_config(args.config, args.checkpoint, args.device)
    else:
        predictor = kind.from_pretrained(args.model, args.pretrained, device=args.device)
    result = predictor(args.image, args.classes)
    print(result.counts() if args.boxes else result.areas())
    print("wrote", result.save_plot(args.out))


if __name__ == "__main__":
    main()
