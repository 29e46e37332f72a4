"""A mask for a phrase: ``python demo/clipseg_mask.py PHOTO --phrase "a red cup" --config CONFIG --checkpoint FILE``.

Writes a black-and-white PNG of the picture's size, white where the probability is above the threshold. A picture of an
object with its mask (``--prompt-image``, ``--prompt-mask``) can stand beside the phrase or in its place.
"""

import argparse

import cv2
import numpy as np
import torch

from ovdense.apis import Segmenter, read_image
from ovdense.apis.files import write_image


def picture_prompt(segmenter, args, name):
    """The class embeddings of a picture of an object."""
    model = segmenter.model
    picture = torch.from_numpy(read_image(args.prompt_image)[..., ::-1].transpose(2, 0, 1).copy()).float()[None]
    mask = None
    if args.prompt_mask:
        mask = torch.from_numpy((read_image(args.prompt_mask)[..., 0] > 0).astype(np.float32))[None]
    images = model.normalize(picture.to(model.data_preprocessor.mean.device))
    masks = None if mask is None else mask.to(images.device)
    return model.prompt_embeddings([name], images, masks, text_share=args.text_share if args.phrase else 0.0)


def main(argv=None):
    parser = argparse.ArgumentParser(description="A mask for a phrase, or for the object of another picture.")
    parser.add_argument("image")
    parser.add_argument("--phrase", default="", help='"a red cup"')
    parser.add_argument("--prompt-image", help="a picture of the object that is looked for")
    parser.add_argument("--prompt-mask", help="where it is in that picture: a picture of the same size, not 0 there")
    parser.add_argument("--text-share", type=float, default=0.5, help="share of the phrase beside a picture (0..1)")
    parser.add_argument("--config", default="clipseg-rd64-refined_vit-b16_generic-352", help="default: %(default)s")
    parser.add_argument("--checkpoint", required=True, help="trained or imported weights of the decoder")
    parser.add_argument("--threshold", type=float, default=0.5, help="probability from which a pixel is white")
    parser.add_argument("--device", help="cpu, cuda:0, ...")
    parser.add_argument("--out", default="outputs/mask.png", help="the mask (default: %(default)s)")
    parser.add_argument("--probability", help="file for the probability, 0..255, as well")
    args = parser.parse_args(argv)
    if not args.phrase and not args.prompt_image:
        parser.error('say what to look for: --phrase "a red cup", or --prompt-image FILE')

    segmenter = Segmenter.from_config(args.config, args.checkpoint, args.device)
    name = args.phrase or "object"
    segmenter.set_vocabulary(picture_prompt(segmenter, args, name) if args.prompt_image else [name])
    probability = segmenter.set_image(args.image).scores()[0]
    mask = np.where(probability > args.threshold, 255, 0).astype(np.uint8)
    share = 100 * float((mask > 0).mean())
    print(f"{name}: {share:.1f} % of the picture, highest probability {probability.max():.3f}")
    print("wrote", write_image(args.out, cv2.cvtColor(mask, cv2.COLOR_GRAY2BGR)))
    if args.probability:
        grey = np.round(255 * probability).astype(np.uint8)
        print("wrote", write_image(args.probability, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)))


if __name__ == "__main__":
    main()
