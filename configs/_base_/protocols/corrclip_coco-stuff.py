_base_ = ['./corrclip.py', '../datasets/coco-stuff_336.py']
protocol = dict(
    vocabulary=dict(source='coco-stuff-corrclip-171'))
