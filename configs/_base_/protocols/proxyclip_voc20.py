_base_ = ['./proxyclip.py', '../datasets/voc20_336.py']
protocol = dict(
    vocabulary=dict(source='voc-clearclip-20'))
