"""The sweep job: backbones × strategies × data sets, each combination a run or a training, resumable as a whole.

A sheet (YAML) says which options of ``coabench evaluate`` or ``coabench train`` vary. It becomes a plan whose runs are
all checked before the first begins. An executor carries them out, each in a process of its own. What became of a run
is read off its directory, so there is no state of a sweep that could get out of step with its runs.
"""
