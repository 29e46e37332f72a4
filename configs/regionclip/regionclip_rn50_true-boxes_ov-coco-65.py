# Region classification: the true boxes are named, nothing else is scored.
_base_ = ['./regionclip_rn50_8xb2-90k_ov-coco-65.py']
model = dict(
    proposals=None,
    test_cfg=dict(
        proposals='ground_truth',
        rcnn=dict(
            _delete_=True,
            score_thr=0.0001,
            nms=dict(type='nms', iou_threshold=0.5),
            max_per_img=100,
            box_delta=False)))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),  # before Resize, so that the boxes are resized too
    dict(type='mmdet.Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader
