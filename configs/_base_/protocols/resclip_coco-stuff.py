# ResCLIP (github.com/yvhangyang/ResCLIP, configs/) on NACLIP's protocol; its per-set options belong to the method.
_base_ = './naclip_coco-stuff.py'
protocol = dict(name='resclip')
