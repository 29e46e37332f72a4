_base_ = ['./proxyclip.py', '../datasets/ade20k_448.py']
protocol = dict(
    vocabulary=dict(source='ade20k-sclip-150'))
