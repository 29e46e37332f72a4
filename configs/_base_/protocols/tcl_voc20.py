_base_ = ['./tcl.py', '../datasets/voc20_448.py']
protocol = dict(
    vocabulary=dict(source='voc-tcl-20'))
