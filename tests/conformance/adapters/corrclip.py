"""CorrCLIP: the visual forward with given masks and proxy features."""

from torch import Tensor

from adapters.base import Adapter, patch_rows


class CorrCLIPAdapter(Adapter):
    methods = ("corrclip",)

    def derive(self, point: str) -> Tensor | None:
        tag = self.case.tag_of(point)
        if point != f"dense_{tag}":
            return None
        image, masks, rows = (self.case.tensors[f"{kind}_{tag}"] for kind in ("img", "masks", "dino_qplusk_normed"))
        # The official proxy has twice as many rows and columns as CLIP.
        grid = tuple(2 * (side // self.backbone().clip.stride) for side in image.shape[-2:])
        proxy = rows.transpose(1, 2).unflatten(2, grid)
        return patch_rows(self.backbone().encode(image, proxy_maps=proxy, regions=masks[:, 0].long()).dense)

    def model_config(self) -> dict:
        # The fixture holds the features of the proxy; this one is never run.
        proxy = dict(type="DINOBackbone", model="scenes_dino")
        return dict(super().model_config(), type="CorrCLIPBackbone", proxy=proxy)
