_base_ = ['./clearclip.py', '../datasets/context59_448.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-sclip-59'))
