_base_ = ['./corrclip.py', '../datasets/ade20k_448.py']
protocol = dict(
    vocabulary=dict(source='ade20k-corrclip-150'))
