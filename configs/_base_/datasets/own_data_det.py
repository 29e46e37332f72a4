# Detection data of your own, split by tools/dataset_converters/split_base_novel.py.
_base_ = ['./ov_coco_65.py']
source = 'run tools/dataset_converters/split_base_novel.py on a json in COCO format'
train_dataloader = dict(
    dataset=dict(
        protocol='own data',
        vocabulary='data/own/open_vocabulary/vocabulary.json',
        source=source,
        data_root='data/own/open_vocabulary',
        ann_file='base_train.json',
        data_prefix=dict(img='../images')))
test_dataloader = dict(
    dataset=dict(
        protocol='own data',
        vocabulary='data/own/open_vocabulary/vocabulary.json',
        source=source,
        data_root='data/own/open_vocabulary',
        ann_file='all_val.json',
        data_prefix=dict(img='../images')))
val_dataloader = test_dataloader
