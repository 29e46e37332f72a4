_base_ = ['./tcl.py', '../datasets/ade20k_448.py']
protocol = dict(
    vocabulary=dict(source='ade20k-150'))
