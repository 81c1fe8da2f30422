"""A real Kubernetes control plane on loopback, for the end-to-end tests and for hands-on work.

Real are etcd, kube-apiserver, kube-controller-manager (with its HPA controller), kube-scheduler,
kubectl and Prometheus. Only the kubelet is pretended, by kwok: pods get ready without containers,
and each has a loopback address of its own, on which a test may bind a simulated server.
No container runtime, no root and no network are needed once the binaries are built.

`control_plane` is what a test holds, `binaries` builds the tools, and `python -m e2e.cluster up`
starts the same cluster detached. Of all modules here only `installation` knows BudAIScaler.
"""
