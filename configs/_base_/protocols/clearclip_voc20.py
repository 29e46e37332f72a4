_base_ = ['./clearclip.py', '../datasets/voc20_448.py']
protocol = dict(
    vocabulary=dict(source='voc-clearclip-20'))
