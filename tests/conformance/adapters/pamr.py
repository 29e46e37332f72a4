"""PAMR with the settings that the output's name states: ``naclip_it10_d8_16_a``."""

import re

from adapters.base import Adapter
from ovdense.functional.pamr import pamr


class PAMRAdapter(Adapter):
    methods = ("pamr",)

    def derive(self, point):
        tag = self.case.tag_of(point)
        found = re.search(r"_it(\d+)_d([\d_]+?)(?:_[a-z]\w*)?$", point)
        if tag is None or found is None:
            return None
        dilations = tuple(int(value) for value in found.group(2).split("_") if value)
        return pamr(self.case.images[tag], self.case.tensors[f"mask_in_{tag}"], int(found.group(1)), dilations)
