_base_ = ['./scclip.py', '../datasets/context59_336.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-sclip-59'))
