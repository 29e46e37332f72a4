"""Detectors and the proposal generators that they take."""

from ovdense.models.detectors.frozen_vlm import FrozenVLMDetector
from ovdense.models.detectors.maft_plus import MAFTPlus
from ovdense.models.detectors.mask_tuning import MaskTunedMaskFormer
from ovdense.models.detectors.offline_rpn import OfflineRPN
from ovdense.models.detectors.open_vocab_detector import EncodedRegions, OpenVocabDetector
from ovdense.models.detectors.open_vocab_maskformer import EncodedMasks, OpenVocabMaskFormer
from ovdense.models.detectors.open_vocab_panoptic import OpenVocabPanopticDetector
from ovdense.models.detectors.ovseg import OVSeg
from ovdense.models.detectors.proposals import GivenProposals, ProposalGenerator, RPNProposals
from ovdense.models.detectors.segment_proposals import SegmentProposals
from ovdense.models.detectors.text_two_stage import OpenVocabTwoStageDetector
from ovdense.models.detectors.tiny_proposals import TinyProposalNet
from ovdense.models.detectors.vit_pyramid import ViTPyramid

__all__ = [
    "EncodedMasks",
    "EncodedRegions",
    "FrozenVLMDetector",
    "GivenProposals",
    "MAFTPlus",
    "MaskTunedMaskFormer",
    "OVSeg",
    "OfflineRPN",
    "OpenVocabDetector",
    "OpenVocabMaskFormer",
    "OpenVocabPanopticDetector",
    "OpenVocabTwoStageDetector",
    "ProposalGenerator",
    "RPNProposals",
    "SegmentProposals",
    "TinyProposalNet",
    "ViTPyramid",
]
