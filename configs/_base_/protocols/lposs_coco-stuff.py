# LPOSS (github.com/vladan-stojnic/LPOSS, segmentation/): TCL's protocol, smaller windows, background by names.
_base_ = './tcl_coco-stuff.py'
protocol = dict(name='lposs', test_cfg=dict(crop_size=224, stride=112))
