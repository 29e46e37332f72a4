_base_ = ['./corrclip.py', '../datasets/context59_336.py']
protocol = dict(
    vocabulary=dict(source='pascal-context-corrclip-59'))
