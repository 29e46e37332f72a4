# LPOSS (github.com/vladan-stojnic/LPOSS, segmentation/): TCL's protocol, background by names.
_base_ = './tcl_voc21.py'
protocol = dict(name='lposs', vocabulary=dict(source='voc-lposs-21'))
