"""SC-CLIP: dense features without a class token, and their logits at the input's size."""

from adapters.base import Adapter, patch_rows, subsample

BACKBONE = dict(attention="scclip", attention_options=dict(official_quirks=True))


class SCCLIPAdapter(Adapter):
    methods = ("scclip", "sc_clip")

    def derive(self, point):
        tag = self.case.tag_of(point)
        if tag is None:
            return None
        name = point.rpartition("/")[2]
        if name.startswith("dense"):
            return patch_rows(self.features(tag, **BACKBONE).dense)
        if name.startswith("logits_up"):
            maps = self.phrase_maps(self.segmentor(BACKBONE, dict(mode="whole")), tag)
            return subsample(maps, self.case.tensors[point])
        return None
