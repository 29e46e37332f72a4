"""Detectors and the proposal nets that they take."""

from ovdense.models.detectors.tiny_proposals import TinyProposalNet

__all__ = ["TinyProposalNet"]
