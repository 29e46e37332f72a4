"""Pseudo-labels and losses by hand; the official outputs are in tests/conformance."""

import math

import torch

from ovdense.functional.region_pretraining import (
    concept_contrast,
    image_text_contrast,
    pseudo_labels,
    region_distillation,
)

CONCEPTS = torch.eye(3)


def test_regions_of_an_unsure_teacher_are_left_out():
    teacher = torch.tensor([[1.0, 0, 0], [1, 1, 1], [0, 0, 2]])
    kept, targets, log_p = pseudo_labels(teacher, CONCEPTS, temperature=0.1, threshold=0.5)
    assert kept.tolist() == [True, False, True] and targets.tolist() == [0, 2]
    torch.testing.assert_close(log_p.exp().sum(1), torch.ones(2))


def test_distillation_is_finite_where_a_probability_underflows():
    teacher = torch.tensor([[1.0, 0, 0]])
    student = torch.tensor([[-1.0, 0.1, 0]], requires_grad=True)
    log_p = pseudo_labels(teacher, CONCEPTS)[2]
    logits = student.detach() / student.detach().norm() / 0.01
    assert logits.softmax(1).log().isinf().any()  # the official order of work
    loss = region_distillation(student, CONCEPTS, log_p)
    wanted = (logits.amax() - logits[0, 0]).item()  # p is one-hot: -log q of its concept
    assert math.isclose(loss.item(), wanted, rel_tol=1e-5)
    assert torch.autograd.grad(loss, student)[0].isfinite().all()
    same = pseudo_labels(student.detach(), CONCEPTS)[2]
    torch.testing.assert_close(region_distillation(student, CONCEPTS, same), torch.tensor(0.0), atol=1e-6, rtol=0)


def test_contrast_counts_all_regions_of_a_concept():
    student = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    loss = concept_contrast(student, CONCEPTS, torch.tensor([0, 0, 1]), temperature=1.0)
    e = math.e
    first, last = -math.log(2 * e / (2 * e + 1)), -math.log(e / (e + 2))
    assert math.isclose(loss.item(), (2 * first + last) / 3, rel_tol=1e-5)
    assert concept_contrast(student[:0], CONCEPTS, torch.zeros(0, dtype=torch.long)) == 0
    assert region_distillation(student[:0], CONCEPTS, torch.zeros(0, 3)) == 0


def test_pictures_and_captions_both_ways():
    pictures, texts = torch.eye(2), torch.tensor([[1.0, 0], [1, 0]])
    row, column = math.log(2), (math.log(1 + 1 / math.e) + math.log(1 + math.e)) / 2
    wanted = (row + column) / 2
    assert math.isclose(image_text_contrast(pictures, texts, 1.0).item(), wanted, rel_tol=1e-5)
