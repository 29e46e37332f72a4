"""One picture, one set of words, every training-free method: a sheet to compare them by.

    python demo/compare.py                                                     # a drawn scene, the embedded model
    python demo/compare.py PHOTO --classes "cat, grass" --model ViT-B-16 --pretrained openai

New methods appear by themselves: the list is that of the shipped configs.
"""

import argparse

from ovdense.apis import ConfigError, Segmenter, read_image
from ovdense.apis.configs import picture_config, untrained_methods
from ovdense.apis.demo import scene
from ovdense.apis.files import write_image
from ovdense.visualization import contact_sheet
from ovdense.visualization.canvas import resize_picture


def main(argv=None):
    parser = argparse.ArgumentParser(description="A sheet of one picture segmented by every training-free method.")
    parser.add_argument("image", nargs="?", help="default: a drawn scene")
    parser.add_argument("--classes", help='"cat, grass", or a file of names; default: those of the drawn scene')
    parser.add_argument(
        "--model", default="scenes", help="scenes (drawings), or an open_clip model name for photographs"
    )
    parser.add_argument("--pretrained", help="open_clip tag or local weights file")
    parser.add_argument("--methods", nargs="+", help="only these (default: all that there are for the model)")
    parser.add_argument("--pamr", action="store_true", help="refine all by the picture's colours (PAMR)")
    parser.add_argument("--columns", type=int, help="pictures in a row")
    parser.add_argument("--device", help="cpu, cuda:0, ...")
    parser.add_argument("--out", default="outputs/compare.jpg", help="the sheet (default: %(default)s)")
    args = parser.parse_args(argv)
    if args.image and not args.classes:
        parser.error('name the classes to look for: --classes "cat, grass"')

    show = scene()
    image, classes = read_image(args.image) if args.image else show.image, args.classes or show.segment
    known = untrained_methods("segmentation", args.model)
    unknown = sorted(set(args.methods or ()) - set(known))
    if unknown:
        parser.error(f"no method {', '.join(unknown)} for {args.model}: there are {', '.join(known)}")
    paintings, captions = [], []
    for method in args.methods or known:
        options = {"model.refine": dict(type="PAMR")} if args.pamr else None
        try:
            config = picture_config(known[method], args.model, args.pretrained)
            result = Segmenter.from_config(config, device=args.device, options=options)(image, classes)
        except (ConfigError, TypeError, ValueError) as error:  # a method that this model's backbone cannot run
            print(f"{method}: left out, {error}")
            continue
        print(f"{method}: " + ", ".join(f"{name} {share:.0%}" for name, share in result.areas().items()))
        paintings.append(result.plot(legend=False))
        captions.append(f"{method} + PAMR" if args.pamr else method)
    if not paintings:
        parser.error(f"no method ran with {args.model}")
    pictures = [resize_picture(image, paintings[0].shape[:2]), *paintings]
    print("wrote", write_image(args.out, contact_sheet(pictures, ["picture", *captions], args.columns)))


if __name__ == "__main__":
    main()
