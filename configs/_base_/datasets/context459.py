# PASCAL Context, all 459 classes, labels of 16 bits (https://cs.stanford.edu/~roozbeh/pascal-context/). With so many
# rare classes the definition of mIoU matters: present_only=True leaves classes without a true pixel out of the mean.
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='Context459Dataset',
        data_root='data/VOCdevkit/VOC2010',
        ann_file='ImageSets/SegmentationContext/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassContext459')))
val_dataloader = test_dataloader
test_evaluator = dict(type='GroupedIoUMetric', iou_metrics=['mIoU'], present_only=False)
val_evaluator = test_evaluator
