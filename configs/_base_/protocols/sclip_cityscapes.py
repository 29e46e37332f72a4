_base_ = ['./sclip.py', '../datasets/cityscapes_560.py']
protocol = dict(
    vocabulary=dict(source='cityscapes-sclip-19'))
