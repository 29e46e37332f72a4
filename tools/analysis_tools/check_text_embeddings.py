"""Says what a file of class embeddings holds: classes without one, lengths, repeated rows, the order of the rows.

    python tools/analysis_tools/check_text_embeddings.py coco_clip.npy --vocabulary coco-80
    python tools/analysis_tools/check_text_embeddings.py coco_clip.npy --vocabulary coco-65 --rows coco-80
    python tools/analysis_tools/check_text_embeddings.py mine.npy --vocabulary lvis-1203 --against lvis_clip.npy

Exit code 1 where a class has no embedding, or fewer than 9 in 10 classes are nearest to themselves in the other file.
"""

import argparse
import sys

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.models.text_encoders.embedding_checks import check_embeddings


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help=".npy, .pt, .pth or .safetensors")
    parser.add_argument("--vocabulary", required=True, help="shipped vocabulary or file of names")
    parser.add_argument("--rows", help="vocabulary of the file's rows, where it is another")
    parser.add_argument("--against", help="another file of the same text space")
    parser.add_argument("--against-rows", help="vocabulary of the other file's rows")
    args = parser.parse_args(argv)
    try:
        report = check_embeddings(
            args.file, args.vocabulary, rows=args.rows, against=args.against, against_rows=args.against_rows
        )
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from error
    print("\n".join(report.lines()))
    return int(not report.usable or (report.agreement is not None and report.agreement < 0.9))


if __name__ == "__main__":
    sys.exit(main())
