# OV-LVIS: boxes of the 866 frequent and common classes to train, all of LVIS v1 val to test, 300 detections a picture.
# The training file comes from tools/dataset_converters/ov_lvis.py; pictures are COCO's.
_base_ = ['./ov_coco_65.py']
source = 'run tools/dataset_converters/ov_lvis.py on the official annotations of LVIS v1'
train_dataloader = dict(
    dataset=dict(
        protocol='ov-lvis',
        vocabulary='lvis-1203',
        source=source,
        data_root='data/lvis',
        ann_file='annotations/lvis_v1_train_seen_1203_cat.json',
        data_prefix=dict(img='')))
test_dataloader = dict(
    dataset=dict(
        protocol='ov-lvis',
        vocabulary='lvis-1203',
        source=source,
        data_root='data/lvis',
        ann_file='annotations/lvis_v1_val.json',
        data_prefix=dict(img='')))
val_dataloader = test_dataloader
test_evaluator = dict(_delete_=True, type='OpenVocabLVISMetric', metric='bbox', max_dets=300)
val_evaluator = test_evaluator
