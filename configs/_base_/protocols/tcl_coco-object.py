_base_ = ['./tcl.py', '../datasets/coco-object_448.py']
protocol = dict(
    vocabulary=dict(source='coco-object-tcl-81'))
