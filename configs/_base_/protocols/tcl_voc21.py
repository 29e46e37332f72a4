_base_ = ['./tcl.py', '../datasets/voc21_448.py']
protocol = dict(
    vocabulary=dict(source='voc-tcl-21'))
