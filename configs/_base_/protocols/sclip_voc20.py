_base_ = ['./sclip.py', '../datasets/voc20_336.py']
protocol = dict(
    vocabulary=dict(source='voc-sclip-20'))
