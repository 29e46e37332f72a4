# Talk2DINO (github.com/lorebianchi98/Talk2DINO): TCL's protocol with 7 templates.
_base_ = './tcl_coco-object.py'
protocol = dict(name='talk2dino', vocabulary=dict(templates='simple-7'))
