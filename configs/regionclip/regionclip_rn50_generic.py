# Pictures and names of your own: python tools/test.py CONFIG regionclip_rn50.pth --cfg-options model.vocabulary="cat, dog"
_base_ = [
    './_base_/regionclip_rn50-c4.py',
    '../_base_/datasets/images_det.py',
    '../_base_/default_runtime_det.py',
]
model = dict(vocabulary='coco-80')
