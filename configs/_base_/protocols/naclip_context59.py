_base_ = ['./naclip.py', '../datasets/context59_336.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-sclip-59'))
