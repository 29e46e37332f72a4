vocabulary = dict(source='ade20k-150', templates='imagenet-80')
