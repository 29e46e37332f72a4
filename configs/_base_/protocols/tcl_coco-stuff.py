_base_ = ['./tcl.py', '../datasets/coco-stuff_448.py']
protocol = dict(
    vocabulary=dict(source='coco-stuff-tcl-171'))
