# LPOSS (github.com/vladan-stojnic/LPOSS, segmentation/): TCL's protocol, background by names.
_base_ = './tcl_coco-object.py'
protocol = dict(name='lposs', vocabulary=dict(source='coco-object-lposs-81'))
