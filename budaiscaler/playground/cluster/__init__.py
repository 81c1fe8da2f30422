"""What in a cluster makes pods of workloads, and replicas of metrics: pretended, on any API server.

The controllers of Deployments, ReplicaSets and StatefulSets, a scheduler and a kubelet in one, and
the HPA controller with the arithmetic of the real one. They do what an autoscaler sees of them.
"""
