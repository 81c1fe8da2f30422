"""The rules of a spec, each once as CEL and once as Python, by the part they are about."""
