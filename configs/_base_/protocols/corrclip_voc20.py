_base_ = ['./corrclip.py', '../datasets/voc20_336.py']
protocol = dict(
    vocabulary=dict(source='voc-corrclip-20'))
