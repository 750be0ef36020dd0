"""Run directories: the folder that a job fills, its manifest, log and parts; a finished run read back."""

from coabench.runs.run import LOG, MANIFEST, METRICS, Run, read_manifest, read_records

__all__ = ["LOG", "MANIFEST", "METRICS", "Run", "read_manifest", "read_records"]
