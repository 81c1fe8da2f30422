"""The companion controller: owns the child HPAs of the HPA strategy and reports on them.

It knows reconciling. What a workload needs is decided elsewhere.
"""
