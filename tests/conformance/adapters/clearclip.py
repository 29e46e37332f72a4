"""ClearCLIP: four attentions with and without residual and MLP, and sliding windows that are padded on both sides."""

from adapters.base import last_block_input, patch_rows
from adapters.sliding import SlidingAdapter

ATTENTION = {"vanilla": "vanilla", "maskclip": "identity", "sclip": "qq+kk", "clearclip": "qq"}


class ClearCLIPAdapter(SlidingAdapter):
    methods = ("clearclip",)
    slide_backbone = dict(attention="qq", padding="center")
    # The threshold is the official run's, which the meta file omits.
    default_settings = dict(all=dict(logit_scale=50.0), thr=dict(prob_threshold=0.4))

    def derive(self, point):
        tag = self.case.tag_of(point)
        if tag is None:
            return None
        if point.startswith("pre_last_block"):
            return last_block_input(self.features(tag, capture=("input", "input_cls")))
        kind, _, name = point.partition("/")
        if kind == tag:
            return self.sliding(tag, name)
        attention, _, rest = kind.partition("_")
        if name.startswith("dense") and attention.lower() in ATTENTION:
            whole = rest == "res"
            return patch_rows(
                self.features(tag, attention=ATTENTION[attention.lower()], residual=whole, mlp=whole).dense
            )
        return None
