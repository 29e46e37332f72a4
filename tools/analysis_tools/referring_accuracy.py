"""Accuracy of referring expressions in RefCOCO's format: the box of a picture that fits a sentence best.

python tools/analysis_tools/referring_accuracy.py "refs(unc).p" instances.json train2014 --split val --prompt falip
"""

import argparse
import json
from pathlib import Path

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.apis.regions import PROMPTS, RegionNamer
from ovdense.evaluation.referring import by_picture, read_references, referring_accuracy


def main(argv=None) -> dict:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("refs", help="refs(unc).p or json")
    parser.add_argument("instances", help="instances.json")
    parser.add_argument("images", type=Path, help="folder of the pictures")
    parser.add_argument("--split", help="val, testA, testB, ... (default: all)")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--pretrained")
    parser.add_argument("--prompt", default="roi", choices=PROMPTS)
    parser.add_argument("--negatives", help="names whose mean similarity is taken off, such as coco-80")
    parser.add_argument("--json", type=Path, help="write figures and protocol to a json file")
    args = parser.parse_args(argv)
    from rich.progress import track

    try:
        references = read_references(args.refs, args.instances, args.split)
        namer = RegionNamer.from_pretrained(args.model, args.pretrained, prompt=args.prompt)
        chosen: list = [None] * len(references)
        for file, indices in track(by_picture(references).items(), description="pictures"):
            boxes, texts = references[indices[0]].boxes, [references[index].sentence for index in indices]
            words = dict.fromkeys(texts)
            names = namer.classify_regions(
                args.images / file, boxes=boxes, vocabulary=[[text] for text in words], negatives=args.negatives
            )
            column = {text: place for place, text in enumerate(words)}
            for index, text in zip(indices, texts):
                chosen[index] = boxes[int(names.similarity[:, column[text]].argmax())]
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from error
    result = referring_accuracy(references, chosen)
    result["line"] = f"{result['line']}, {args.model}, prompt {args.prompt}, boxes of the file to choose from"
    print(f"accuracy {100 * result['accuracy']:.1f}, the very box {100 * result['choice']:.1f}: {result['line']}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


if __name__ == "__main__":
    main()
