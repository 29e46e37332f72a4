"""Where in a picture a phrase is: ``python demo/heatmap.py PHOTO --phrase "a furry cat" [--against "grass, wall"]``.

Without other words the colours run from the lowest to the highest cosine in the picture, and something is always the
hottest; against other words they show the phrase's probability among them, from 0 to 1.
"""

import argparse

from scipy.special import softmax

from ovdense.apis import Segmenter, read_image
from ovdense.apis.demo import scene
from ovdense.apis.files import write_image
from ovdense.visualization import draw_heat_map


def main(argv=None):
    parser = argparse.ArgumentParser(description="A heat map of one phrase.")
    parser.add_argument("image", nargs="?", help="default: a drawn scene, with the embedded model for scenes")
    parser.add_argument("--phrase", help="what to look for; default: an object of the drawn scene")
    parser.add_argument("--against", default="", help='other things of the picture: "grass, wall"')
    parser.add_argument("--model", help="lite (default for pictures of your own), scenes or an open_clip model name")
    parser.add_argument("--pretrained", help="open_clip tag or local weights file")
    parser.add_argument("--method", help="how CLIP's last block is read: naclip, maskclip, gem, ...")
    parser.add_argument("--device", help="cpu, cuda:0, ...")
    parser.add_argument("--out", default="outputs/heatmap.jpg", help="the painted picture (default: %(default)s)")
    args = parser.parse_args(argv)
    if args.image and not args.phrase:
        parser.error('name what to look for: --phrase "a furry cat"')

    show = scene()
    image = read_image(args.image) if args.image else show.image
    phrase = args.phrase or show.detect.split(", ")[0]
    others = [name.strip() for name in args.against.split(",") if name.strip()]
    model = args.model or ("lite" if args.image else show.model)
    segmenter = Segmenter.from_pretrained(model, args.pretrained, method=args.method, device=args.device)
    scores = segmenter.set_image(image).set_vocabulary([phrase, *others]).scores()
    rules = segmenter.model.label_rules()
    if others and rules.softmax:
        scores = softmax(scores, axis=0)
    elif rules.softmax:
        scores = scores / rules.logit_scale
    heat, limits = scores[0], (0.0, 1.0) if others else None
    y, x = divmod(int(heat.argmax()), heat.shape[1])
    print(f"{phrase}: {heat.min():.3f} to {heat.max():.3f}, hottest at x {x}, y {y}")
    caption = phrase + (f", against {', '.join(others)}" if others else "")
    print("wrote", write_image(args.out, draw_heat_map(image, heat, caption=caption, limits=limits)))


if __name__ == "__main__":
    main()
