_base_ = ['./scclip.py', '../datasets/coco-stuff_336.py']
protocol = dict(
    vocabulary=dict(source='coco-stuff-sclip-171'))
