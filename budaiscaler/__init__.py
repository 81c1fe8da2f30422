"""What the adapter and the controller share: the decision, its sources, and the way to the cluster.

Packages from the inside out: `domain` (pure), `runtime`, `kube`, `sources`, `evaluator`, `cli`.
Who may import whom is a contract in `pyproject.toml`, checked by `make check`.
"""
