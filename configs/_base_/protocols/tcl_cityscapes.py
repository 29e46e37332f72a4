_base_ = ['./tcl.py', '../datasets/cityscapes_448.py']
protocol = dict(
    vocabulary=dict(source='cityscapes-19'))
