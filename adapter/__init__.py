"""The aggregated API server: publishes computed load on `external.metrics.k8s.io`.

It knows HTTP, TLS, authentication and wire formats. What a value means is decided elsewhere.
"""
