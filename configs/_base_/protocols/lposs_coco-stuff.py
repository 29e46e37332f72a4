# LPOSS (github.com/vladan-stojnic/LPOSS, segmentation/): TCL's protocol, background by names.
_base_ = './tcl_coco-stuff.py'
protocol = dict(name='lposs')
