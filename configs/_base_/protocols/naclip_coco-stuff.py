_base_ = ['./naclip.py', '../datasets/coco-stuff_336.py']
protocol = dict(
    vocabulary=dict(source='coco-stuff-sclip-171'))
