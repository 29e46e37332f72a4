_base_ = ['./scclip.py', '../datasets/ade20k_336.py']
protocol = dict(
    vocabulary=dict(source='ade20k-sclip-150'))
