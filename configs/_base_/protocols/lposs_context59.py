# LPOSS (github.com/vladan-stojnic/LPOSS, segmentation/): TCL's protocol, background by names.
_base_ = './tcl_context59.py'
protocol = dict(name='lposs')
