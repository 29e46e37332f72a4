_base_ = ['./sclip.py', '../datasets/coco-stuff_448.py']
protocol = dict(
    vocabulary=dict(source='coco-stuff-sclip-171'))
