import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample

from ovdense.functional.windows import window_boxes
from ovdense.registry import MODELS
from ovdense.structures import Background, ClassEmbeddings, Vocabulary

TINY = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=64, layers=2, width=32, head_width=16, patch_size=16),
    text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
)
WHOLE = dict(mode="whole", logit_scale=10.0)
SLIDE = dict(mode="slide", crop_size=(64, 48), stride=(32, 40), window_batch=5, logit_scale=10.0)

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")


def segmentor(test_cfg=None, classes=6, backbone=None, **kwargs):
    torch.manual_seed(3)
    names = [f"class {index}" for index in range(classes)]
    options = dict(vocabulary=names, class_embeddings=torch.randn(classes, 24), decode_head=dict(type="PixelTextHead"))
    return MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=dict(type="CLIPBackbone", model=TINY, attention="qq", **(backbone or {})),
            test_cfg=test_cfg or WHOLE,
            **{**options, **kwargs},
        )
    )


def images(batch, height, width):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


def official_way(model, image, out):
    """Serial windows, each upsampled with all classes, summed, counted, resized: (K,H,W) probabilities."""
    size, settings = tuple(image.shape[-2:]), model.test_cfg
    slide = settings.mode == "slide"
    canvas, count = torch.zeros(1, model.num_classes, *size), torch.zeros(1, 1, *size)
    crop, stride = (settings.crop_size, settings.stride) if slide else (size, size)
    for x1, y1, x2, y2 in window_boxes(size, crop, stride):
        features = model.backbone(image[None, :, y1:y2, x1:x2])
        logits = model.decode_head(features, model.class_embeddings.rows)
        left, top, right, bottom = features.padding
        full = F.interpolate(logits, size=(y2 - y1 + top + bottom, x2 - x1 + left + right), mode="bilinear")
        canvas[..., y1:y2, x1:x2] += full[..., top : top + y2 - y1, left : left + x2 - x1]
        count[..., y1:y2, x1:x2] += 1
    maps = F.interpolate(canvas / count, size=out, mode="bilinear")[0]
    return (maps * settings.logit_scale).softmax(0)


@pytest.mark.parametrize("padding", ["corner", "center"])
@pytest.mark.parametrize("test_cfg", [WHOLE, SLIDE], ids=["whole", "slide"])
@pytest.mark.parametrize("size", [(64, 64), (112, 90), (50, 171), (9, 5)])
def test_labels_equal_the_official_way(test_cfg, size, padding):
    model = segmentor(dict(test_cfg, return_prob=True), backbone=dict(padding=padding))
    image, out = images(1, *size), (83, 70)
    (sample,) = model.decode(model.encode(image, [dict(ori_shape=out)]))
    expected = official_way(model, image[0], out)
    assert sample.pred_sem_seg.data.dtype == torch.uint8
    assert torch.equal(sample.pred_sem_seg.data[0].long(), expected.argmax(0))
    torch.testing.assert_close(sample.seg_prob.data[0], expected.amax(0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("test_cfg", [WHOLE, SLIDE], ids=["whole", "slide"])
def test_a_batch_is_its_images(test_cfg):
    model = segmentor(test_cfg)
    batch = images(3, 80, 110)
    metas = [dict(ori_shape=(40, 55)), dict(ori_shape=(80, 110)), dict(ori_shape=(101, 33))]
    together = model.decode(model.encode(batch, metas))
    for image, meta, sample in zip(batch, metas, together):
        (alone,) = model.decode(model.encode(image[None], [meta]))
        assert sample.pred_sem_seg.shape == meta["ori_shape"]
        assert torch.equal(sample.pred_sem_seg.data, alone.pred_sem_seg.data)


def test_windows_go_through_the_backbone_in_batches_across_images():
    model, sizes = segmentor(SLIDE), []
    model.backbone.register_forward_hook(lambda module, inputs, output: sizes.append(len(inputs[0])))
    encoded = model.encode(images(2, 96, 128))  # 2 x 3 windows an image
    assert sizes == [5, 5, 2]
    assert encoded.grid == (2, 3) and len(encoded) == 2
    model.decode(encoded)
    model.set_vocabulary(["class 4", "class 1"])
    assert int(model.decode(encoded)[0].pred_sem_seg.data.max()) <= 1
    assert len(sizes) == 3  # encoded once, decoded twice


def test_padding_and_flips_of_the_pipeline_are_undone():
    model = segmentor(SLIDE)
    picture = images(1, 70, 90)
    plain = model.decode(model.encode(F.pad(picture, (6, 0, 0, 10)), [dict(padding_size=[6, 0, 0, 10])]))[0]
    assert plain.pred_sem_seg.shape == (70, 90)
    meta = dict(padding_size=[6, 0, 0, 10], flip=True, flip_direction="horizontal", ori_shape=(35, 45))
    flipped = model.decode(model.encode(F.pad(picture, (6, 0, 0, 10)), [meta]))[0]
    maps = model.encode_decode(F.pad(picture, (6, 0, 0, 10)))[..., :70, 6:].flip(-1)
    expected = F.interpolate(maps, size=(35, 45), mode="bilinear").argmax(1)
    assert torch.equal(flipped.pred_sem_seg.data.long(), expected)


@pytest.mark.parametrize(("classes", "dtype"), [(1, torch.uint8), (10_000, torch.int32)])
def test_one_class_and_ten_thousand(classes, dtype):
    model = segmentor(SLIDE, classes=classes)
    (sample,) = model.decode(model.encode(images(1, 40, 60)))
    labels = sample.pred_sem_seg.data
    assert labels.dtype == dtype and labels.shape == (1, 40, 60)
    assert torch.equal(labels.long(), model.encode_decode(images(1, 40, 60)).argmax(1))


def test_logits_are_kept_only_on_request():
    model = segmentor()
    encoded = model.encode(images(1, 64, 64), [dict(ori_shape=(20, 30))])
    assert "seg_logits" not in model.decode(encoded)[0]
    logits = model.decode(encoded, keep_logits=True)[0].seg_logits.data
    assert logits.shape == (6, 20, 30)
    torch.testing.assert_close(logits.softmax(0), official_way(model, images(1, 64, 64)[0], (20, 30)))


def with_background(policy, **kwargs):
    names = ("background", "cat", "dog")
    phrases = (("wall", "floor") if policy == "names" else (), ("cat", "kitten"), ("dog",))
    background = Background(policy, names=phrases[0], **kwargs)
    vocabulary = Vocabulary(names, phrases, background=background)
    rows = F.normalize(torch.randn(vocabulary.num_phrases, 24, generator=torch.Generator().manual_seed(1)), dim=1)
    return ClassEmbeddings(rows, torch.tensor(vocabulary.class_index), vocabulary, space="")


@pytest.mark.parametrize(("policy", "threshold"), [("threshold", 0.6), ("names", None), ("names", 0.4)])
def test_background_policies(policy, threshold):
    embeddings = with_background(policy, threshold=threshold)
    model = segmentor(WHOLE, class_embeddings=embeddings, vocabulary=None)
    picture = images(1, 64, 96)
    labels = model.decode(model.encode(picture))[0].pred_sem_seg.data[0].long()
    logits = model.decode_head(model.backbone(picture), embeddings.rows)
    probability, phrase = (F.interpolate(logits, size=(64, 96), mode="bilinear")[0] * 10).softmax(0).max(0)
    expected = embeddings.class_index[phrase]
    if threshold is not None:
        expected[probability < threshold] = 0
    assert torch.equal(labels, expected) and 0 < (labels == 0).sum() < labels.numel()


def test_objectness_asks_the_head():
    embeddings = with_background("objectness", threshold=0.3)
    model = segmentor(SLIDE, class_embeddings=embeddings, vocabulary=None)
    encoded = model.encode(images(1, 64, 96))
    with pytest.raises(ValueError, match=r"foreground map .* got PixelTextHead"):
        model.decode(encoded)
    model.decode_head.foreground = lambda features: features.dense[:, :1].sigmoid()
    labels = model.decode(encoded)[0].pred_sem_seg.data
    assert 0 < (labels == 0).sum() < labels.numel()


def test_mean_and_std_are_the_backbone_s():
    model = segmentor()
    expected = torch.tensor(model.backbone.image_mean) * 255
    torch.testing.assert_close(model.data_preprocessor.mean.flatten(), expected)
    given = segmentor(data_preprocessor=dict(mean=[1.0, 2.0, 3.0], size=(64, 64)))
    assert given.data_preprocessor.mean.flatten().tolist() == [1.0, 2.0, 3.0]
    assert given.data_preprocessor.size == (64, 64)


def test_test_step_and_metric_of_mmseg():
    model = segmentor(SLIDE)
    truth = torch.randint(0, 6, (1, 50, 60))
    truth[:, :5] = 255
    sample = SegDataSample(gt_sem_seg=PixelData(data=truth), metainfo=dict(ori_shape=(50, 60), img_shape=(75, 90)))
    data = dict(inputs=[torch.randint(0, 255, (3, 75, 90), dtype=torch.uint8)], data_samples=[sample])
    (result,) = model.test_step(data)
    assert torch.equal(result.gt_sem_seg.data, truth)
    metric = IoUMetric(iou_metrics=["mIoU"])
    metric.dataset_meta = model.dataset_meta
    metric.process(data, [result.to_dict()])
    right = (result.pred_sem_seg.data == truth)[truth != 255].float().mean()
    assert abs(metric.compute_metrics(metric.results)["aAcc"] - 100 * float(right)) < 0.01
    assert model(images(1, 64, 64), mode="tensor").shape == (1, 6, 4, 4)


def test_refinement_sees_the_original_size():
    model = segmentor(SLIDE, refine=dict(type="PAMR", num_iter=2, dilations=(1, 2)))
    plain = segmentor(SLIDE)
    picture, meta = images(1, 80, 100), [dict(ori_shape=(40, 50))]
    refined = model.decode(model.encode(picture, meta))[0].pred_sem_seg.data
    assert refined.shape == (1, 40, 50)
    assert not torch.equal(refined, plain.decode(plain.encode(picture, meta))[0].pred_sem_seg.data)
    with pytest.raises(ValueError, match=r"one of .*'PAMR'.*, got 'CRF'"):
        segmentor(refine=dict(type="CRF"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(mode="tile"), r"must be one of \('whole', 'slide'\), got 'tile'"),
        (dict(mode="slide"), r"test_cfg.crop_size must be .* got None"),
        (dict(mode="slide", crop_size=64, stride=80), r"stride \(80, 80\) leaves gaps"),
        (dict(crops=3), r"test_cfg has no \['crops'\]"),
        (dict(window_batch=0), "at least 1, got 0"),
    ],
)
def test_settings_that_cannot_be_are_errors(change, words):
    with pytest.raises(ValueError, match=words):
        segmentor(dict(WHOLE, **change))


def test_inputs_that_cannot_be_are_errors():
    model = segmentor()
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\), got \(3, 64, 64\)"):
        model.encode(images(1, 64, 64)[0])
    with pytest.raises(ValueError, match="got 2 images but 1 metainfos"):
        model.encode(images(2, 64, 64), [{}])
    with pytest.raises(TypeError, match="can be trained, got PixelTextHead"):
        model.loss(images(1, 64, 64), [])
