_base_ = ['./scclip.py', '../datasets/cityscapes_560.py']
protocol = dict(
    vocabulary=dict(source='cityscapes-sclip-19'))
