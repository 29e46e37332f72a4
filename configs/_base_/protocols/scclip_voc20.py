_base_ = ['./scclip.py', '../datasets/voc20_336.py']
protocol = dict(
    vocabulary=dict(source='voc-sclip-20'))
