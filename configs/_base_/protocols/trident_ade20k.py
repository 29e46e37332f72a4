_base_ = ['./trident.py', '../datasets/ade20k_576.py']
protocol = dict(
    vocabulary=dict(source='ade20k-sclip-150'))
