"""Whether a data set on disk is what its official layout says; table-driven, see ``descriptions``."""

from ovdense.datasets.doctor.descriptions import conversion, dataset_names, load_description
from ovdense.datasets.doctor.examine import examine
from ovdense.datasets.doctor.findings import Finding, Report

__all__ = ["Finding", "Report", "conversion", "dataset_names", "examine", "load_description"]
