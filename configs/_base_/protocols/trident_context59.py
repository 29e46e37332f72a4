_base_ = ['./trident.py', '../datasets/context59_576.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-sclip-59'))
