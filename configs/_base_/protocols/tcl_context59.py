_base_ = ['./tcl.py', '../datasets/context59_448.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-tcl-59'))
