"""Training, evaluation and export of PartDiff models (Zhao et al., arXiv 2307.11926)."""
