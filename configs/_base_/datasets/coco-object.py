# COCO-Object, 80 things and background; 5,000 pictures. Label maps: tools/dataset_converters/coco_object.py.
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='COCOObjectDataset',
        data_root='data/coco_stuff164k',
        data_prefix=dict(img_path='images/val2017', seg_map_path='annotations/val2017')))
val_dataloader = test_dataloader
test_evaluator = dict(type='GroupedIoUMetric', iou_metrics=['mIoU'], present_only=False)
val_evaluator = test_evaluator
