"""mIoU: the confusion matrix of stored predictions; both definitions are tests of ``GroupedIoUMetric``."""

import torch

from adapters.base import Adapter


class MeanIoUAdapter(Adapter):
    methods = ("miou_protocol",)
    inputs = r"pred|gt"

    def derive(self, point):
        if point != "conf_matrix":
            return None
        predicted, truth = self.case.tensors["pred"].long(), self.case.tensors["gt"].long()
        size = len(self.case.tensors["conf_matrix"])
        truth = torch.where(truth == self.case.meta.get("ignore", 255), size - 1, truth)
        return torch.bincount((predicted * size + truth).flatten(), minlength=size**2).unflatten(0, (size, size))
