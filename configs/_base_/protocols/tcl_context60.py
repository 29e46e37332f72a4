_base_ = ['./tcl.py', '../datasets/context60_448.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-tcl-60'))
