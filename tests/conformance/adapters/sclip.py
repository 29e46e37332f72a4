"""SCLIP: correlative self-attention, sliding windows, probability threshold and area filter."""

from adapters.base import last_block_input, subsample, with_class_token
from adapters.sliding import SlidingAdapter

ATTENTION = {"csa": "qq+kk", "vanilla": "vanilla"}


class SCLIPAdapter(SlidingAdapter):
    methods = ("sclip",)
    slide_backbone = dict(attention="qq+kk")

    def derive(self, point):
        tag = self.case.tag_of(point)
        if tag is None:
            return None
        if point.startswith("pre_last_block"):
            return last_block_input(self.features(tag, capture=("input", "input_cls")))
        kind, _, name = point.partition("/")
        if kind == tag:
            return self.sliding(tag, name)
        if kind in ATTENTION and name.startswith("dense"):
            return with_class_token(self.features(tag, attention=ATTENTION[kind], capture=("dense_cls",)))
        if kind in ATTENTION and name.startswith("logits_up"):
            model = self.segmentor(dict(attention=ATTENTION[kind]), dict(mode="whole"))
            return subsample(self.phrase_maps(model, tag), self.case.tensors[point])
        return None
