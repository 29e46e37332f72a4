# ResCLIP (github.com/yvhangyang/ResCLIP, configs/) on NACLIP's protocol; its per-set options belong to the method.
_base_ = './naclip_context59.py'
protocol = dict(name='resclip')
