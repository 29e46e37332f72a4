_base_ = ['./trident.py', '../datasets/cityscapes_688.py']
protocol = dict(
    vocabulary=dict(source='cityscapes-sclip-19'))
